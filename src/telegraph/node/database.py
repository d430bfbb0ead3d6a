"""A node's database: one writer with group commit, quick reads on the event loop, and small settings.

Encrypted at rest: every connection is opened here, with the key that the store's vault keeps.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import connect, migrate
from telegraph.storage.writer import Writer

T = TypeVar("T")

FILE = "store.sqlite3"


class Database:
    """Reads see every write that was acknowledged before. Reads run on the calling thread, so they must be short."""

    def __init__(self, reader: sqlite3.Connection, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    def open(cls, directory: Path, key: bytes) -> "Database":
        """Opens or makes the database in a data directory; ``key`` is its 32 random bytes.

        Raises:
            DataUnreadable: it is damaged, or no database, or cannot be written.
            NewerSchema: a newer release wrote it.
        """
        path = directory / FILE
        reader = connect(path, key)
        try:
            migrate(reader, "telegraph.node", path)
            return cls(reader, Writer(lambda: connect(path, key), "messages-writer"))
        except BaseException:
            reader.close()
            raise

    async def write(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Runs a job in the writer's thread; its result is given once it is durable."""
        return await self._writer.run(job)

    def read(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """All rows of a short query."""
        return self._reader.execute(query, values).fetchall()

    @property
    def reader(self) -> sqlite3.Connection:
        """The connection for reads on the event loop's thread."""
        return self._reader

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
