"""Whether others are told that the user has read their messages: a choice of this node's user, kept in the store.

While it is off no receipt is sent: what is read then counts as told. A receipt is a number up to which everything is
read, so the first one after it is on again covers what was read before in the same conversation.
"""

from typing import Final

from telegraph.storage.engine import sqlite3

_SETTING: Final = "read_receipts"


def wanted(connection: sqlite3.Connection) -> bool:
    """Whether receipts are sent; they are unless the user has said otherwise."""
    row = connection.execute("SELECT value FROM settings WHERE name = ?", (_SETTING,)).fetchone()
    return row is None or bytes(row[0]) != b"off"


def choose(connection: sqlite3.Connection, *, on: bool) -> None:
    """The user's choice, in the writer's transaction. Receipts that still wait when it is off are not sent any more."""
    connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (_SETTING, b"on" if on else b"off"))
    if not on:
        connection.execute("UPDATE contacts SET read_told = in_read WHERE read_told < in_read")
