"""Full-text search in the encrypted store: an index that trails the messages a little, so that sending stays fast.

The index is SQLite's FTS5 (https://sqlite.org/fts5.html), without a copy of the texts. It is filled in batches by a
task of its own, each batch in one transaction with the position that it has reached, so that a crash neither loses nor
doubles a word. What the user types is never read as FTS5's query language.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from telegraph.errors import DataUnreadable
from telegraph.node import history
from telegraph.node.broker import Broker
from telegraph.node.database import Database
from telegraph.node.model import Message
from telegraph.storage.engine import sqlite3

NEWEST: Final = 50
"""Matches that are shown at most."""

BATCH: Final = 2048
"""Messages indexed in one transaction: about 15 ms of the writer's time. With 512 each costs 1.5 times as much."""

_TRAIL: Final = 0.4
"""Seconds that the index lets messages gather."""

_MAX_WORDS: Final = 32
_SHORTEST_BEGINNING: Final = 2
"""Letters from which on the last word is taken for a beginning: one letter begins too many words to look through."""


def expression(query: str, contact: int | None) -> str | None:
    """What FTS5 is to look for: all words of a query, the last of which may go on; None if there is no word in it.

    ``contact``: only in this conversation.
    """
    plain = query.encode("utf-8", "replace").decode().replace("\0", " ")
    words = [word for word in plain.split() if any(character.isalnum() for character in word)][:_MAX_WORDS]
    if not words:
        return None
    quoted = ['"' + word.replace('"', '""') + '"' for word in words]
    if sum(character.isalnum() for character in words[-1]) >= _SHORTEST_BEGINNING:
        quoted[-1] += " *"
    texts = f"text : ({' AND '.join(quoted)})"
    return texts if contact is None else f'conversation : "c{contact}" AND {texts}'


def find(
    connection: sqlite3.Connection, query: str, me: str, *, contact: int | None = None, limit: int = NEWEST
) -> list[Message]:
    """The newest messages that have every word of a query, the newest first; case and accents do not matter.

    ``contact``: only in this conversation. ``me`` is the own user name.
    """
    wanted = expression(query, contact)
    if wanted is None:
        return []
    rows = connection.execute(
        f"{history.SELECT_MESSAGE} WHERE m.id IN"
        " (SELECT rowid FROM found WHERE found MATCH ? ORDER BY rowid DESC LIMIT ?) ORDER BY m.id DESC",
        (wanted, limit),
    )
    return [history.as_message(row, me) for row in rows]


# --- filling the index: jobs of the writer's transaction ---


def index_some(connection: sqlite3.Connection, limit: int = BATCH) -> bool:
    """Takes the next messages into the index; whether there are more."""
    (upto,) = connection.execute("SELECT upto FROM search_position").fetchone()
    (last, count) = connection.execute(
        "SELECT max(id), count(*) FROM (SELECT id FROM messages WHERE id > ? ORDER BY id LIMIT ?)", (upto, limit)
    ).fetchone()
    if last is not None:
        connection.execute(
            "INSERT INTO found (rowid, text, conversation)"
            " SELECT id, text, conversation FROM searchable WHERE id > ? AND id <= ?",
            (upto, last),
        )
        connection.execute("UPDATE search_position SET upto = ?", (last,))
    return bool(count == limit)


def behind(connection: sqlite3.Connection) -> bool:
    """Whether there are messages that the index does not have yet."""
    row = connection.execute("SELECT (SELECT max(id) FROM messages) > (SELECT upto FROM search_position)").fetchone()
    return bool(row[0])


class Search:
    """Searching one open store: the index's task, and a connection of its own, for long looks in another thread."""

    def __init__(self, database: Database, broker: Broker) -> None:
        self._database = database
        self._broker = broker
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, "search")

    async def run(self) -> None:
        """Keeps the index up until cancelled."""
        while True:
            news = self._broker.news
            while behind(self._database.reader) and await self._database.write(index_some):
                pass
            await news.wait()
            await asyncio.sleep(_TRAIL)

    async def find(self, query: str, me: str, *, contact: int | None = None) -> list[Message]:
        """See :func:`find`.

        Raises:
            DataUnreadable: the disk fails.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: self._find(query, me, contact))

    def _find(self, query: str, me: str, contact: int | None) -> list[Message]:
        try:
            if self._connection is None:
                self._connection = self._database.connect()
            return find(self._connection, query, me, contact=contact)
        except sqlite3.Error as problem:
            raise DataUnreadable(data="-", detail=str(problem)) from problem

    async def close(self) -> None:
        """Waits for the search that runs, and closes the connection."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
