"""Which address of somebody is the newest, and under which counter to sign one's own (DESIGN.md 10.7). Pure.

An address is signed by the device that is there, with a counter. A signed one that the device itself says on a link
to us is where it is now; one that somebody else passes on, or the directory tells, must be above everything known.
"""

from typing import Final, Literal

import msgspec

from telegraph.errors import IllegalAddress
from telegraph.node.keys import verify_address
from telegraph.protocol.addresses import check_host
from telegraph.protocol.frames import SignedAddress

HIGHEST_REPORT: Final = 2**61
"""What others say of our counter counts up to here: half of its range stays for ourselves, so no liar can use it up."""

Verdict = Literal["taken", "known", "old", "forged"]


class Known(msgspec.Struct, frozen=True):
    """What is known of a contact's whereabouts.

    ``counter`` is that of the address in use, whoever told it; ``signed`` that of the newest one with a signature of
    the key that is pinned now, 0 if there is none.
    """

    user_id: str
    key: bytes | None
    counter: int
    signed: int


def judge_address(known: Known, said: SignedAddress, *, first_hand: bool) -> Verdict:
    """What to do with a signed address; ``first_hand``: its device says it on a link that it authenticated.

    A directory may have told of any counter without a signature. That must not keep the device from saying where it is:
    first hand, only counters that it signed count.
    """
    if not _dialable(said) or known.key is None or not verify_address(known.key, known.user_id, said):
        return "forged"
    if said.counter == known.signed:
        return "known"
    floor = known.signed if first_hand else max(known.signed, known.counter)
    return "taken" if said.counter > floor else "old"


def _dialable(said: SignedAddress) -> bool:
    try:
        return check_host(said.host) == said.host
    except IllegalAddress:
        return False


def next_counter(last: int, reported: int, now_ms: int) -> int:
    """The counter for the next own address: above the last one, above what others know, and not behind the clock."""
    believed = reported if reported <= HIGHEST_REPORT else 0
    return max(last, believed, now_ms - 1) + 1
