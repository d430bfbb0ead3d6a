"""A time that wrong clocks do not hurry, by which messages expire. Pure.

The wall clock may jump while a node runs, by a day if somebody sets it right. So the store has a *steady time*: while
the node runs it goes on as the machine's own counter does, and for the time between two runs, when nothing else counts,
it takes the difference of the wall clock, none if that went backwards. All times are microseconds.
"""

from typing import Final

import msgspec

MIN_SECONDS: Final = 1
MAX_SECONDS: Final = 366 * 24 * 3600
"""How long somebody may give a message, in seconds."""


class Anchor(msgspec.Struct, frozen=True, array_like=True):
    """A moment by both clocks, as it is kept on disk."""

    steady: int
    wall: int


class SteadyTime:
    """The steady time of one run."""

    def __init__(self, saved: Anchor | None, *, wall: int, counter: int) -> None:
        """``saved`` is the last anchor of the run before, ``counter`` the machine's own counter now."""
        between = wall - saved.wall if saved is not None else 0
        self._begun = max(0, between) + (saved.steady if saved is not None else 0)
        self._counter = counter

    def now(self, counter: int) -> int:
        """The steady time at a reading of the counter."""
        return self._begun + max(0, counter - self._counter)

    def anchor(self, *, wall: int, counter: int) -> Anchor:
        """This moment, to be kept."""
        return Anchor(self.now(counter), wall)


def wait(next_due: int | None, now: int, at_most: float) -> float | None:
    """Seconds until the next message expires, 0 if that is now, never more than ``at_most``; None if there is none."""
    if next_due is None:
        return None
    return min(max(0, next_due - now) / 1_000_000, at_most)
