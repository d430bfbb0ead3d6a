"""Whose word on an address counts, and how the own counter rises."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.address_rules import HIGHEST_REPORT, Known, judge_address, next_counter
from telegraph.node.keys import DeviceKey
from telegraph.protocol.frames import SignedAddress

BOB, EVE = DeviceKey.create(), DeviceKey.create()
COUNTER = st.integers(1, 2**62)


def said_by(key: DeviceKey, counter: int, host: str = "192.0.2.7", user_id: str = "bob-id") -> SignedAddress:
    return key.sign_address(user_id, host, 8000, counter)


def known(counter: int = 10, signed: int = 10, key: bytes | None = BOB.public) -> Known:
    return Known("bob-id", key, counter, signed)


@given(counter=COUNTER, of_use=COUNTER, signed=COUNTER)
def test_an_address_that_bob_signed_counts_if_it_is_newer_than_all_that_he_signed(
    counter: int, of_use: int, signed: int
) -> None:
    said = said_by(BOB, counter)
    first, second = (judge_address(known(of_use, signed), said, first_hand=hand) for hand in (True, False))

    assert first == ("known" if counter == signed else "taken" if counter > signed else "old")
    assert second == ("known" if counter == signed else "taken" if counter > max(signed, of_use) else "old")


@given(counter=COUNTER, first_hand=st.booleans(), field=st.integers(0, 3), byte=st.integers(0, 63))
def test_whatever_bob_did_not_sign_is_forged(counter: int, first_hand: bool, field: int, byte: int) -> None:
    said = said_by(BOB, counter)
    signature = bytearray(said.signature)
    signature[byte] ^= 1
    altered = (
        msgspec.structs.replace(said, host="192.0.2.8"),
        msgspec.structs.replace(said, port=8001),
        msgspec.structs.replace(said, counter=counter - 1),
        msgspec.structs.replace(said, signature=bytes(signature)),
    )[field]

    assert judge_address(known(0, 0), altered, first_hand=first_hand) == "forged"


@pytest.mark.parametrize(
    ("said", "pinned"),
    [
        (said_by(EVE, 99), BOB.public),
        (said_by(BOB, 99, user_id="eve-id"), BOB.public),
        (said_by(BOB, 99), EVE.public),
        (said_by(BOB, 99), None),
        (said_by(BOB, 99, host="0.0.0.0"), BOB.public),  # noqa: S104 - an address that nobody can dial
        (said_by(BOB, 99, host="bad host"), BOB.public),
        (said_by(BOB, 99, host="UPPER.example"), BOB.public),
    ],
    ids=["by Eve", "about Eve", "another key pinned", "no key pinned", "nowhere", "no host", "not as it is signed"],
)
def test_another_signer_another_subject_and_what_nobody_can_dial_are_refused(
    said: SignedAddress, pinned: bytes | None
) -> None:
    assert judge_address(known(key=pinned), said, first_hand=True) == "forged"


def test_a_directory_that_told_of_a_huge_counter_does_not_silence_bob_himself() -> None:
    poisoned = known(counter=2**62, signed=10)

    assert judge_address(poisoned, said_by(BOB, 11), first_hand=True) == "taken"
    assert judge_address(poisoned, said_by(BOB, 11), first_hand=False) == "old"


@given(last=st.integers(0, 2**61), reported=st.integers(0, 2**62), now_ms=st.integers(1, 2**50))
def test_the_next_counter_is_above_the_last_the_clock_and_what_others_know(
    last: int, reported: int, now_ms: int
) -> None:
    counter = next_counter(last, reported, now_ms)

    assert counter > last
    assert counter >= now_ms
    assert counter > reported or reported > HIGHEST_REPORT


@given(reports=st.lists(st.integers(0, 2**62), max_size=30))
def test_no_liar_can_use_up_the_counters(reports: list[int]) -> None:
    counter = 0
    for reported in reports:
        counter = next_counter(counter, reported, 1_700_000_000_000)

    assert counter <= HIGHEST_REPORT + len(reports)
    assert HIGHEST_REPORT + 2**60 < 2**62
