"""All the writing to one SQLite database, by one at a time, many callers to a commit.

A commit costs one fsync however much is in it, so jobs that arrive together share one
(group commit: DeWitt et al., "Implementation techniques for main memory database systems", 1984, section 4). What
arrives while a commit is being synced goes into the next one; how many go together otherwise:
:mod:`telegraph.storage.gathering`. A thread does it, or the event loop itself: :mod:`telegraph.storage.pace`.
"""

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

from telegraph.errors import DataUnreadable
from telegraph.storage.engine import sqlite3
from telegraph.storage.gathering import Gathering, share_of
from telegraph.storage.jobs import Job, commit, settle, settle_here
from telegraph.storage.pace import Pace
from telegraph.storage.schema import Connect

T = TypeVar("T")
Item = TypeVar("Item")

Together = Callable[[sqlite3.Connection, Sequence[Item]], Sequence[T]]
"""Does the same thing for several items at once: a result for each. If it raises, all of it is undone."""

_PATIENCE = 0.005
"""Seconds that a job which is not urgent waits for one that is."""

_State = Literal["idle", "gathering", "committing"]


class Writer:
    """Runs jobs, functions of a connection, one after the other; see the module.

    Each job is atomic: one that raises is undone and raises at its caller, the others of its batch go on.
    """

    def __init__(self, connect: Connect, name: str) -> None:
        """Opens the connection at once, in the calling thread, so that errors surface here.

        ``under_way`` may be set to what counts the messages that are beyond this writer and come back acknowledged,
        see :func:`telegraph.storage.gathering.share_of`; it is called from either thread.
        """
        self.under_way: Callable[[], int | None] = lambda: None
        self._connection = connect()
        self._gathering = Gathering()
        self._pace = Pace()
        self._waiting: deque[Job] = deque()
        self._hurried = 0
        self._state: _State = "idle"
        self._gatherer: asyncio.AbstractEventLoop | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._impatient = False
        self._lock = threading.Lock()
        self._committing = threading.Lock()
        self._go: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], T], *, brief: bool = False) -> T:
        """Runs the job; returns its result once its writes are durable. Results come in the order of the calls.

        ``brief``: it takes well below a millisecond, so that it may run on the event loop where the disk is quick.

        Raises:
            DiskFailed: the disk is full or broken; nothing of the job was kept.
        """
        result: T = await self._hand_in(Job(asyncio.get_running_loop(), work, brief=brief))
        return result

    def run_together(self, work: Together[Item, T], item: Item, loop: asyncio.AbstractEventLoop) -> "asyncio.Future[T]":
        """As :meth:`run`, for what is done for many at once: neighbours with the same ``work`` become one job.

        If that raises, each is tried on its own. ``loop`` is the one that runs: who asks often should know it, for
        Python asks the kernel. Always brief.
        """
        job = Job(loop, work)
        job.together, job.item = True, item
        return self._hand_in(job)

    def run_later(self, work: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        """As :meth:`run` and brief, but not urgent: the job rides with the next commit, or has its own in 5 ms."""
        return self._hand_in(Job(asyncio.get_running_loop(), work, urgent=False))

    async def close(self) -> None:
        """Finishes what was handed in, then closes the connection."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._go.put(False)
        await asyncio.to_thread(self._thread.join)

    # --- in the callers' event loops ---

    def _hand_in(self, job: Job) -> "asyncio.Future[Any]":
        if self._closed:
            raise DataUnreadable(data="-", detail="it is closed")
        with self._lock:
            self._waiting.append(job)
            if not job.urgent:
                self._be_patient(job.loop)
                return job.future
            self._hurried += 1
            if self._state == "idle":
                self._gather(job.loop)
                job.loop.call_soon(self._turn)
            elif self._state == "gathering" and self._gatherer is not job.loop:  # which might end and never turn again
                self._start()
        return job.future

    def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        self._state, self._gatherer = "gathering", loop
        self._gathering.begin(self.under_way())

    def _turn(self) -> None:
        """One turn of the event loop has passed since it was last seen how many wait."""
        with self._lock:
            if self._state != "gathering":
                return
            assert self._gatherer is not None  # noqa: S101 - set with the state
            if self._gathering.goes_on(self._hurried):
                self._gatherer.call_soon(self._turn)
                return
            if not self._may_commit_on(self._gatherer):
                self._start()
                return
            self._state = "committing"
            self._committing.acquire()  # before anybody can close: then what is taken here is done first
            batch = self._take()
        try:
            self._pace.took(commit(self._connection, batch), len(batch))
        finally:
            self._committing.release()
        settle_here(batch)
        self._go_on_here()

    def _may_commit_on(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether an event loop may do what waits, and wait for the disk."""
        if not self._pace.is_quick or self._closed:
            return False
        return all(job.brief and job.loop is loop for job in self._waiting)

    def _go_on_here(self) -> None:
        with self._lock:
            if self._closed:  # the thread finishes
                self._start()
            elif self._hurried:
                assert self._gatherer is not None  # noqa: S101 - it has just committed
                self._gather(self._gatherer)
                self._gatherer.call_soon(self._turn)
            else:
                self._state = "idle"

    def _start(self) -> None:
        self._state = "committing"
        self._go.put(True)

    def _be_patient(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._patience is None:
            self._patience = loop.call_later(_PATIENCE, self._lose_patience)

    def _lose_patience(self) -> None:
        with self._lock:
            self._patience = None
            self._impatient = bool(self._waiting)
            if self._waiting and self._state == "idle":
                self._start()

    # --- in the writer's thread ---

    def _work(self) -> None:
        while self._go.get():
            while batch := self._next():
                self._commit(batch)
        while batch := self._rest():
            self._commit(batch)
        with self._committing:
            self._connection.close()

    def _commit(self, batch: list[Job]) -> None:
        with self._committing:
            self._pace.took(commit(self._connection, batch), len(batch))
        settle(batch)

    def _rest(self) -> list[Job]:
        with self._lock:
            return self._take()

    def _next(self) -> list[Job]:
        """The next batch; empty if nobody is in a hurry, or an event loop goes on."""
        with self._lock:
            if not self._waiting or not (self._hurried or self._impatient):
                self._state = "idle"
                return []
            loop = self._waiting[0].loop
            if self._may_commit_on(loop):
                with contextlib.suppress(RuntimeError):  # it has ended
                    loop.call_soon_threadsafe(self._turn)
                    self._gather(loop)
                    return []
            return self._take()

    # --- in either ---

    def _take(self) -> list[Job]:
        """A batch of those who wait; while nobody else commits."""
        share = share_of(len(self._waiting), self.under_way())
        batch = [self._waiting.popleft() for _ in range(share)]
        urgent = sum(job.urgent for job in batch)
        self._hurried -= urgent
        self._impatient = self._impatient and bool(self._waiting)
        self._gathering.last = urgent  # the others wait for nobody, and nobody for them
        return batch
