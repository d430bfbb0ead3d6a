"""A clock that stands still until the test moves it."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2030, 1, 1, tzinfo=UTC)

_ROUNDS = 25
"""Turns of the event loop that woken tasks get before the clock goes on: enough to run up to their next wait."""


class Timer:
    """Something that is to happen at a time of a :class:`FakeClock`."""

    def __init__(self, due: datetime, callback: Callable[[], object]) -> None:
        self.due = due
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        """It will not happen; may be called again."""
        self.cancelled = True


class FakeClock:
    """Time for tests. Timers go off in the order of their times, those of one time in the order of their making.

    While :meth:`advance` goes from one to the next, the clock shows exactly the time of each, and the tasks that it
    woke have run up to their next wait before the next one goes off.
    """

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._numbers = itertools.count()
        self._timers: list[tuple[datetime, int, Timer]] = []

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return self._now

    def time(self) -> float:
        """The time in seconds since 1970; also serves as monotonic time, as this clock never goes back."""
        return self._now.timestamp()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Calls back when the clock has moved on so far."""
        timer = Timer(self._now + timedelta(seconds=seconds), callback)
        heapq.heappush(self._timers, (timer.due, next(self._numbers), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        """Waits until the clock has moved on so far."""
        woken = asyncio.Event()
        timer = self.call_later(seconds, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()

    @property
    def waiting(self) -> int:
        """How many timers and sleepers wait."""
        return sum(not timer.cancelled for _, _, timer in self._timers)

    async def advance(self, seconds: float) -> None:
        """Moves on, letting happen on the way what falls due.

        Raises:
            ValueError: back in time.
        """
        if seconds < 0:
            raise ValueError("time does not go back")
        end = self._now + timedelta(seconds=seconds)
        await settle()  # whoever was about to wait, waits from now on
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                self._now = max(due, self._now)
                timer.callback()
                await settle()
        self._now = end


async def settle() -> None:
    """Lets the tasks that can run now run up to their next wait; not those that wait for a thread or a socket."""
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)
