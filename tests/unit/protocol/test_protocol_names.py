import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from telegraph.errors import IllegalName, IllegalPassword
from telegraph.protocol.names import (
    MAX_NAME_LENGTH,
    base_name,
    check_password,
    check_username,
    may_be_same,
    name_key,
)

LETTERS = st.text(st.characters(categories=["L", "Nd", "Mn", "Mc"]), min_size=1, max_size=MAX_NAME_LENGTH)


def _accepted(name: str) -> bool:
    try:
        check_username(name)
    except IllegalName:
        return False
    return True


@pytest.mark.parametrize(
    "name", ["alice", "Bob", "claudia.hernández", "ИВАН_2", "李雷", "o-o", "7up", "नमस्ते", "a" * 64]
)
def test_names_of_any_script_are_welcome(name: str) -> None:
    assert check_username(name) == name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alice", "ALICE"),
        ("alice", "ａｌｉｃｅ"),  # full width
        ("alice", "ᵃˡⁱᶜᵉ"),  # superscript
        ("office", "oﬃce"),  # ligature
        ("straße", "STRASSE"),
        ("josé", "jose\u0301"),  # composed and decomposed
        ("Σίσυφος", "σίσυφοσ"),  # final sigma
    ],
)
def test_look_alikes_are_the_same_name(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(("one", "other"), [("alice", "alicia"), ("jose", "josé"), ("bob", "b0b"), ("a.b", "a_b")])
def test_different_names_stay_different(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("a" * 65, "more than 64"),
        ("ﬃ" * 22, "more than 64"),  # 22 characters that look like 66
        ("al ice", "U+0020 (space)"),
        ("alice\n", "U+000A (a control character)"),
        ("alice\0", "U+0000"),
        ("al\u202eice", "U+202E (right-to-left override)"),
        ("alice\u200b", "U+200B"),
        ("alice\u00ad", "U+00AD (soft hyphen)"),
        ("alice\ufe0f", "U+FE0F"),  # a mark that shows nothing
        ("alice\u3164", "U+3164"),  # a letter that shows nothing
        ("\ud800", "U+D800"),
        ("alice~havana", "U+007E (tilde)"),
        ("alice@home", "U+0040"),
        ("a/b", "U+002F"),
        ("½", "U+00BD"),
        (".alice", "begin with"),
        ("-alice", "begin with"),
        ("\u0301alice", "begin with"),
    ],
)
def test_an_illegal_name_is_refused_with_what_is_wrong_about_it(name: str, reason: str) -> None:
    with pytest.raises(IllegalName) as refused:
        check_username(name)
    assert reason in str(refused.value)


def test_a_name_is_shown_as_typed_but_composed() -> None:
    assert check_username("JOSE\u0301") == "JOSÉ"


@given(st.text())
def test_the_key_of_a_key_is_the_key(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


@given(st.text())
def test_any_text_is_either_a_name_or_refused_and_nothing_else(name: str) -> None:
    try:
        shown = check_username(name)
    except IllegalName:
        return
    assert shown == unicodedata.normalize("NFC", name)
    assert check_username(shown) == shown
    assert name_key(shown) == name_key(name)
    assert 1 <= len(shown) <= MAX_NAME_LENGTH
    assert 1 <= len(name_key(shown)) <= MAX_NAME_LENGTH


@given(LETTERS)
def test_the_key_of_a_legal_name_is_a_legal_name_too(name: str) -> None:
    assume(_accepted(name))
    assert name_key(check_username(name_key(name))) == name_key(name)


@given(LETTERS, st.sampled_from("\u034f\u115f\u17b4\u180b\ufe00\uffa0\U000e0100"), st.integers(0, MAX_NAME_LENGTH))
def test_no_name_can_be_copied_by_adding_something_that_nobody_sees(name: str, nothing: str, place: int) -> None:
    assert not _accepted(name[:place] + nothing + name[place:])


@pytest.mark.parametrize("password", ["12345678", "correct horse", "ñ" * 36, "🐎" * 18, " " * 8])
def test_a_password_from_8_characters_to_72_bytes_is_taken_as_it_is(password: str) -> None:
    assert check_password(password) == password.encode()


@pytest.mark.parametrize("password", ["", "1234567", "ñ" * 7, "a" * 73, "ñ" * 37, "12345678\0", "12345678\ud800"])
def test_any_other_password_is_refused_and_never_cut(password: str) -> None:
    with pytest.raises(IllegalPassword):
        check_password(password)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=8))
def test_what_bcrypt_gets_is_the_whole_password(password: str) -> None:
    if len(password.encode()) > 72:
        with pytest.raises(IllegalPassword):
            check_password(password)
    else:
        assert check_password(password).decode() == password


def test_the_refusal_of_a_password_does_not_repeat_it() -> None:
    with pytest.raises(IllegalPassword) as refused:
        check_password("hunter2")
    assert "hunter2" not in f"{refused.value!r} {refused.value} {refused.value.details}"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("bob", "bob~lima", True),
        ("Bob~lima", "bob~oslo", True),
        ("bob", "BOB", True),
        ("bob", "bobby", False),
        ("bob~lima", "lima", False),
    ],
)
def test_a_heal_between_sites_only_puts_something_behind_a_name(one: str, other: str, *, same: bool) -> None:
    assert may_be_same(one, other) is may_be_same(other, one) is same


@given(st.text(max_size=20))
def test_no_name_that_can_be_registered_has_a_site_behind_it(username: str) -> None:
    assert not _accepted(f"{username}~lima")
    assert base_name(username) == username or not _accepted(username)
