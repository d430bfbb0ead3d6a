"""Asking several managers for the same: the next is asked when one fails, or has been silent for a moment."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from telegraph.errors import ManagerAway, Unavailable

T = TypeVar("T")

Failed = Callable[[str, Unavailable], None]
"""Hears of each that did not answer, and why."""


async def first_answer(
    urls: Sequence[str], ask: Callable[[str], Awaitable[T]], failed: Failed, *, patience: float, within: float
) -> tuple[str, T]:
    """The first answer of all, and whose it is.

    Args:
        urls: whom to ask, in this order.
        ask: asks one; an error other than Unavailable is an answer, too, and raised.
        failed: hears of those that did not answer, among them those that were asked before the one that did.
        patience: seconds of silence after which the next is asked as well.
        within: seconds for all.

    Raises:
        Unavailable: none answered in time: what one of them said, else ManagerAway.
    """
    race = _Race(urls, ask, failed)
    clock = asyncio.get_running_loop().time
    deadline = clock() + within
    try:
        while (race.waiting or race.running) and (left := deadline - clock()) > 0:
            race.start_next()
            won = await race.look(min(patience, left) if race.waiting else left)
            if won is not None:
                return won
        for url in race.running.values():
            failed(url, ManagerAway())
    finally:
        await race.give_up()
    raise race.reason or ManagerAway()


class _Race(Generic[T]):
    def __init__(self, urls: Sequence[str], ask: Callable[[str], Awaitable[T]], failed: Failed) -> None:
        self.waiting = list(urls)
        self.running: dict[asyncio.Future[T], str] = {}
        self.reason: Unavailable | None = None
        self._ask, self._failed = ask, failed

    def start_next(self) -> None:
        if self.waiting:
            url = self.waiting.pop(0)
            self.running[asyncio.ensure_future(self._ask(url))] = url

    async def look(self, seconds: float) -> tuple[str, T] | None:
        """Waits for the next one that is done; None if it has failed, or none is done in time."""
        done, _ = await asyncio.wait(self.running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in self.running if task in done]:
            try:
                answer = task.result()
            except Unavailable as problem:
                url = self.running.pop(task)
                self.reason = more_telling(self.reason, problem)
                self._failed(url, problem)
                continue
            self._pass_over(task)
            return self.running[task], answer
        return None

    def _pass_over(self, winner: "asyncio.Future[T]") -> None:
        for task, url in self.running.items():  # in the order in which they were asked
            if task is winner:
                break
            self._failed(url, ManagerAway())

    async def give_up(self) -> None:
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)


def more_telling(before: Unavailable | None, problem: Unavailable) -> Unavailable:
    """Of two reasons the one that says more than that nobody answered."""
    return problem if before is None or isinstance(before, ManagerAway) else before
