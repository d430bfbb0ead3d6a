"""The directory of a single manager: one SQLite file.

Commits go through one writer thread, many to a transaction (:mod:`telegraph.storage.writer`). Reads happen on a
second connection in the calling thread: a look-up by key costs some microseconds, less than handing it to a thread
would. In WAL mode a reader sees only commits that are synced already, so nobody is told of what a power cut could undo.

Another process may commit at the same time (``telegraph manager invite``): every transaction begins with
``BEGIN IMMEDIATE`` and the revision counter lies in the database. Watches are woken by commits of this process, and
then see those of others too.

Leases (:mod:`telegraph.directory.sqlite_transactions`) that have run out are collected when a timer of this process
says so, and before each commit and renewal; until then a read may still show their keys.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from telegraph.directory import sqlite_transactions as inside
from telegraph.directory.port import Change, Delete, Entry, Frozen, HistoryGone, LeaseGone, Put, Snapshot, Unchanged
from telegraph.directory.sqlite_frozen import FrozenEntries
from telegraph.directory.transactions import KEPT_CHANGES, check_writes, prefix_end
from telegraph.errors import DataUnreadable, DirectoryUnavailable, DiskFailed
from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import connect, migrate
from telegraph.storage.writer import Writer

_READ_AT_ONCE = 500
_COLLECT_AGAIN = 1.0
"""Seconds until leases that ran out are tried again if the disk failed."""

T = TypeVar("T")


class SqliteDirectory:
    """Implements :class:`telegraph.directory.port.Directory` over one SQLite file."""

    def __init__(
        self, path: Path, kept_changes: int = KEPT_CHANGES, clock: Callable[[], float] = inside.boot_clock
    ) -> None:
        """Opens the file, makes it if need be, and brings its schema up to date.

        ``clock`` is what leases run out by, in seconds.

        Raises:
            DataUnreadable: it cannot be opened or is no database.
            NewerSchema: a newer release wrote it.
        """
        self._path = path
        self._kept = kept_changes
        self._clock = clock
        self._reader = _open(path, clock())
        self._writer = Writer(lambda: connect(path), "directory-writer")
        self._news = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._collecting: asyncio.Task[None] | None = None
        self._closed = False

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:  # noqa: ARG002 - nothing trails here
        """The key's entry, or None."""
        with self._reading() as connection:
            row = connection.execute("SELECT key, value, revision, lease FROM entries WHERE key = ?", (key,)).fetchone()
        return Entry(*row) if row else None

    async def scan(self, prefix: str, *, limit: int = 0, stale: bool = False) -> Snapshot:  # noqa: ARG002 - the same
        """All entries below the prefix, in key order; at most ``limit`` if that is not 0."""
        with self._snapshot() as connection:
            rows = connection.execute(
                "SELECT key, value, revision, lease FROM entries WHERE key >= ? AND key < ? ORDER BY key LIMIT ?",
                (prefix, prefix_end(prefix), limit or -1),
            ).fetchall()
            (revision,) = connection.execute("SELECT revision FROM counter").fetchone()
        return Snapshot(tuple(Entry(*row) for row in rows), revision)

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[Frozen]:
        """The directory as it is now, whatever is committed while the block runs: a read transaction of its own."""
        self._check_open()
        try:
            with closing(connect(self._path)) as connection:
                yield FrozenEntries(connection)
        except (DataUnreadable, sqlite3.Error) as problem:
            raise DirectoryUnavailable from problem

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        """Applies all writes if every condition holds: the new revision, durable, else None."""
        check_writes(writes)
        now = self._clock()

        def work(connection: sqlite3.Connection) -> int | LeaseGone | None:
            inside.collect(connection, now, self._kept)
            try:
                return inside.transact(connection, conditions, writes, self._kept)
            except LeaseGone as gone:  # before anything was written; what was collected stays
                return gone

        self._watch_leases()
        outcome = await self._write(work)
        if isinstance(outcome, LeaseGone):
            raise outcome
        return outcome

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._check_open()
        job = asyncio.ensure_future(self._writer.run(work, brief=True))
        job.add_done_callback(self._wake)  # also if the caller is cancelled: the commit happens all the same
        try:
            return await asyncio.shield(job)
        except (DataUnreadable, DiskFailed, sqlite3.Error) as problem:
            raise DirectoryUnavailable from problem

    def _wake(self, work: "asyncio.Future[Any] | None" = None) -> None:
        if work is not None and not work.cancelled():
            work.exception()  # seen; it is raised at the caller if there still is one
        self._news.set()
        self._news = asyncio.Event()

    # --- leases ---

    async def grant(self, ttl: float) -> int:
        """A new lease of so many seconds."""
        lease = await self._write(lambda connection: inside.grant(connection, ttl, self._clock()))
        self._set_alarm()
        return lease

    async def keep_alive(self, lease: int) -> float:
        """Renews a lease: the seconds that it has from now on."""
        left = await self._write(lambda connection: inside.keep_alive(connection, lease, self._clock()))
        self._watch_leases()
        if left is None:
            raise LeaseGone
        return left

    async def revoke(self, lease: int) -> None:
        """Ends a lease and deletes its keys."""
        await self._write(lambda connection: inside.revoke(connection, lease, self._kept))

    def _watch_leases(self) -> None:
        """From the first use on: leases of an earlier process run out too."""
        if self._alarm is None and self._collecting is None:
            self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        with self._reading() as connection:
            deadline = inside.next_deadline(connection)
        if deadline is not None:
            self._ring_in(max(0.0, deadline - self._clock()))

    def _ring_in(self, seconds: float) -> None:
        self._alarm = asyncio.get_running_loop().call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._collecting = asyncio.ensure_future(self._collect())

    async def _collect(self) -> None:
        try:
            await self._write(lambda connection: inside.collect(connection, self._clock(), self._kept))
        except DirectoryUnavailable:
            self._ring_in(_COLLECT_AGAIN)
        else:
            self._set_alarm()
        finally:
            self._collecting = None

    async def watch(self, prefix: str, *, after: int) -> AsyncIterator[Change]:
        """Every later change below the prefix, in order, endlessly; see the port."""
        if not self._closed:
            self._watch_leases()
        position = (after + 1, -1)  # revision and place, since a batch may end in the middle of a commit
        while not self._closed:
            news = self._news
            rows, seen = self._changes(prefix, position)
            for key, value, revision, place in rows:
                yield Change(key, value, revision)
                position = (revision, place)
            if not rows:
                position = max(position, (seen + 1, -1))  # else a watch that hears nothing would fall behind the log
                await news.wait()

    def _changes(self, prefix: str, position: tuple[int, int]) -> tuple[list[tuple[str, bytes | None, int, int]], int]:
        """The next changes after a position, and the revision up to which this look saw everything."""
        with self._snapshot() as connection:
            seen, forgotten = connection.execute("SELECT revision, forgotten FROM counter").fetchone()
            if position[0] <= forgotten:
                raise HistoryGone
            rows = connection.execute(
                "SELECT key, value, revision, place FROM changes WHERE (revision, place) > (?, ?)"
                " AND key >= ? AND key < ? ORDER BY revision, place LIMIT ?",
                (*position, prefix, prefix_end(prefix), _READ_AT_ONCE),
            ).fetchall()
        return rows, seen

    async def close(self) -> None:
        """Ends all watches, finishes commits that were handed in, closes the file."""
        if self._closed:
            return
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        if self._collecting is not None:
            self._collecting.cancel()
        self._wake()
        await self._writer.close()
        self._reader.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        self._check_open()
        try:
            yield self._reader
        except sqlite3.Error as problem:
            raise DirectoryUnavailable from problem

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """Several reads as of the same moment."""
        with self._reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    def _check_open(self) -> None:
        if self._closed:
            raise DirectoryUnavailable


def _open(path: Path, now: float) -> sqlite3.Connection:
    connection = connect(path)
    try:
        migrate(connection, "telegraph.directory", path)
        inside.forget_earlier_boots(connection, now)
    except sqlite3.Error as problem:
        connection.close()
        raise DataUnreadable(data=path.parent, detail=str(problem)) from problem
    except BaseException:
        connection.close()
        raise
    return connection
