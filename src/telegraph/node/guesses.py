"""Slows down whoever guesses a node's password. Pure: it is told the time."""

_FREE = 5
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0


class Guesses:
    """Counts wrong passwords in a row: the first five cost nothing, then the wait doubles from 1 s to a minute."""

    def __init__(self) -> None:
        self._wrong = 0
        self._not_before = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds until the next guess is heard; ``now`` is monotonic seconds."""
        return max(0.0, self._not_before - now)

    def wrong(self, now: float) -> None:
        """A guess was wrong."""
        self._wrong += 1
        if self._wrong >= _FREE:
            self._not_before = now + min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(self._wrong - _FREE, 10))

    def right(self) -> None:
        """A guess was right."""
        self._wrong, self._not_before = 0, float("-inf")
