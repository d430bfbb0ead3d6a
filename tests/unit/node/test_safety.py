"""alice and bob compare 60 digits, or scan them; mallory in between cannot make them the same."""

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegraph.errors import IllegalSafetyNumber
from telegraph.node.safety import fingerprint, fits, grouped, number, to_scan

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "safety-numbers.md"
ALICE = fingerprint("018f0000-alice", bytes(range(32)))
BOB = fingerprint("018f0000-bob", bytes(range(32, 64)))
MALLORY = fingerprint("018f0000-bob", b"m" * 32)
"""The key that mallory would have alice take for bob's."""

sides = st.binary(min_size=64, max_size=64)


def test_the_worked_example_of_the_page_comes_out() -> None:
    page = PAGE.read_text(encoding="utf-8")
    digits = number(ALICE, BOB)

    assert f"The number: `{' '.join(grouped(digits))}`" in page
    assert to_scan(ALICE, BOB) in page.splitlines()
    assert re.findall(r"`([0-9a-f]{32})`", page) == [ALICE.hex()[:32], BOB.hex()[:32]]
    assert digits == "261552673561346284769784699022345045801588624317350180624250"


@settings(max_examples=20, deadline=None)
@given(user_id=st.text(max_size=40), key=st.binary(min_size=32, max_size=32))
def test_a_fingerprint_depends_on_the_user_and_on_the_key(user_id: str, key: bytes) -> None:
    side = fingerprint(user_id, key)

    assert len(side) == 64
    assert fingerprint(user_id, key) == side
    assert fingerprint(user_id + "x", key) != side
    assert fingerprint(user_id, bytes([key[0] ^ 1]) + key[1:]) != side


@given(one=sides, other=sides)
def test_both_ends_see_the_same_sixty_digits(one: bytes, other: bytes) -> None:
    digits = number(one, other)

    assert digits == number(other, one)
    assert re.fullmatch(r"[0-9]{60}", digits)
    assert "".join(grouped(digits)) == digits
    assert [len(group) for group in grouped(digits)] == [5] * 12


@given(own=sides, theirs=sides)
def test_what_the_other_reads_or_shows_fits(own: bytes, theirs: bytes) -> None:
    assert fits(number(theirs, own), own, theirs)
    assert fits(to_scan(theirs, own), own, theirs)
    assert fits("  " + to_scan(theirs, own).lower() + "\n", own, theirs)


@given(own=sides, theirs=sides, blanks=st.lists(st.sampled_from([" ", "\n", "-", "  ", ""]), min_size=12, max_size=12))
def test_a_number_may_be_typed_in_any_grouping(own: bytes, theirs: bytes, blanks: list[str]) -> None:
    typed = "".join(group + blank for group, blank in zip(grouped(number(own, theirs)), blanks, strict=True))

    assert fits(typed, own, theirs)


def test_somebody_in_between_is_seen_in_the_number_and_in_the_code() -> None:
    alice_sees, bob_sees = number(ALICE, MALLORY), number(ALICE, BOB)

    assert alice_sees != bob_sees
    assert not fits(bob_sees, ALICE, MALLORY)
    assert not fits(to_scan(BOB, ALICE), ALICE, MALLORY)


def test_a_code_fits_only_the_one_to_whom_it_is_shown() -> None:
    carol = fingerprint("018f0000-carol", b"c" * 32)

    assert not fits(to_scan(BOB, carol), ALICE, BOB)
    assert not fits(to_scan(ALICE, BOB), ALICE, BOB)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "1" * 59,
        "1" * 61,
        "1" * 59 + "x",
        "١" * 60,
        "TELEGRAPH:SAFETY",
        "TELEGRAPH:SAFETY:1",
        "TELEGRAPH:SAFETY:2:AAAA:AAAA",
        "TELEGRAPH:SAFETY:1:AAAA:AAAA",
        to_scan(ALICE, BOB) + ":MORE",
        to_scan(ALICE, BOB)[:-1],
        to_scan(ALICE, BOB).replace("ZHG", "Z1G"),
    ],
)
def test_what_is_no_number_is_told_from_one_that_does_not_fit(typed: str) -> None:
    with pytest.raises(IllegalSafetyNumber):
        fits(typed, ALICE, BOB)


def test_a_code_of_another_version_says_so() -> None:
    with pytest.raises(IllegalSafetyNumber, match="another version"):
        fits(to_scan(BOB, ALICE).replace(":1:", ":2:"), ALICE, BOB)


@given(st.text(max_size=150))
def test_nothing_that_can_be_typed_breaks_it(typed: str) -> None:
    with contextlib.suppress(IllegalSafetyNumber):
        assert not fits(typed, ALICE, BOB)


def test_a_key_that_is_none_has_no_fingerprint() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        fingerprint("018f0000-bob", b"short")
