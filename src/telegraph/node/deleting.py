"""Removing messages from this node, history and search index, each as one job of the writer's transaction.

Only what this node's user sees is removed; the other end keeps its copy. The numbers of both streams stay, so nothing
is ever stored or sent a second time: what waits is given up first (:mod:`telegraph.node.voids`), the sort keys that
answers may still refer to are kept, ids without a number are remembered, and no row is given out again.
"""

import json
from collections.abc import Sequence
from typing import Final

from telegraph.node import event_log
from telegraph.storage.engine import sqlite3

BATCH: Final = 500
"""Messages removed in one transaction."""

_GIVE_UP: Final = """
INSERT INTO voids (contact, seq, uuid, ord) SELECT o.contact, o.seq, m.uuid, m.ord FROM json_each(:rows) j
JOIN messages m ON m.id = j.value JOIN outbox o ON o.contact = m.contact AND o.seq = m.seq AND o.message = m.id"""

_KEEP_PLACES: Final = """
INSERT OR IGNORE INTO former_places (contact, seq, ord) SELECT c.id, m.seq, m.ord FROM json_each(:rows) j
JOIN messages m ON m.id = j.value JOIN contacts c ON c.id = m.contact
WHERE m.mine = 1 AND m.stream = c.stream AND m.seq >= c.in_seen"""

_COUNT_HOLES: Final = """
UPDATE contacts SET in_holes = in_holes + (SELECT count(*) FROM json_each(:rows) j JOIN messages m ON m.id = j.value
    WHERE m.mine = 0 AND m.stream = contacts.stream AND m.seq > contacts.in_read)
WHERE id = :contact"""

_REMEMBER: Final = """
INSERT OR IGNORE INTO forgotten (uuid) SELECT m.uuid FROM json_each(:rows) j JOIN messages m ON m.id = j.value
WHERE m.mine = 0 AND m.seq IS NULL"""

_UNINDEX: Final = """
INSERT INTO found (found, rowid, text, conversation)
SELECT 'delete', s.id, s.text, s.conversation FROM json_each(:rows) j JOIN searchable s ON s.id = j.value
WHERE s.id <= (SELECT upto FROM search_position)"""

_REMOVE: Final = (
    _GIVE_UP,
    "UPDATE voids SET message = NULL, again = 0 WHERE message IN (SELECT value FROM json_each(:rows))",
    _KEEP_PLACES,
    _COUNT_HOLES,
    _REMEMBER,
    _UNINDEX,
    "DELETE FROM expiries WHERE message IN (SELECT value FROM json_each(:rows))",
    "UPDATE last_row SET id = max(id, (SELECT ifnull(max(id), 0) FROM messages))",
    "DELETE FROM messages WHERE id IN (SELECT value FROM json_each(:rows))",
)


def delete_message(connection: sqlite3.Connection, contact: int, row: int) -> None:
    """Removes one message; if it still waits it is given up."""
    (uuid,) = connection.execute("SELECT uuid FROM messages WHERE id = ?", (row,)).fetchone()
    _remove(connection, contact, [row])
    event_log.log_deleted(connection, contact, uuid)


def begin_conversation(connection: sqlite3.Connection, contact: int) -> int:
    """Gives up all that waits in a conversation: the row up to which its messages are to be removed."""
    connection.execute(
        "INSERT INTO voids (contact, seq, uuid, ord) SELECT o.contact, o.seq, m.uuid, m.ord FROM outbox o"
        " JOIN messages m ON m.id = o.message WHERE o.contact = ?",
        (contact,),
    )
    connection.execute(
        "UPDATE messages SET settled = 'cancelled' WHERE id IN (SELECT message FROM outbox WHERE contact = ?)",
        (contact,),
    )
    (top,) = connection.execute("SELECT ifnull(max(id), 0) FROM messages").fetchone()
    return int(top)


def delete_some(connection: sqlite3.Connection, contact: int, top: int) -> int:
    """Removes the next messages of a conversation up to a row: how many. 0: all are gone, which followers are told."""
    rows = connection.execute(
        "SELECT id FROM messages INDEXED BY messages_in_order WHERE contact = ? AND id <= ? LIMIT ?",
        (contact, top, BATCH),
    ).fetchall()
    if rows:
        _remove(connection, contact, [row for (row,) in rows])
    else:
        event_log.log_deleted(connection, contact, None)
    return len(rows)


def _remove(connection: sqlite3.Connection, contact: int, rows: Sequence[int]) -> None:
    values = {"rows": json.dumps(rows), "contact": contact}
    for statement in _REMOVE:
        connection.execute(statement, values)
