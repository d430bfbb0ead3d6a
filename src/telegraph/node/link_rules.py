"""Which link stays when two machines have more than one between them (DESIGN.md section 7). Pure."""

import msgspec

SIMULTANEOUS = 3.0
"""Seconds within which two links of opposite direction count as dialled at the same time: the longest that a dead link
goes unnoticed, so that an older one may well be dead and the newest is the one to trust."""


class Standing(msgspec.Struct, frozen=True):
    """A link as the rule sees it: whether this end dialled, and when it was ready (monotonic seconds)."""

    outgoing: bool
    since: float


def newer_stays(existing: Standing, new: Standing, own_key: bytes, other_key: bytes) -> bool:
    """Whether the new link replaces the existing one; if not, the new one is closed.

    The newest wins, but of two that were dialled at the same time from both ends, the one that the smaller key opened:
    both ends then choose the same one without a word.
    """
    if existing.outgoing == new.outgoing or new.since - existing.since > SIMULTANEOUS:
        return True
    return new.outgoing == (own_key < other_key)  # whether the new one is the smaller key's
