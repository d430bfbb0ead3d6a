"""Whether a group's directory is known to have lost its quorum, and the budget that each call of the API has for it.

Somebody who waits for an answer gets one within two seconds (DESIGN.md 6): all that a call asks of the directory
shares one :class:`Budget`, and while the quorum is known to be lost nothing is even tried for it. Work in the
background has no budget: it goes on trying, and by that it is noticed when the quorum is back.
"""

import asyncio
import math
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from types import TracebackType
from typing import Final, Self

from telegraph.errors import DirectorySlow, DirectoryUnavailable, FateUnknown, NoQuorum

DIRECTORY_WITHIN: Final = 1.5
"""Seconds for all that one call asks of the directory."""

ANSWERED_WITHIN: Final = 1.75
"""Seconds after which a call is answered whatever it waits for, such as another call of the same user."""

RETRY_AFTER: Final = 1.0


class Quorum:
    """What is known of the quorum.

    Attributes:
        lost: whether it is known to be lost. For the first seconds of a loss it is not.
    """

    def __init__(self) -> None:
        self.lost = False
        self._waiting: set[Budget] = set()

    def is_there(self, there: bool) -> None:
        """Whether the directory answers what takes a quorum."""
        self.lost = not there
        if self.lost:
            for budget in list(self._waiting):
                budget.expire()

    def require(self) -> None:
        """Makes sure that it is not known to be lost.

        Raises:
            NoQuorum: it is.
        """
        if self.lost:
            raise NoQuorum(retry_after=RETRY_AFTER)

    @contextmanager
    def awaited_by(self, budget: "Budget") -> Iterator[None]:
        """Ends a budget as soon as the quorum is known to be lost."""
        self._waiting.add(budget)
        try:
            yield
        finally:
            self._waiting.discard(budget)


class Budget:
    """The time of one call: ``async with Budget(quorum):``. What takes longer is cut off and told by its cause.

    Raises:
        FateUnknown: a write of the call was sent, and may be done.
        NoQuorum, DirectorySlow: nothing was.
    """

    __slots__ = ("_limit", "_token", "quorum", "until", "written")

    def __init__(self, quorum: Quorum, *, spent: float = 0.0) -> None:
        """``spent``: seconds that the call has taken already."""
        self.quorum = quorum
        now = asyncio.get_running_loop().time() - spent
        self.until = now + DIRECTORY_WITHIN
        """By when the directory must have answered, by the event loop's clock."""
        self.written = False
        """Whether a write was sent and is not known to have failed."""
        self._limit = asyncio.timeout_at(now + ANSWERED_WITHIN)

    async def __aenter__(self) -> Self:
        self._token = _budget.set(self)
        await self._limit.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _budget.reset(self._token)
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError:
            raise self._cause() from None

    def _cause(self) -> FateUnknown | DirectoryUnavailable:
        if self.written:
            return FateUnknown(retry_after=RETRY_AFTER)
        return (NoQuorum if self.quorum.lost else DirectorySlow)(retry_after=RETRY_AFTER)

    def expire(self) -> None:
        """Its time is up."""
        if not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    def close(self) -> None:
        """Nothing cuts the call off any more, such as when it is being answered."""
        if not self._limit.expired():
            self._limit.reschedule(None)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """What happens within takes no time of the budget."""
        clock, when = asyncio.get_running_loop().time, self._limit.when()
        begun = clock()
        self.close()
        try:
            yield
        finally:
            self._extend(when, clock() - begun)

    @contextmanager
    def refunded(self) -> Iterator[None]:
        """What happens within takes no time of the budget if it succeeds before that is used up."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        yield
        self._extend(self._limit.when(), clock() - begun)

    def _extend(self, when: float | None, seconds: float) -> None:
        self.until += seconds
        if when is not None and not self._limit.expired():
            self._limit.reschedule(when + seconds)


_budget: ContextVar[Budget | None] = ContextVar("directory_budget", default=None)


def bounded(quorum: Quorum | None) -> AbstractAsyncContextManager[object]:
    """A budget for what is done within; none without a quorum that it could wait for."""
    return nullcontext() if quorum is None else Budget(quorum)


def current() -> Budget | None:
    """The budget of the call that the running code works for; None in the background."""
    return _budget.get()


def waiting_until() -> float:
    """By when whoever waits must be answered, by the event loop's clock; infinity if nobody waits."""
    budget = _budget.get()
    return math.inf if budget is None else budget.until


def allow_more(seconds: float) -> None:
    """Lets the directory take so long from now on, if there was less left: to find out what became of a write."""
    budget = _budget.get()
    if budget is not None:
        budget.until = max(budget.until, asyncio.get_running_loop().time() + seconds)


@contextmanager
def busy_elsewhere() -> Iterator[None]:
    """Within, a call waits for something else than the directory, which is not charged to its budget.

    Once the quorum is known to be lost it waits no longer: it would be for nothing.

    Raises:
        NoQuorum: it is known to be lost.
    """
    budget = _budget.get()
    if budget is None:
        yield
        return
    budget.quorum.require()
    with budget.stopped(), budget.quorum.awaited_by(budget):
        yield
