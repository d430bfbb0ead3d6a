"""Whether the histories of two ends fit together, as far as their greetings show (docs/decisions/0007). Pure.

A data directory that was restored from a backup has forgotten what came after it. Its numbers go on from there, and
mean other messages than those that the other end knows by them.
"""

from typing import Final

import msgspec

LAST_EPOCH: Final = 2**40 - 1


class Claim(msgspec.Struct, frozen=True):
    """What the other end says to have of our stream: up to which number, and the id that this number had.

    ``top`` is the highest sort key of the conversation there.
    """

    epoch: int
    received: int
    received_id: bytes | None
    top: bytes = b""


class Ours(msgspec.Struct, frozen=True):
    """What we know of our own stream.

    ``sent`` is the highest number given out, ``delivered`` the one up to which they had said to have all when they made
    their claim; ``id_there`` the id that the number of their claim has here, None if that is not known any more.
    """

    epoch: int
    sent: int
    delivered: int
    id_there: bytes | None


def fits(claim: Claim, ours: Ours) -> bool:
    """Whether they can be sent to, from their number on, with nothing lost and nothing taken for a repeat."""
    if claim.epoch != ours.epoch or not ours.delivered <= claim.received <= ours.sent:
        return False
    known = claim.received > 0 and claim.received_id is not None and ours.id_there is not None
    return not known or claim.received_id == ours.id_there


def chosen_epoch(ours: int, claim: Claim, *, fresh: bool) -> int | None:
    """The epoch in which both begin anew; None if there is none left.

    Mostly the one above both, so that neither has numbers in it. If one end is there already, and nothing has come over
    since, it is that one: both may find out at the same time, on two links. ``fresh`` says so of this end; the other
    end objects if it is not so there.
    """
    if ours > claim.epoch and fresh:
        return ours
    if claim.epoch > ours and claim.received == 0:
        return claim.epoch
    following = max(ours, claim.epoch) + 1
    return following if following <= LAST_EPOCH else None


def may_follow(epoch: int, ours: int, theirs: int) -> bool:
    """Whether the other end may have chosen this epoch, after greetings with these two: see :func:`chosen_epoch`."""
    return epoch in (ours, theirs, max(ours, theirs) + 1)
