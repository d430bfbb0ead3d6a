from telegraph.manager.api.language import sentence


def test_the_reports_sentences_are_kept_to_the_letter() -> None:
    assert sentence("logged_in", "es") == "Login exitoso"
    assert sentence("heartbeat", "es") == "heartbeat recibido"
    assert sentence("moved", "es") == "IP actualizada exitosamente"
    assert sentence("moved", "en") == "IP updated successfully"
