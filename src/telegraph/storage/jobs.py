"""Jobs of the writer, and one transaction of many of them."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from telegraph.errors import DiskFailed
from telegraph.storage.engine import sqlite3

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


class Job:
    """A function of a connection, and the future of whoever handed it in.

    ``urgent``: a commit has to follow. ``brief``: it takes well below a millisecond, so that an event loop may do it.
    ``together``: ``work`` takes this ``item`` with those of its neighbours.
    """

    __slots__ = ("brief", "error", "future", "item", "loop", "result", "together", "urgent", "work")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, work: Callable[..., Any], *, urgent: bool = True, brief: bool = True
    ) -> None:
        self.loop = loop
        self.work = work
        self.urgent = urgent
        self.brief = brief
        self.together = False
        self.item: Any = None
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def do(self, connection: sqlite3.Connection) -> None:
        """Does it in the transaction that is open."""
        if self.together:
            (self.result,) = self.work(connection, [self.item])
        else:
            self.result = self.work(connection)

    def settle(self) -> None:
        """Tells whoever waits; on their event loop."""
        future = self.future
        if future.done():  # its caller was cancelled; what it wrote is committed all the same
            return
        if self.error is None:
            future.set_result(self.result)
        elif isinstance(self.error, StopIteration):  # which no future takes; see PEP 479
            future.set_exception(RuntimeError("the job raised StopIteration"))
        else:
            future.set_exception(self.error)


def commit(connection: sqlite3.Connection, batch: Sequence[Job]) -> float:
    """Does all jobs in one transaction: the seconds that the commit itself took.

    A job that raises is undone and the others go on; where the disk fails, every job has :class:`DiskFailed`.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        for jobs in _neighbours(batch):
            _do(connection, jobs)
        began = time.perf_counter()
        connection.execute("COMMIT")
        return time.perf_counter() - began
    except Exception as error:  # noqa: BLE001 - every caller of the batch must hear of it
        _give_up(connection, batch, error)
        return float("inf")


def settle(batch: Sequence[Job]) -> None:
    """Wakes the callers, in order, from another thread; one wake-up of a loop for all its neighbours in the batch."""
    for loop, jobs in groupby(batch, key=lambda job: job.loop):
        with contextlib.suppress(RuntimeError):  # the loop ended without waiting; nobody is left to tell
            loop.call_soon_threadsafe(settle_here, list(jobs))


def settle_here(batch: Sequence[Job]) -> None:
    """Wakes the callers, in order, those in a hurry first; on their event loop."""
    for job in batch:
        if job.urgent:
            job.settle()
    for job in batch:
        if not job.urgent:
            job.settle()


def _do(connection: sqlite3.Connection, jobs: list[Job]) -> None:
    """Jobs that are done together; one by one if that fails, so that one who asks nonsense fails alone.

    Raises:
        BaseException: the disk failed, or SQLite has rolled all back.
    """
    connection.execute("SAVEPOINT job")
    try:
        if len(jobs) == 1:
            jobs[0].do(connection)
        else:
            results = jobs[0].work(connection, [job.item for job in jobs])
            for job, result in zip(jobs, results, strict=True):
                job.result = result
    except BaseException as error:
        if _disk_failed(error) or not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO job")
        if len(jobs) == 1:
            jobs[0].error = error
        else:
            for job in jobs:
                _do(connection, [job])
    connection.execute("RELEASE job")


def _give_up(connection: sqlite3.Connection, batch: Sequence[Job], error: Exception) -> None:
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):  # the disk that failed us may fail here too; the writer must not
            connection.execute("ROLLBACK")
    for job in batch:
        job.error = DiskFailed(detail=str(error))
        job.error.__cause__ = error


def _neighbours(batch: Sequence[Job]) -> list[list[Job]]:
    """The jobs in order, those together that are next to each other and can be done together."""
    groups: list[list[Job]] = []
    for job in batch:
        if job.together and groups and groups[-1][0].work == job.work:
            groups[-1].append(job)
        else:
            groups.append([job])
    return groups


def _disk_failed(error: BaseException) -> bool:
    """Whether SQLite says that the disk failed; the low byte is the primary result code."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK_FAILED
