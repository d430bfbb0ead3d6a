"""Inserting many rows with few statements.

Each step of a statement gives up Python's global lock and takes it again, which waits while the event loop computes. So
the rows go in large pieces of fixed sizes, whose statements stay prepared.
"""

from collections.abc import Sequence
from functools import lru_cache

from telegraph.storage.engine import sqlite3

_SIZES = (128, 32, 8, 2, 1)
"""Rows of one statement. With 17 columns 128 rows are far below SQLite's 32,766 variables."""


def insert_rows(connection: sqlite3.Connection, into: str, rows: Sequence[Sequence[object]]) -> None:
    """Inserts rows, in order; ``into`` is the table with its columns, ``words (word, number)``.

    Raises:
        sqlite3.Error: as of one statement; earlier pieces are inserted.
    """
    start = 0
    while start < len(rows):
        size = next(size for size in _SIZES if size <= len(rows) - start)
        piece = rows[start : start + size]
        connection.execute(_statement(into, len(piece[0]), size), [value for row in piece for value in row])
        start += size


@lru_cache(maxsize=128)
def _statement(into: str, columns: int, rows: int) -> str:
    """The same string each time, by which the connection finds what it has prepared."""
    marks = f"({', '.join('?' * columns)})"
    return f"INSERT INTO {into} VALUES {', '.join([marks] * rows)}"
