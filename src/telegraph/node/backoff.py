"""When to try again what failed: exponential back-off with full jitter, cut short by good news. Pure.

Full jitter after Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): spreads those that
failed together.
"""

from random import Random


class Backoff:
    """Seconds to wait before each next attempt: random, between half of a bound and all of it, which doubles."""

    def __init__(self, first: float, ceiling: float, rng: Random) -> None:
        self._first = first
        self._ceiling = ceiling
        self._rng = rng
        self._bound = first

    def next(self) -> float:
        """The wait before the next attempt, in seconds."""
        wait = self._rng.uniform(self._bound / 2, self._bound)
        self._bound = min(self._bound * 2, self._ceiling)
        return wait

    def reset(self) -> None:
        """It worked, or there is reason to believe that it will: begin anew."""
        self._bound = self._first
