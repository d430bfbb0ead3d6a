"""A SQLite directory as it was at one moment: a read transaction, which in WAL mode keeps nobody from writing."""

from collections.abc import AsyncIterator, Sequence

from telegraph.directory.port import Entry
from telegraph.directory.transactions import prefix_end
from telegraph.storage.engine import sqlite3

_PAGE = 500


class FrozenEntries:
    """Implements :class:`telegraph.directory.port.Frozen` on a connection that nobody else uses."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """The moment is now: a transaction sees what its first read sees (https://sqlite.org/isolation.html)."""
        self._connection = connection
        connection.execute("BEGIN")
        (self.revision,) = connection.execute("SELECT revision FROM counter").fetchone()

    async def pages(self, prefix: str = "") -> AsyncIterator[Sequence[Entry]]:
        """All entries below the prefix, in key order, some hundreds at a time."""
        begin, end = prefix, prefix_end(prefix)
        while True:
            rows = self._connection.execute(
                "SELECT key, value, revision, lease FROM entries WHERE key >= ? AND key < ? ORDER BY key LIMIT ?",
                (begin, end, _PAGE),
            ).fetchall()
            if not rows:
                return
            yield [Entry(*row) for row in rows]
            begin = rows[-1][0] + "\0"
