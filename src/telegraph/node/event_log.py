"""The log of what happened to messages, so that a page or bot that was away misses nothing.

Rows are written in the transaction that makes them true. A cursor is the number of a row; a stream that resumes
after a cursor gets everything behind it, each message in its present state.
"""

from typing import Literal

from telegraph.node.history import SELECT_MESSAGE, as_message
from telegraph.node.model import Event, Message, MessageReceived, MessageSent, StateChanged
from telegraph.storage.engine import sqlite3

KEPT = 100_000
"""Rows kept; a cursor older than that is answered by a reset."""

_BATCH = 256
LoggedEvent = tuple[int, Event]


def log_message(connection: sqlite3.Connection, contact: int, message: int) -> None:
    """A message is new here."""
    connection.execute("INSERT INTO events (kind, contact, message) VALUES ('message', ?, ?)", (contact, message))


def log_states(connection: sqlite3.Connection, contact: int, stream: int, first: int, last: int, *, mine: bool) -> None:
    """The messages numbered ``first`` to ``last`` of a stream have another state.

    A long range takes several rows: who follows reads it in pieces, without holding up the event loop.
    """
    connection.executemany(
        "INSERT INTO events (kind, contact, mine, stream, first, last) VALUES ('state', ?, ?, ?, ?, ?)",
        [(contact, mine, stream, start, min(start + _BATCH - 1, last)) for start in range(first, last + 1, _BATCH)],
    )


def log_state(connection: sqlite3.Connection, contact: int, message: int) -> None:
    """One message has another state."""
    connection.execute("INSERT INTO events (kind, contact, message) VALUES ('state', ?, ?)", (contact, message))


def head(connection: sqlite3.Connection) -> int:
    """The latest cursor; 0 if nothing ever happened."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0


def known(connection: sqlite3.Connection, cursor: int) -> bool:
    """Whether everything after this cursor is still in the log."""
    (oldest,) = connection.execute("SELECT ifnull(min(cursor), 0) FROM events").fetchone()
    latest = head(connection)
    return cursor <= latest and (cursor == latest or cursor >= oldest - 1)


def forget(connection: sqlite3.Connection) -> None:
    """Drops what is older than the newest :data:`KEPT` rows."""
    connection.execute("DELETE FROM events WHERE cursor <= ?", (head(connection) - KEPT,))


def since(connection: sqlite3.Connection, cursor: int, me: str) -> list[LoggedEvent]:
    """The next events after a cursor, oldest first, each with the cursor to resume after; empty at the head.

    A range of state changes repeats as a whole if it is interrupted: only its last event carries its own cursor.
    """
    rows = connection.execute(
        "SELECT cursor, kind, contact, message, mine, stream, first, last FROM events WHERE cursor > ? ORDER BY cursor"
        f" LIMIT {_BATCH}",
        (cursor,),
    ).fetchall()
    events: list[LoggedEvent] = []
    for number, kind, contact, message, mine, stream, first, last in rows:
        if message is not None:
            found = connection.execute(f"{SELECT_MESSAGE} WHERE m.id = ?", (message,))
        else:
            found = connection.execute(
                f"{SELECT_MESSAGE} WHERE m.contact = ? AND m.mine = ? AND m.stream = ?"
                " AND m.seq BETWEEN ? AND ? ORDER BY m.seq",
                (contact, mine, stream, first, last),
            )
        shown = [_event(kind, as_message(row, me)) for row in found]
        events += [(number - 1, event) for event in shown[:-1]]
        events += [(number, event) for event in shown[-1:]]
        if len(events) >= _BATCH:
            break
    return events if events or not rows else since(connection, rows[-1][0], me)


def _event(kind: Literal["message", "state"], message: Message) -> Event:
    if kind == "state":
        return StateChanged(message)
    return MessageSent(message) if message.mine else MessageReceived(message)
