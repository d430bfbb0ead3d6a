from telegraph.tracing import code_path


def _open(password: str) -> None:
    raise ValueError(password)


def test_the_way_to_an_error_is_told_and_no_value_on_it() -> None:
    try:
        _open("correct horse")
    except ValueError as error:
        path = code_path(error)

    assert "test_tracing.py:" in path
    assert path.endswith("_open")
    assert "horse" not in path
