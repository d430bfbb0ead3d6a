import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import Language
from telegraph.protocol.language import language_of


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "es"),
        ("*", "es"),
        ("de", "es"),
        ("es", "es"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("en-US,en;q=0.9,es;q=0.8", "en"),
        ("es-CU,es;q=0.9,en;q=0.8", "es"),
        ("de, en;q=0.5", "en"),
        ("en;q=0", "es"),
        ("en;q=0.2, es;q=0.7", "es"),
        ("en, es", "en"),
        ("es, en", "es"),
        ("english", "es"),
        ("en;q=", "es"),
        ("en;q=nan", "es"),
        ("en;q=٣", "es"),
    ],
)
def test_the_better_liked_language_is_taken_of_two_the_first_and_spanish_in_doubt(
    header: str, language: Language
) -> None:
    assert language_of(header) == language


@given(st.text(st.characters(max_codepoint=0xFF), max_size=200))
def test_no_header_is_a_crash(header: str) -> None:
    assert language_of(header) in ("es", "en")
