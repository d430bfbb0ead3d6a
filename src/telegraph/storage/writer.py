"""One thread that does all the writing to one SQLite database, many callers to a commit.

A commit costs one fsync however much is in it, so jobs that arrive together share one
(group commit: DeWitt et al., "Implementation techniques for main memory database systems", 1984, section 4). What
arrives while a commit is being synced goes into the next one; how many go together otherwise:
:mod:`telegraph.storage.gathering`.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Literal, TypeVar

from telegraph.errors import DataUnreadable, DiskFailed
from telegraph.storage.engine import sqlite3
from telegraph.storage.gathering import Gathering, share_of, worth_waiting
from telegraph.storage.schema import Connect

T = TypeVar("T")
Item = TypeVar("Item")

Together = Callable[[sqlite3.Connection, Sequence[Item]], Sequence[T]]
"""Does the same thing for several items at once: a result for each. If it raises, all of it is undone."""

_DISK_FAILED = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    }
)
"""Result codes (https://sqlite.org/rescode.html) that are no fault of a job: nobody's writes can be trusted then."""

_PATIENCE = 0.005
"""Seconds that a job which is not urgent waits for one that is."""


_LONGEST_WAIT = 0.005
"""Seconds that one who could be committed waits for others, at most."""

_State = Literal["idle", "gathering", "committing"]


class _Job:
    __slots__ = ("error", "future", "item", "loop", "result", "together", "urgent", "work")

    def __init__(self, loop: asyncio.AbstractEventLoop, work: Callable[..., Any], *, urgent: bool) -> None:
        self.loop = loop
        self.work = work
        self.urgent = urgent
        self.together = False
        self.item: Any = None
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def do(self, connection: sqlite3.Connection) -> None:
        if self.together:
            (self.result,) = self.work(connection, [self.item])
        else:
            self.result = self.work(connection)

    def settle(self) -> None:
        future = self.future
        if future.done():  # its caller was cancelled; what it wrote is committed all the same
            return
        if self.error is None:
            future.set_result(self.result)
        elif isinstance(self.error, StopIteration):  # which no future takes; see PEP 479
            future.set_exception(RuntimeError("the job raised StopIteration"))
        else:
            future.set_exception(self.error)


class Writer:
    """Runs jobs, functions of a connection, one after the other in a thread; see the module.

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
        self._waiting: deque[_Job] = deque()
        self._hurried = 0
        self._state: _State = "idle"
        self._gatherer: asyncio.AbstractEventLoop | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._impatient = False
        self._lock = threading.Lock()
        self._go: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._company = threading.Event()
        self._took = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs the job; returns its result once its writes are durable. Results come in the order of the calls.

        Raises:
            DiskFailed: the disk is full or broken; nothing of the job was kept.
        """
        result: T = await self._hand_in(_Job(asyncio.get_running_loop(), work, urgent=True))
        return result

    def run_together(self, work: Together[Item, T], item: Item, loop: asyncio.AbstractEventLoop) -> "asyncio.Future[T]":
        """As :meth:`run`, for what is done for many at once: neighbours with the same ``work`` become one job.

        If that raises, each is tried on its own. ``loop`` is the one that runs: who asks often should know it, for
        Python asks the kernel.
        """
        job = _Job(loop, work, urgent=True)
        job.together, job.item = True, item
        return self._hand_in(job)

    def run_later(self, work: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        """As :meth:`run`, but it need not be soon: the job rides with the next commit, or has its own in 5 ms."""
        return self._hand_in(_Job(asyncio.get_running_loop(), work, urgent=False))

    async def close(self) -> None:
        """Finishes what was handed in, then closes the connection."""
        if not self._closed:
            self._closed = True
            self._go.put(False)
        await asyncio.to_thread(self._thread.join)

    # --- in the callers' event loops ---

    def _hand_in(self, job: _Job) -> "asyncio.Future[Any]":
        if self._closed:
            raise DataUnreadable(data="-", detail="it is closed")
        with self._lock:
            self._waiting.append(job)
            if not job.urgent:
                self._be_patient(job.loop)
                return job.future
            self._hurried += 1
            if not self._company.is_set() and self._no_need_to_wait(job):
                self._company.set()
            if self._state == "idle":
                self._state, self._gatherer = "gathering", job.loop
                self._gathering.begin(self.under_way())
                job.loop.call_soon(self._turn)
            elif self._state == "gathering" and self._gatherer is not job.loop:  # which might end and never turn again
                self._start()
        return job.future

    def _no_need_to_wait(self, job: _Job) -> bool:
        return not job.together or not worth_waiting(len(self._waiting), self.under_way())

    def _turn(self) -> None:
        """One turn of the event loop has passed since it was last seen how many wait."""
        with self._lock:
            if self._state != "gathering":
                return
            if self._gathering.goes_on(len(self._waiting)):
                assert self._gatherer is not None  # noqa: S101 - set with the state
                self._gatherer.call_soon(self._turn)
            else:
                self._start()

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
            self._commit_while(hurried=True)
        self._commit_while(hurried=False)
        self._connection.close()

    def _commit_while(self, *, hurried: bool) -> None:
        while batch := self._take(hurried=hurried):
            began = time.monotonic()
            self._commit(batch)
            self._took = min(time.monotonic() - began, _LONGEST_WAIT)
            _settle(batch)
            self._wait_for_company()

    def _wait_for_company(self) -> None:
        """Waits for those who are about to come back; in vain not longer than the commit before took."""
        with self._lock:
            if not self._waiting or self._closed or any(self._no_need_to_wait(job) for job in self._waiting):
                return
            self._company.clear()
        self._company.wait(self._took)

    def _take(self, *, hurried: bool) -> list[_Job]:
        """The next batch; empty if nobody waits, or nobody in a hurry."""
        with self._lock:
            if not self._waiting or (hurried and not self._hurried and not self._impatient):
                self._state = "idle"
                return []
            share = share_of(len(self._waiting), self.under_way())
            batch = [self._waiting.popleft() for _ in range(share)]
            self._hurried -= sum(job.urgent for job in batch)
            self._impatient = self._impatient and bool(self._waiting)
            self._gathering.last = len(batch)
            return batch

    def _commit(self, batch: list[_Job]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for jobs in _neighbours(batch):
                self._do(jobs)
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - every caller of the batch must hear of it
            self._give_up(batch, error)

    def _do(self, jobs: list[_Job]) -> None:
        """Jobs that are done together; one by one if that fails, so that one who asks nonsense fails alone.

        Raises:
            BaseException: the disk failed, or SQLite has rolled all back.
        """
        execute = self._connection.execute
        execute("SAVEPOINT job")
        try:
            if len(jobs) == 1:
                jobs[0].do(self._connection)
            else:
                results = jobs[0].work(self._connection, [job.item for job in jobs])
                for job, result in zip(jobs, results, strict=True):
                    job.result = result
        except BaseException as error:
            if _disk_failed(error) or not self._connection.in_transaction:
                raise
            execute("ROLLBACK TO job")
            if len(jobs) == 1:
                jobs[0].error = error
            else:
                for job in jobs:
                    self._do([job])
        execute("RELEASE job")

    def _give_up(self, batch: list[_Job], error: Exception) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # the disk that failed us may fail here too; this thread must not
                self._connection.execute("ROLLBACK")
        for job in batch:
            job.error = DiskFailed(detail=str(error))
            job.error.__cause__ = error


def _neighbours(batch: list[_Job]) -> list[list[_Job]]:
    """The jobs in order, those together that are next to each other and can be done together."""
    groups: list[list[_Job]] = []
    for job in batch:
        if job.together and groups and groups[-1][0].work == job.work:
            groups[-1].append(job)
        else:
            groups.append([job])
    return groups


def _disk_failed(error: BaseException) -> bool:
    """Whether SQLite says that the disk failed; the low byte is the primary result code."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK_FAILED


def _settle(batch: list[_Job]) -> None:
    """Wakes the callers, in order; one wake-up of a loop for all its neighbours in the batch."""
    for loop, jobs in groupby(batch, key=lambda job: job.loop):
        with contextlib.suppress(RuntimeError):  # the loop ended without waiting; nobody is left to tell
            loop.call_soon_threadsafe(_settle_all, list(jobs))


def _settle_all(jobs: list[_Job]) -> None:
    for job in jobs:
        job.settle()
