"""Commits that come while another one is under way go to etcd together, as one transaction of transactions.

Each of them is a nested transaction (https://etcd.io/docs/v3.4/learning/api/#transaction) with its own conditions and
outcome, so that many commits cost one entry of the Raft log, one sync and one piece of news for each watch. etcd
compares everything before it writes anything; so no commit of a batch may touch what another one of it writes. The
batch is then the same as its commits one after the other, except that they share a revision.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Final

import msgspec

from telegraph.directory.etcd import rpc_pb2 as rpc
from telegraph.directory.port import LeaseGone

LONGEST: Final = 0.02
"""Seconds that a commit waits for the one before, at most: a member that hangs shall not hold up more than that one."""

MAX_COMMITS: Final = 64
"""Commits that go together."""

_MAX_OPS: Final = 8
"""Conditions or writes of a commit that goes together with others; etcd bounds their sum."""

_MAX_BYTES: Final = 256 * 1024
"""Of all that goes together, before the last one; etcd takes 1.5 MiB."""

Send = Callable[[rpc.TxnRequest, float], Awaitable[rpc.TxnResponse]]
"""Sends a transaction; an answer after that time, by the event loop's clock, is of use to nobody."""


class Wish(msgspec.Struct, frozen=True):
    """A commit: the keys that it reads or writes, those that it writes, and how etcd is asked for it.

    ``until`` is by when its answer is of use, by the event loop's clock.
    """

    touched: frozenset[str]
    written: frozenset[str]
    request: rpc.TxnRequest
    until: float = math.inf

    @property
    def is_small(self) -> bool:
        """Whether it may go together with others."""
        return max(len(self.request.compare), len(self.request.success)) <= _MAX_OPS


class Batch:
    """Commits that may go together. Pure."""

    def __init__(self) -> None:
        self._touched: set[str] = set()
        self._written: set[str] = set()
        self._count = self._size = 0
        self._open = True

    def takes(self, wish: Wish) -> bool:
        """Takes a commit, or says that it must wait for the next batch; the first is always taken."""
        fits = self._count == 0 or (self._has_room(wish) and self._is_apart(wish))
        if fits:
            self._count += 1
            self._size += wish.request.ByteSize()
            self._touched |= wish.touched
            self._written |= wish.written
            self._open = self._open and wish.is_small
        return fits

    def _has_room(self, wish: Wish) -> bool:
        room = self._count < MAX_COMMITS and self._size + wish.request.ByteSize() <= _MAX_BYTES
        return self._open and room and wish.is_small

    def _is_apart(self, wish: Wish) -> bool:
        return self._touched.isdisjoint(wish.written) and self._written.isdisjoint(wish.touched)


class _Waiting:
    """A commit and what will become of it."""

    __slots__ = ("outcome", "wish")

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.outcome: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()


class Gathering:
    """Sends commits, those together that wait for the same one before."""

    def __init__(self, send: Send) -> None:
        """``send`` is how a transaction gets to etcd."""
        self._send = send
        self._waiting: deque[_Waiting] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.Handle | None = None

    async def commit(self, wish: Wish) -> int | None:
        """The revision of a commit whose conditions hold, else None. Raises what etcd's client raises."""
        waiting = _Waiting(wish)
        self._waiting.append(waiting)
        if self._alarm is None:
            loop = asyncio.get_running_loop()
            # even the first one lets those come along that come at the same moment
            self._alarm = loop.call_later(LONGEST, self._go) if self._under_way else loop.call_soon(self._go)
        return await waiting.outcome

    def _go(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._waiting:
            batch = self._next()
            if batch:
                # in a context of its own: a batch is no part of the call that happened to come first
                task = asyncio.get_running_loop().create_task(self._run(batch), context=Context())
                self._under_way.add(task)
                task.add_done_callback(self._done)

    def _next(self) -> list[_Waiting]:
        """The next ones that may go together, in the order in which they came."""
        batch, taken = Batch(), list[_Waiting]()
        while self._waiting:
            waiting = self._waiting[0]
            if not waiting.outcome.done():  # else whoever wanted it has given up
                if not batch.takes(waiting.wish):
                    break
                taken.append(waiting)
            self._waiting.popleft()
        return taken

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if self._waiting and not self._under_way:
            self._go()

    async def _run(self, batch: list[_Waiting]) -> None:
        try:
            until = max(waiting.wish.until for waiting in batch)
            outcomes = await self._sent([waiting.wish.request for waiting in batch], until)
        except (LeaseGone, ValueError) as problem:  # one of them is at fault, and nothing was written
            if len(batch) == 1:
                _fail(batch, problem)
            else:
                await asyncio.gather(*(self._run([waiting]) for waiting in batch))
        except BaseException as problem:
            _fail(batch, problem)
            if not isinstance(problem, Exception):
                raise
        else:
            for waiting, outcome in zip(batch, outcomes, strict=True):
                if not waiting.outcome.done():
                    waiting.outcome.set_result(outcome)

    async def _sent(self, requests: list[rpc.TxnRequest], until: float) -> list[int | None]:
        if len(requests) == 1:
            answer = await self._send(requests[0], until)
            return [answer.header.revision if answer.succeeded else None]
        together = rpc.TxnRequest(success=[rpc.RequestOp(request_txn=each) for each in requests])
        answer = await self._send(together, until)
        revision = answer.header.revision
        return [revision if each.response_txn.succeeded else None for each in answer.responses]


def _fail(batch: list[_Waiting], problem: BaseException) -> None:
    for waiting in batch:
        if waiting.outcome.done():
            continue
        if isinstance(problem, asyncio.CancelledError):
            waiting.outcome.cancel()
        else:
            waiting.outcome.set_exception(problem)
