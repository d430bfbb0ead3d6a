"""Where to commit: in the event loop's own thread where the disk is quick, in a thread where it is not. Pure.

Handing a commit to a thread and its result back takes two wake-ups, and the two threads contend for Python's global
lock: on a disk that syncs in 0.2 ms that takes as long as the sync itself. On one that takes 5 ms, or stalls, the event
loop must not wait for it. So the disk has to be quick for a while first, and a few slow commits, or one very slow one,
end that.
"""

from typing import Final

QUICK: Final = 0.002
"""Seconds that a quick commit takes, and :data:`QUICK_EACH` for each of its jobs, most of which is encryption."""

QUICK_EACH: Final = 5e-6

STALL: Final = 0.02
"""Seconds of a commit after which the disk is not trusted until it has been quick for as long as at the start."""

TRUSTED: Final = 32
"""Quick commits after which the event loop waits for the next one."""

_MOST: Final = 2 * TRUSTED
_SLOW: Final = 8
"""How many quick commits a slow one undoes."""


class Pace:
    """How quick the last commits were."""

    def __init__(self) -> None:
        self._trust = 0

    @property
    def is_quick(self) -> bool:
        """Whether the event loop may wait for the next commit."""
        return self._trust >= TRUSTED

    def took(self, seconds: float, jobs: int) -> None:
        """A commit of so many jobs took so long, once the jobs themselves were done."""
        if seconds <= QUICK + QUICK_EACH * jobs:
            self._trust = min(self._trust + 1, _MOST)
        elif seconds < STALL:
            self._trust = max(self._trust - _SLOW, 0)
        else:
            self._trust = 0
