"""Both streams of a conversation begin anew, and what waits gets new numbers: in the writer's transaction."""

from telegraph.node.counters import counters, set_counters
from telegraph.storage.engine import sqlite3


def waiting_for(connection: sqlite3.Connection, contact: int) -> list[int]:
    """The rows of the messages that wait for a contact, in the order in which they are to be sent."""
    rows = connection.execute(
        "SELECT message FROM (SELECT seq, message FROM outbox WHERE contact = :contact"
        " UNION ALL SELECT seq, message FROM voids WHERE contact = :contact AND again) ORDER BY seq",
        {"contact": contact},
    )
    return [int(row[0]) for row in rows]


def begin_anew(connection: sqlite3.Connection, contact: int, queued: list[int]) -> None:
    """Both streams begin at 1, and these messages of ours wait under new numbers, pending or as they are settled."""
    have = counters(connection, contact)
    connection.execute(
        "INSERT INTO past_devices SELECT id, stream, device_key FROM contacts WHERE id = ? AND device_key IS NOT NULL",
        (contact,),
    )
    for table in ("voids", "skipped", "former_places"):  # nobody can answer for the old numbers any more
        connection.execute(f"DELETE FROM {table} WHERE contact = ?", (contact,))
    connection.executemany(
        "UPDATE messages SET stream = ?, seq = ?, seen = 0,"
        " settled = iif(settled IN ('delivered', 'read'), settled, NULL) WHERE id = ?",
        [(have.stream + 1, number, row) for number, row in enumerate(queued, start=1)],
    )
    connection.execute(
        "UPDATE messages SET settled = CASE WHEN seq <= iif(mine, ?, ?) THEN 'read' ELSE 'delivered' END"
        " WHERE contact = ? AND stream = ? AND seq IS NOT NULL AND settled IS NULL",
        (have.out_read, have.in_read, contact, have.stream),
    )
    connection.execute(  # still to be read, though no receipt of it can be sent any more
        "UPDATE messages SET seq = NULL WHERE contact = ? AND stream = ? AND mine = 0 AND seq > ?",
        (contact, have.stream, have.in_read),
    )
    set_counters(
        connection,
        contact,
        stream=have.stream + 1,
        out_seq=len(queued),
        out_read=0,
        out_stored=0,
        in_seq=0,
        in_seen=0,
        in_read=0,
        in_holes=0,
        read_told=0,
    )
