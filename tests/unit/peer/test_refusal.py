import msgspec
import pytest

from telegraph.errors import NameTaken, UnknownPath
from telegraph.peer.refusal import refusal


@pytest.mark.parametrize(
    ("asked", "begin"),
    [
        ("", "No hay nada"),
        ("es", "No hay nada"),
        ("fr", "No hay nada"),
        ("fr, en", "There is"),
        ("en", "There is"),
        (" EN-gb,es", "There is"),
    ],
)
def test_the_sentence_is_spanish_unless_english_is_asked_for(asked: str, begin: str) -> None:
    reply = refusal(UnknownPath(), asked)
    answer = msgspec.json.decode(reply.body)
    assert reply.status == answer["status"] == 404
    assert answer["error"] == "unknown_path"
    assert answer["message"].startswith(begin)


def test_the_details_are_filled_in() -> None:
    assert "alice" in msgspec.json.decode(refusal(NameTaken(username="alice"), "en").body)["message"]
