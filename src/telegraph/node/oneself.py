"""Messages to oneself: a conversation that never leaves this machine. Each is read as soon as it is kept."""

from random import Random

from telegraph.node import event_log
from telegraph.node.counters import counters, set_counters
from telegraph.node.ids import next_id
from telegraph.node.streams import Draft, next_row
from telegraph.storage.engine import sqlite3


def keep(connection: sqlite3.Connection, draft: Draft, rng: Random) -> int:
    """Keeps a message, in the writer's transaction: its row. It has no number, for nobody acknowledges it."""
    have, row = counters(connection, draft.contact), next_row(connection)
    uuid = next_id(have.out_id, draft.now_us // 1000, rng)
    connection.execute(
        "INSERT INTO messages"
        " (id, uuid, contact, mine, stream, seen, ord, depth, kind, text, sent_at, reply_to, settled)"
        " VALUES (?, ?, ?, 1, ?, 0, ?, 0, ?, ?, ?, ?, 'read')",
        (row, uuid, draft.contact, have.stream, uuid, draft.kind, draft.text, draft.now_us, draft.reply_to),
    )
    set_counters(connection, draft.contact, out_id=uuid, out_ord=uuid)
    event_log.log_message(connection, draft.contact, row)
    return row
