"""Entries of a conversation that this node writes itself: stored and shown, never sent, and never taken from others."""

from typing import Final
from uuid import uuid4

from telegraph.node import event_log, streams
from telegraph.storage.engine import sqlite3

_LAST: Final = "FROM messages WHERE contact = ? ORDER BY ord DESC, depth DESC, uuid DESC LIMIT 1"


def is_last(connection: sqlite3.Connection, contact: int, kind: str) -> bool:
    """Whether the last entry of a conversation is of a kind: then a second one behind it would say nothing new."""
    row = connection.execute(f"SELECT kind {_LAST}", (contact,)).fetchone()
    return row is not None and row[0] == kind


def note(connection: sqlite3.Connection, contact: int, kind: str, now_us: int) -> None:
    """Puts an entry behind what is in a conversation now. It is neither unread nor can it be found by its text."""
    last = connection.execute(f"SELECT ord, depth {_LAST}", (contact,)).fetchone()
    place, depth = (last[0], last[1] + 1) if last else (b"", 0)
    row = streams.next_row(connection)
    connection.execute(
        "INSERT INTO messages (id, uuid, contact, mine, stream, seq, seen, ord, depth, kind, text, sent_at, settled)"
        " SELECT ?, ?, id, 0, stream, NULL, 0, ?, ?, ?, '', ?, 'read' FROM contacts WHERE id = ?",
        (row, uuid4().bytes, place, depth, kind, now_us, contact),
    )
    event_log.log_message(connection, contact, row)
