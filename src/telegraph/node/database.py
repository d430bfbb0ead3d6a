"""A node's database: one writer with group commit, quick reads on the event loop, and small settings.

Encrypted at rest: every connection is opened here, with the key that the store's vault keeps.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import Connect, connect, migrate
from telegraph.storage.writer import Writer

T = TypeVar("T")
Item = TypeVar("Item")

FILE = "store.sqlite3"
LOG_FILES = (f"{FILE}-wal", f"{FILE}-shm")
"""What SQLite puts beside it."""


class Database:
    """Reads see every write that was acknowledged before. Reads run on the calling thread, so they must be short.

    All on one event loop.
    """

    def __init__(self, reader: sqlite3.Connection, writer: Writer, connect: Connect | None = None) -> None:
        """``connect`` opens a connection more, for work in another thread; without it there is no such work."""
        self._connect = connect
        self._reader = reader
        self._writer = writer
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def open(cls, directory: Path, key: bytes) -> "Database":
        """Opens or makes the database in a data directory; ``key`` is its 32 random bytes.

        Raises:
            DataUnreadable: it is damaged, or no database, or cannot be written.
            NewerSchema: a newer release wrote it.
        """
        path = directory / FILE

        def another() -> sqlite3.Connection:
            return connect(path, key)

        reader = another()
        try:
            migrate(reader, "telegraph.node", path)
            return cls(reader, Writer(another, "messages-writer"), another)
        except BaseException:
            reader.close()
            raise

    async def write(self, job: Callable[[sqlite3.Connection], T], *, brief: bool = False) -> T:
        """Runs a job; its result is given once it is durable.

        ``brief``: it takes well below a millisecond, see :meth:`telegraph.storage.writer.Writer.run`.
        """
        return await self._writer.run(job, brief=brief)

    def write_together(
        self, work: Callable[[sqlite3.Connection, Sequence[Item]], Sequence[T]], item: Item
    ) -> "asyncio.Future[T]":
        """As :meth:`write`, for what is done for many at once: :meth:`telegraph.storage.writer.Writer.run_together`."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._writer.run_together(work, item, self._loop)

    def write_later(self, job: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        """As :meth:`write`, but it need not be soon: rides with the next commit, or has its own within milliseconds."""
        return self._writer.run_later(job)

    def count_under_way(self, count: Callable[[], int]) -> None:
        """``count`` tells how many messages are sent and not acknowledged; half of all goes into one commit."""
        self._writer.under_way = count

    def read(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """All rows of a short query."""
        return self._reader.execute(query, values).fetchall()

    @property
    def reader(self) -> sqlite3.Connection:
        """The connection for reads on the event loop's thread."""
        return self._reader

    def connect(self) -> sqlite3.Connection:
        """A connection of the caller's own, to close after use."""
        assert self._connect is not None  # noqa: S101 - see __init__
        return self._connect()

    def copy_to(self, target: Path) -> None:
        """Copies the database as it is at this moment, under the same key; to be called in a thread.

        Raises:
            sqlite3.Error: the disk does not take it.
        """
        target.touch(mode=0o600)
        connection = self.connect()
        try:
            connection.execute("VACUUM INTO ?", (str(target),))
        finally:
            connection.close()

    async def close(self) -> None:
        """Finishes every write that was handed in."""
        await self._writer.close()
        self._reader.close()

    # --- settings: small named values ---

    def setting(self, name: str) -> bytes | None:
        """The value of a setting, or None."""
        row = self._reader.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    async def set(self, **values: bytes | None) -> None:
        """Sets several settings in one transaction; None removes."""

        def job(connection: sqlite3.Connection) -> None:
            for name, value in values.items():
                if value is None:
                    connection.execute("DELETE FROM settings WHERE name = ?", (name,))
                else:
                    connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

        await self.write(job)
