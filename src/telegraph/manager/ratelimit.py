"""How many log-ins may fail, and how often an account may move: a sliding window for each key. Pure."""

from collections import OrderedDict, deque
from typing import Final

from telegraph.errors import RateLimited, TooMany
from telegraph.manager.moment import Moment

WINDOW: Final = 60.0
"""Seconds for which a failed log-in counts."""

MAX_KEYS: Final = 10_000
"""Pairs of name and address that are remembered; above that the ones that were quiet longest are forgotten."""

Key = tuple[str, str]


class FailureLimit:
    """Counts attempts when they begin and forgives those that succeed, so that many at once do not slip through."""

    def __init__(self, per_window: int, window: float = WINDOW, error: type[TooMany] = RateLimited) -> None:
        """``per_window`` attempts are allowed in any ``window`` seconds for one key, else ``error``; 0: no limit."""
        self._limit = per_window
        self._window = window
        self._error = error
        self._attempts: OrderedDict[Key, deque[float]] = OrderedDict()

    def begin(self, key: Key, now: Moment) -> None:
        """Counts an attempt.

        Raises:
            TooMany: there were too many; this one is not counted, so that waiting helps.
        """
        if not self._limit:
            return
        attempts = self._attempts.setdefault(key, deque())
        self._attempts.move_to_end(key)
        while attempts and attempts[0] <= now.mono - self._window:
            attempts.popleft()
        if len(attempts) >= self._limit:
            raise self._error(retry_after=attempts[0] + self._window - now.mono)
        attempts.append(now.mono)
        if len(self._attempts) > MAX_KEYS:
            self._attempts.popitem(last=False)

    def forgive(self, key: Key, begun: Moment) -> None:
        """The attempt that began then did not fail."""
        attempts = self._attempts.get(key)
        if attempts is not None and begun.mono in attempts:
            attempts.remove(begun.mono)
            if not attempts:
                del self._attempts[key]
