"""What happened to this machine since the last look, and what is to be done about it. Pure.

A machine that slept, or a process that stood still, does not notice by itself: its monotonic clock stood still too, or
it could not look. The clock that counts since the machine's start, sleep included (``CLOCK_BOOTTIME``,
clock_gettime(2)), tells. Others have given up links on which nothing came for :data:`ASLEEP` seconds.
"""

from typing import Final

import msgspec

ASLEEP: Final = 3.0
"""Seconds of silence after which others take a link for dead (``peer/tls.py``)."""


def asleep(before: float, now: float, expected: float) -> float:
    """Seconds that passed unseen between two looks; ``expected`` is how far they lie apart at most, awake."""
    return max(0.0, now - before - expected)


class Seen(msgspec.Struct, frozen=True):
    """What one look found: seconds slept before it, whether this node has another address, what came of connections.

    ``stream_lost``: the stream to a manager goes out from an address that this machine has not got any more.
    """

    slept: float
    moved: bool
    stream_lost: bool


class Steps(msgspec.Struct, frozen=True):
    """What is to be done: close every link, open the stream to the managers anew."""

    close_links: bool
    reopen_stream: bool


def steps(seen: Seen) -> Steps:
    """What to do at once. Links from an address that is gone are closed in any case, and who waits tries again."""
    dead = seen.slept >= ASLEEP
    return Steps(close_links=dead, reopen_stream=dead or seen.moved or seen.stream_lost)
