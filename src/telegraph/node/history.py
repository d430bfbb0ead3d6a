"""Reading conversations: messages in order, pages, unread ones, the overview."""

from collections.abc import Sequence
from typing import Any, Final

from telegraph.node.model import LOCAL_KINDS, Message, as_time, id_text
from telegraph.protocol.node_api import MessageState
from telegraph.storage.engine import sqlite3

_STATE: Final = """ifnull(m.settled,
       CASE WHEN m.mine = 1 THEN
            CASE WHEN m.seq <= c.out_read THEN 'read' WHEN m.seq <= c.out_stored THEN 'delivered' ELSE 'pending' END
            WHEN m.seq <= c.in_read THEN 'read' ELSE 'delivered' END)"""

_DEVICE: Final = """CASE WHEN m.mine = 1 THEN (SELECT value FROM settings WHERE name = 'device_public')
       WHEN m.stream = c.stream THEN c.device_key
       ELSE (SELECT key FROM past_devices p WHERE p.contact = m.contact AND p.stream = m.stream) END"""

SELECT_MESSAGE: Final = f"""
SELECT m.uuid, m.mine, c.username, m.text, m.sent_at, m.kind, m.reply_to, m.late, m.seq, m.reason, {_STATE},
       c.user_id, {_DEVICE},
       CASE WHEN c.blocked THEN 'blocked' WHEN c.offered_key IS NOT NULL THEN 'key_changed' END
FROM messages m JOIN contacts c ON c.id = m.contact"""

SELECT_MESSAGE_WITH_ROW: Final = SELECT_MESSAGE.replace("SELECT ", "SELECT m.id, ", 1)

_UNREAD: Final = """
SELECT m.id FROM contacts c JOIN messages m
    ON m.contact = c.id AND m.mine = 0 AND m.stream = c.stream AND m.seq > c.in_read
UNION ALL SELECT id FROM messages WHERE seq IS NULL AND settled = 'delivered'"""


def as_message(row: Sequence[Any], me: str) -> Message:
    """A message out of a row of :data:`SELECT_MESSAGE`; ``me`` is the own user name."""
    uuid, mine, other, text, sent_at, kind, reply_to, late, seq, reason, state, conversation, device, waits = row
    return Message(
        id=id_text(uuid),
        sender=me if mine else other,
        recipient=other if mine else me,
        text=text,
        state=state,
        sent_at=as_time(sent_at),
        mine=bool(mine),
        kind=kind,
        reply_to=id_text(reply_to) if reply_to else None,
        late=bool(late),
        reason=reason,
        conversation=conversation,
        device=None if kind in LOCAL_KINDS else device,
        waits=waits if state == "pending" else None,
        seq=seq,
    )


def message(connection: sqlite3.Connection, row_id: int, me: str) -> Message:
    """The message of a row that exists."""
    return as_message(connection.execute(f"{SELECT_MESSAGE} WHERE m.id = ?", (row_id,)).fetchone(), me)


def state(connection: sqlite3.Connection, row_id: int) -> MessageState:
    """The state of a message that exists."""
    query = f"SELECT {_STATE} FROM messages m JOIN contacts c ON c.id = m.contact WHERE m.id = ?"
    found: MessageState = connection.execute(query, (row_id,)).fetchone()[0]
    return found


def find(connection: sqlite3.Connection, contact: int, uuid: bytes) -> int | None:
    """The row of a message of this conversation, or None."""
    row = connection.execute("SELECT id FROM messages WHERE uuid = ? AND contact = ?", (uuid, contact)).fetchone()
    return int(row[0]) if row else None


def page(
    connection: sqlite3.Connection, contact: int, me: str, *, before: int | None, limit: int
) -> tuple[list[Message], bool]:
    """Up to ``limit`` messages before a row (None: the latest), oldest first, and whether there are older ones."""
    where, values = "m.contact = ?", [contact]
    if before is not None:
        where += " AND (m.ord, m.depth, m.uuid) < (SELECT ord, depth, uuid FROM messages WHERE id = ?)"
        values.append(before)
    rows = connection.execute(
        f"{SELECT_MESSAGE} WHERE {where} ORDER BY m.ord DESC, m.depth DESC, m.uuid DESC LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    return [as_message(row, me) for row in reversed(rows[:limit])], len(rows) > limit


def following(
    connection: sqlite3.Connection, contact: int, me: str, *, after: int | None, limit: int
) -> tuple[list[Message], bool]:
    """Up to ``limit`` messages after a row, oldest first, and whether there are newer ones."""
    rows = connection.execute(
        f"{SELECT_MESSAGE} WHERE m.contact = ?"
        " AND (m.ord, m.depth, m.uuid) > (SELECT ord, depth, uuid FROM messages WHERE id = ?)"
        " ORDER BY m.ord, m.depth, m.uuid LIMIT ?",
        (contact, after, limit + 1),
    ).fetchall()
    return [as_message(row, me) for row in rows[:limit]], len(rows) > limit


def unread(connection: sqlite3.Connection, me: str) -> list[Message]:
    """Every unread message of every conversation, in the order in which they arrived."""
    rows = connection.execute(f"{SELECT_MESSAGE} WHERE m.id IN ({_UNREAD}) ORDER BY m.id").fetchall()
    return [as_message(row, me) for row in rows]


def unread_count(connection: sqlite3.Connection, contact: int | None = None) -> int:
    """How many messages nobody has read here, of one conversation or of all."""
    one, values = ("= ?", (contact,)) if contact is not None else ("NOT NULL", ())
    numbered = f"SELECT ifnull(sum(in_seq - in_read - in_holes), 0) FROM contacts WHERE id {one}"
    outside = f"SELECT count(*) FROM messages WHERE contact {one} AND seq IS NULL AND settled = 'delivered'"
    return sum(int(connection.execute(query, values).fetchone()[0]) for query in (numbered, outside))


def pending_count(connection: sqlite3.Connection, contact: int | None = None) -> int:
    """How many messages are pending, for one contact or for all."""
    one, values = ("= ?", (contact,)) if contact is not None else ("NOT NULL", ())
    above = f"SELECT ifnull(sum(out_seq - out_stored), 0) FROM contacts WHERE id {one}"
    given_up = (
        "SELECT count(*) FILTER (WHERE v.again) - count(*) FILTER (WHERE v.seq > c.out_stored)"
        f" FROM voids v JOIN contacts c ON c.id = v.contact WHERE v.contact {one}"
    )
    return sum(int(connection.execute(query, values).fetchone()[0]) for query in (above, given_up))


def latest(connection: sqlite3.Connection, contact: int, me: str) -> Message | None:
    """The last message of a conversation, or None."""
    messages, _ = page(connection, contact, me, before=None, limit=1)
    return messages[0] if messages else None


def conversations(connection: sqlite3.Connection) -> list[int]:
    """Ids of the contacts with at least one message, the latest conversation first.

    A conversation is as late as its last message was stored here: the senders' clocks and ids have no say.
    """
    last = "SELECT id FROM messages m WHERE m.contact = c.id ORDER BY m.ord DESC, m.depth DESC, m.uuid DESC LIMIT 1"
    rows = connection.execute(
        f"SELECT id FROM (SELECT c.id AS id, ({last}) AS last FROM contacts c)"
        " WHERE last IS NOT NULL ORDER BY last DESC"
    )
    return [int(row[0]) for row in rows]
