"""The directory of a single manager: one SQLite file.

Commits go through one writer thread, many to a transaction (:mod:`telegraph.storage.writer`). Reads happen on a
second connection in the calling thread: a look-up by key costs some microseconds, less than handing it to a thread
would. In WAL mode a reader sees only commits that are synced already, so nobody is told of what a power cut could undo.

Another process may commit at the same time (``telegraph manager invite``): every transaction begins with
``BEGIN IMMEDIATE`` and the revision counter lies in the database. Watches are woken by commits of this process, and
then see those of others too.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from telegraph.directory.port import Change, Delete, Entry, HistoryGone, Put, Snapshot, Unchanged
from telegraph.directory.transactions import KEPT_CHANGES, check_writes, prefix_end
from telegraph.errors import DataUnreadable, DirectoryUnavailable, DiskFailed
from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import connect, migrate
from telegraph.storage.writer import Writer

_READ_AT_ONCE = 500
_FORGET_EVERY = 256
"""Old changes are deleted once in so many revisions, so that most commits do not touch the old end of the table."""


class SqliteDirectory:
    """Implements :class:`telegraph.directory.port.Directory` over one SQLite file."""

    def __init__(self, path: Path, kept_changes: int = KEPT_CHANGES) -> None:
        """Opens the file, makes it if need be, and brings its schema up to date.

        Raises:
            DataUnreadable: it cannot be opened or is no database.
            NewerSchema: a newer release wrote it.
        """
        self._kept = kept_changes
        self._reader = _open(path)
        self._writer = Writer(lambda: connect(path), "directory-writer")
        self._news = asyncio.Event()
        self._closed = False

    async def get(self, key: str) -> Entry | None:
        """The key's entry, or None."""
        with self._reading() as connection:
            row = connection.execute("SELECT key, value, revision FROM entries WHERE key = ?", (key,)).fetchone()
        return Entry(*row) if row else None

    async def scan(self, prefix: str, *, limit: int = 0) -> Snapshot:
        """All entries below the prefix, in key order; at most ``limit`` if that is not 0."""
        with self._snapshot() as connection:
            rows = connection.execute(
                "SELECT key, value, revision FROM entries WHERE key >= ? AND key < ? ORDER BY key LIMIT ?",
                (prefix, prefix_end(prefix), limit or -1),
            ).fetchall()
            (revision,) = connection.execute("SELECT revision FROM counter").fetchone()
        return Snapshot(tuple(Entry(*row) for row in rows), revision)

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        """Applies all writes if every condition holds: the new revision, durable, else None."""
        check_writes(writes)
        self._check_open()
        work = asyncio.ensure_future(
            self._writer.run(lambda connection: _transact(connection, conditions, writes, self._kept))
        )
        work.add_done_callback(self._wake)  # also if the caller is cancelled: the commit happens all the same
        try:
            return await asyncio.shield(work)
        except (DataUnreadable, DiskFailed, sqlite3.Error) as problem:
            raise DirectoryUnavailable from problem

    def _wake(self, work: asyncio.Future[int | None] | None = None) -> None:
        if work is not None and not work.cancelled():
            work.exception()  # seen; it is raised at the caller if there still is one
        self._news.set()
        self._news = asyncio.Event()

    async def watch(self, prefix: str, *, after: int) -> AsyncIterator[Change]:
        """Every later change below the prefix, in order, endlessly; see the port."""
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


def _open(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    try:
        migrate(connection, "telegraph.directory", path)
    except sqlite3.Error as problem:
        connection.close()
        raise DataUnreadable(data=path.parent, detail=str(problem)) from problem
    except BaseException:
        connection.close()
        raise
    return connection


def _transact(
    connection: sqlite3.Connection, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete], kept: int
) -> int | None:
    if any(_revision_of(connection, condition.key) != condition.revision for condition in conditions):
        return None
    (revision,) = connection.execute("SELECT revision FROM counter").fetchone()
    changes = [write for write in writes if isinstance(write, Put) or _revision_of(connection, write.key)]
    if not changes:
        return int(revision)
    revision += 1
    connection.execute("UPDATE counter SET revision = ?", (revision,))
    for place, write in enumerate(changes):
        _apply(connection, revision, place, write)
    if revision % min(_FORGET_EVERY, kept) == 0:
        _forget(connection, revision - kept)
    return int(revision)


def _revision_of(connection: sqlite3.Connection, key: str) -> int:
    row = connection.execute("SELECT revision FROM entries WHERE key = ?", (key,)).fetchone()
    return int(row[0]) if row else 0


def _apply(connection: sqlite3.Connection, revision: int, place: int, write: Put | Delete) -> None:
    value = write.value if isinstance(write, Put) else None
    if value is None:
        connection.execute("DELETE FROM entries WHERE key = ?", (write.key,))
    else:
        connection.execute(
            "INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value,"
            " revision = excluded.revision",
            (write.key, value, revision),
        )
    connection.execute("INSERT INTO changes VALUES (?, ?, ?, ?)", (revision, place, write.key, value))


def _forget(connection: sqlite3.Connection, upto: int) -> None:
    if upto > 0:
        connection.execute("DELETE FROM changes WHERE revision <= ?", (upto,))
        connection.execute("UPDATE counter SET forgotten = ?", (upto,))
