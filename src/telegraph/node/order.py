"""The order in which both ends show a conversation, and what a stream accepts (DESIGN.md section 7). Pure.

Each message carries its number in its sender's stream (``seq``) and how many of the other's messages its sender
had stored
(``seen``): a two-entry vector clock (Mattern 1989). Two messages that are not causally related are ordered by id.
The sort
key of docs/decisions/0004-order-key.md gives that order without comparing pairs.
"""

from typing import Literal

import msgspec


class Place(msgspec.Struct, frozen=True, order=True, gc=False):
    """Sort key of a message in its conversation: the same on both ends."""

    ord: bytes
    depth: int
    id: bytes


def place(
    message_id: bytes, seq: int, seen: int, own_before: bytes, others_seen: bytes, *, stamp: bytes | None = None
) -> Place:
    """Where a message belongs.

    ``own_before`` is the ``ord`` of the sender's previous message, ``others_seen`` that of the other's message
    number ``seen``;
    empty where there is none. Ids must rise along each sender's stream; a message that is sent again under a new number
    keeps its id, and has a ``stamp`` that rises instead.
    """
    return Place(max(stamp or message_id, own_before, others_seen), seq + seen, message_id)


def given_spot(message_id: bytes, ord_: bytes, depth: int, *, stamp: bytes | None = None) -> Place | None:
    """Where a message of an earlier epoch belongs, as its sender says; None if no message with this id can be there.

    It gives the sender no more power than the choice of ids does: a place in the past of what was read is marked late.
    """
    return Place(ord_, depth, message_id) if ord_ >= (stamp or message_id) else None


Verdict = Literal["store", "repeat", "gap", "forged"]


def judge(*, seq: int, seen: int, received: int, last_seen: int, sent: int) -> Verdict:
    """What to do with an arriving message.

    ``received`` is the highest number stored of its sender, ``last_seen`` the ``seen`` that this one carried,
    ``sent`` the highest number
    that this end has ever given out. A claim to have seen what was never sent, or less than before, is forged.
    """
    if seq <= received:
        return "repeat"
    if seq > received + 1:
        return "gap"
    if seen > sent or seen < last_seen:
        return "forged"
    return "store"
