import inspect
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph import errors
from telegraph.errors import (
    BadInput,
    CannotStart,
    Conflict,
    IllegalName,
    Missing,
    NameTaken,
    Refused,
    RemoteError,
    TelegraphError,
    TooMany,
    Unavailable,
    UnknownUser,
)


def _below(kind: type[TelegraphError]) -> Iterator[type[TelegraphError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _below(child)


KINDS = [kind for kind in _below(TelegraphError) if kind.__module__ == errors.__name__]
FAMILIES: dict[type[TelegraphError], range] = {
    BadInput: range(400, 416),
    Refused: range(401, 404),
    Missing: range(404, 406),
    Conflict: range(409, 410),
    TooMany: range(429, 430),
    Unavailable: range(503, 504),
    CannotStart: range(500, 501),
}


def _english(kind: type[TelegraphError]) -> str:
    return (kind.__doc__ or "").split("\n", 1)[0]


def _placeholders(sentence: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", sentence))


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_says_one_plain_sentence_in_both_languages(kind: type[TelegraphError]) -> None:
    for sentence in (_english(kind), kind.spanish):
        assert sentence == sentence.strip()
        assert sentence[0].isupper() or sentence.startswith("{")
        # A sentence ends with a full stop, or with a command or value to copy, where a dot would be in the way.
        assert sentence.endswith((".", "}"))
        assert ". " not in sentence
    assert kind is TelegraphError or "spanish" in vars(kind), "it would show its parent's sentence in Spanish"
    assert kind is TelegraphError or kind.spanish != _english(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_both_languages_are_filled_from_the_same_details(kind: type[TelegraphError]) -> None:
    assert _placeholders(_english(kind)) == _placeholders(kind.spanish)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_snake_case_code_of_its_own_and_a_status_of_its_family(kind: type[TelegraphError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert [other for other in KINDS if other.code == kind.code] == [kind]
    for family, statuses in FAMILIES.items():
        assert not issubclass(kind, family) or kind.status in statuses


def test_the_tree_in_the_docstring_names_every_class_with_its_family_and_status() -> None:
    tree = (errors.__doc__ or "").split("::", 1)[1]
    drawn: dict[str, tuple[str, int]] = {}
    family, status = "", 0
    for line in tree.splitlines():
        if heading := re.match(r"\s*(?:[├└]── )?(\w+) \((\d+)\)", line):  # other lines begin with a bar
            family, status = heading[1], int(heading[2])
        for name, own in re.findall(r"([A-Z]\w+)(?: \((\d+)\))?", line):
            drawn[name] = (family, int(own) if own else status)
    assert drawn == {kind.__name__: (_family(kind).__name__, kind.status) for kind in KINDS}


def _family(kind: type[TelegraphError]) -> type[TelegraphError]:
    """The ancestor right below the root, or the root itself."""
    return kind.__mro__[-5] if kind is not TelegraphError else kind


def test_alice_reads_what_is_wrong_in_her_language() -> None:
    error = NameTaken(username="alice")
    assert str(error) == "The name alice is taken, or looks the same as one that is; choose another."
    assert error.sentence("es").startswith("El nombre alice ya está ocupado")


def test_a_missing_detail_shows_as_a_dash_and_does_not_hide_the_error() -> None:
    assert str(UnknownUser()) == "Nobody here is called -; check the spelling."


@given(st.text())
def test_a_detail_is_put_in_as_it_is_even_if_it_has_braces(detail: str) -> None:
    assert IllegalName(detail=detail).sentence() == f"That name cannot be used: {detail}."


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_that_another_process_worded_is_the_same_class_with_its_words(kind: type[TelegraphError]) -> None:
    error = TelegraphError.received(kind.code, "Lo dijo otra máquina.", retry_after=2.5)
    assert type(error) is kind
    assert (str(error), error.sentence("es")) == ("Lo dijo otra máquina.",) * 2
    assert error.retry_after == 2.5


def test_a_code_from_a_newer_version_becomes_a_remote_error_that_keeps_code_and_sentence() -> None:
    error = TelegraphError.received("quantum_flux", "Too much flux.")
    assert isinstance(error, RemoteError)
    assert str(error) == "Too much flux."
    assert error.details["code"] == "quantum_flux"


def test_every_public_docstring_has_its_sentence_on_one_line() -> None:
    for kind in KINDS:
        lines = inspect.cleandoc(kind.__doc__ or "").splitlines()
        assert len(lines) == 1 or not lines[1], kind
