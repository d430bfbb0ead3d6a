"""The log of what happened to messages, so that a page or bot that was away misses nothing.

Rows are written in the transaction that makes them true. A stream that resumes after a cursor gets everything behind
it, each message in its present state. A row may tell of many messages: of new ones that are neighbours in their table,
each of which has a cursor of its own, up to that of the row; or of a range of numbers that have another state.
"""

from typing import Any

from telegraph.node.history import SELECT_MESSAGE, SELECT_MESSAGE_WITH_ROW, as_message
from telegraph.node.model import (
    KEY_CHANGED,
    RESTORED,
    ContactKeyChanged,
    Event,
    Message,
    MessageDeleted,
    MessageReceived,
    MessageSent,
    StateChanged,
    id_text,
)
from telegraph.storage.engine import sqlite3

KEPT = 100_000
"""Rows kept; a cursor older than that is answered by a reset."""

_BATCH = 256
LoggedEvent = tuple[int, Event]


def log_message(connection: sqlite3.Connection, contact: int, message: int) -> None:
    """A message is new here."""
    log_messages(connection, contact, message, message)


def log_messages(connection: sqlite3.Connection, contact: int, first: int, last: int) -> None:
    """The messages of rows ``first`` to ``last`` are new here."""
    for rows in _pieces(first, last):
        connection.execute(
            "INSERT INTO events (cursor, kind, contact, message, last)"
            " VALUES ((SELECT ifnull(max(cursor), 0) FROM events) + ?, 'message', ?, ?, ?)",
            (len(rows), contact, rows[0], rows[-1]),
        )


def log_states(connection: sqlite3.Connection, contact: int, stream: int, first: int, last: int, *, mine: bool) -> None:
    """The messages numbered ``first`` to ``last`` of a stream have another state.

    A long range takes several rows: who follows reads it in pieces, without holding up the event loop.
    """
    for numbers in _pieces(first, last):
        connection.execute(
            "INSERT INTO events (kind, contact, mine, stream, first, last) VALUES ('state', ?, ?, ?, ?, ?)",
            (contact, mine, stream, numbers[0], numbers[-1]),
        )


def _pieces(first: int, last: int) -> list[range]:
    return [range(start, min(start + _BATCH, last + 1)) for start in range(first, last + 1, _BATCH)]


def log_state(connection: sqlite3.Connection, contact: int, message: int) -> None:
    """One message has another state."""
    connection.execute("INSERT INTO events (kind, contact, message) VALUES ('state', ?, ?)", (contact, message))


def log_deleted(connection: sqlite3.Connection, contact: int, uuid: bytes | None) -> None:
    """A message of a conversation was deleted here; None: all of them."""
    connection.execute("INSERT INTO events (kind, contact, detail) VALUES ('deleted', ?, ?)", (contact, uuid))


def head(connection: sqlite3.Connection) -> int:
    """The latest cursor; 0 if nothing ever happened."""
    return int(connection.execute("SELECT ifnull(max(cursor), 0) FROM events").fetchone()[0])


def known(connection: sqlite3.Connection, cursor: int) -> bool:
    """Whether everything after this cursor is still in the log."""
    oldest = connection.execute(
        "SELECT cursor - iif(kind = 'message' AND last > message, last - message, 0)"  # that of its first message
        " FROM events ORDER BY cursor LIMIT 1"
    ).fetchone()
    latest = head(connection)
    return cursor <= latest and (cursor == latest or oldest is None or cursor >= oldest[0] - 1)


def forget(connection: sqlite3.Connection) -> None:
    """Drops what is older than the newest :data:`KEPT` rows. The newest stays: the next cursor follows it."""
    connection.execute("DELETE FROM events WHERE cursor <= ?", (head(connection) - KEPT,))


def since(connection: sqlite3.Connection, cursor: int, me: str) -> list[LoggedEvent]:
    """The next events after a cursor, oldest first, each with the cursor to resume after; empty at the head.

    A range of state changes repeats as a whole if it is interrupted: only its last event carries its own cursor.
    """
    rows = connection.execute(
        "SELECT cursor, kind, contact, message, mine, stream, first, last, detail FROM events WHERE cursor > ?"
        f" ORDER BY cursor LIMIT {_BATCH}",
        (cursor,),
    ).fetchall()
    events: list[LoggedEvent] = []
    for number, kind, *what, detail in rows:
        if kind == "deleted":
            events.append((number, _deleted(connection, what[0], detail)))
        elif kind == "message":
            events += _new(connection, cursor, number, what, me)
        else:
            shown = [StateChanged(as_message(row, me)) for row in _changed(connection, what)]
            events += [(number - 1, event) for event in shown[:-1]]
            events += [(number, event) for event in shown[-1:]]
        if len(events) >= _BATCH:
            break
    return events if events or not rows else since(connection, rows[-1][0], me)


def _new(connection: sqlite3.Connection, after: int, number: int, what: list[Any], me: str) -> list[LoggedEvent]:
    """The new messages of the row ``number`` that lie behind the cursor ``after``."""
    _, first, *_, last = what
    last = last or first  # rows of earlier releases tell of one message
    found = connection.execute(
        SELECT_MESSAGE_WITH_ROW + " WHERE m.id BETWEEN ? AND ? ORDER BY m.id",
        (max(first, last - (number - after) + 1), last),
    )
    return [(number - last + row, _arrived(as_message(shown, me))) for row, *shown in found]


def _changed(connection: sqlite3.Connection, what: list[Any]) -> sqlite3.Cursor:
    contact, message, *numbers = what
    if message is not None:
        return connection.execute(f"{SELECT_MESSAGE} WHERE m.id = ?", (message,))
    where = "m.contact = ? AND m.mine = ? AND m.stream = ? AND m.seq BETWEEN ? AND ?"
    return connection.execute(f"{SELECT_MESSAGE} WHERE {where} ORDER BY m.seq", (contact, *numbers))


def _deleted(connection: sqlite3.Connection, contact: int, uuid: bytes | None) -> MessageDeleted:
    username, user_id = connection.execute("SELECT username, user_id FROM contacts WHERE id = ?", (contact,)).fetchone()
    return MessageDeleted(username, user_id, id_text(uuid) if uuid else None)


def _arrived(message: Message) -> Event:
    if message.kind == KEY_CHANGED:
        return ContactKeyChanged(message)
    if message.kind == RESTORED:  # nobody wrote it, so a bot must not answer it
        return StateChanged(message)
    return MessageSent(message) if message.mine else MessageReceived(message)
