"""One thread that does all the writing to one SQLite database, many callers to a commit.

A commit costs one fsync however much is in it, so jobs that arrive while one runs share the next
(group commit: DeWitt et al., "Implementation techniques for main memory database systems", 1984, section 4).
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from itertools import groupby
from typing import Any, Generic, TypeVar

from telegraph.errors import DataUnreadable
from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import Connect

T = TypeVar("T")

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

MAX_BATCH = 1024
"""Jobs in one commit at most, so that the first of them does not wait for ever."""


class _Job(Generic[T]):
    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], T], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.future: asyncio.Future[T] = loop.create_future()
        self.result: T | None = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        if self.future.done():  # its caller was cancelled; what it wrote is committed all the same
            return
        if isinstance(self.error, StopIteration):  # which no future takes; see PEP 479
            self.future.set_exception(RuntimeError("the job raised StopIteration"))
        elif self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]


class Writer:
    """Runs jobs, functions of a connection, one after the other in a thread; see the module.

    Each job is atomic: one that raises is undone and raises at its caller, the others of its batch go on.
    """

    def __init__(self, connect: Connect, name: str) -> None:
        """Opens the connection at once, in the calling thread, so that errors surface here."""
        self._connection = connect()
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs the job; returns its result once its writes are durable. Results come in the order of the calls.

        Raises:
            DataUnreadable: the disk is full or broken; nothing of the job was kept.
        """
        if self._closed:
            raise DataUnreadable(data="-", detail="it is closed")
        job = _Job(work, asyncio.get_running_loop())
        self._jobs.put(job)
        return await job.future

    async def close(self) -> None:
        """Finishes what was handed in, then closes the connection."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            batch, last = self._gather(first)
            self._commit(batch)
            _settle(batch)
            if last:
                break
        self._connection.close()

    def _gather(self, first: _Job[Any]) -> tuple[list[_Job[Any]], bool]:
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, False
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _commit(self, batch: list[_Job[Any]]) -> None:
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            for job in batch:
                execute("SAVEPOINT job")
                try:
                    job.result = job.work(self._connection)
                except BaseException as error:
                    if _disk_failed(error) or not self._connection.in_transaction:  # SQLite may have rolled all back
                        raise
                    job.error = error
                    execute("ROLLBACK TO job")
                execute("RELEASE job")
            execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - every caller of the batch must hear of it
            self._give_up(batch, error)

    def _give_up(self, batch: list[_Job[Any]], error: Exception) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # the disk that failed us may fail here too; this thread must not
                self._connection.execute("ROLLBACK")
        for job in batch:
            job.error = DataUnreadable(data="-", detail=f"nothing was written ({error})")
            job.error.__cause__ = error


def _disk_failed(error: BaseException) -> bool:
    """Whether SQLite says that the disk failed; the low byte is the primary result code."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK_FAILED


def _settle(batch: list[_Job[Any]]) -> None:
    """Wakes the callers, in order; one wake-up of a loop for all its neighbours in the batch."""
    for loop, jobs in groupby(batch, key=lambda job: job.loop):
        with contextlib.suppress(RuntimeError):  # the loop ended without waiting; nobody is left to tell
            loop.call_soon_threadsafe(_settle_all, list(jobs))


def _settle_all(jobs: list[_Job[Any]]) -> None:
    for job in jobs:
        job.settle()
