"""An event loop whose time passes only when nobody has anything to do: hours of waiting take no time at all.

For simulations without sockets, threads and processes: what such a run does depends on nothing but its seeds.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(Exception):
    """Everybody waits for somebody else, and no timer will ever wake anyone."""


class _Skipping(selectors.SelectSelector):
    """Never waits: the time that it was to wait for has passed at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("nobody has anything to do, and nothing will happen by itself")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module. Its time begins at 0."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)
        self._clock_resolution = 1e-6  # asyncio's own: with its nanosecond, a timer in the year 2 would never be due

    def time(self) -> float:
        """Seconds that have passed for those who live on this loop."""
        return self._skipping.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine on a loop of its own, as :func:`asyncio.run`.

    Raises:
        Stuck: it waits for what can never happen.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
