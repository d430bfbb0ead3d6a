"""Giving up messages that wait, and trying them again, each as one job of the writer's transaction.

A message that may be on its way has a number, and numbers have no gaps. So when it is given up its number stays and is
sent empty (:class:`~telegraph.protocol.frames.Skip`): a *void*. The other end says whether it had stored the message
before; until that answer is on disk here the void stays, whatever else is acknowledged. Both ends may stop and start at
any point: a void is asked about again, and an answer that comes twice changes nothing.
"""

from collections.abc import Collection
from random import Random

from telegraph.node import event_log, history, streams
from telegraph.node.counters import counters, set_counters
from telegraph.node.ids import next_id
from telegraph.node.order import place
from telegraph.node.states import Happening, after
from telegraph.protocol.frames import MessageFrame, Refuse, Skip, Skipped
from telegraph.protocol.node_api import FailureReason
from telegraph.storage.engine import sqlite3

Numbered = MessageFrame | Skip
"""What carries a number of a stream."""


# --- ours ---


def cancel(connection: sqlite3.Connection, message: int) -> bool:
    """The user gives a message up. False if that changes nothing: it is delivered, or was given up before."""
    return _settle(connection, message, "cancelled")


def fail(connection: sqlite3.Connection, message: int, reason: FailureReason) -> bool:
    """A message can never be delivered, or not in time. False if that changes nothing."""
    return _settle(connection, message, reason)


def refused(connection: sqlite3.Connection, contact: int, seq: int) -> bool:
    """The contact refused a number of ours for good. False if no message waits under it."""
    row = connection.execute("SELECT message FROM outbox WHERE contact = ? AND seq = ?", (contact, seq)).fetchone()
    return row is not None and fail(connection, row[0], "refused")


def fail_all(connection: sqlite3.Connection, contact: int, reason: FailureReason) -> int:
    """Nothing that waits for a contact can ever be delivered: how many messages failed."""
    rows = connection.execute("SELECT message FROM outbox WHERE contact = ? ORDER BY seq", (contact,)).fetchall()
    if reason == "account_deleted":
        connection.execute("UPDATE contacts SET gone = 1, read_told = in_read WHERE id = ?", (contact,))
    again = connection.execute("SELECT message FROM voids WHERE contact = ? AND again", (contact,)).fetchall()
    return sum(fail(connection, row, reason) for (row,) in rows + again)


def fail_if_gone(connection: sqlite3.Connection, contact: int) -> int:
    """What was written since to somebody whose account was deleted fails as well: how many messages did."""
    (gone,) = connection.execute("SELECT gone FROM contacts WHERE id = ?", (contact,)).fetchone()
    return fail_all(connection, contact, "account_deleted") if gone else 0


def _settle(connection: sqlite3.Connection, message: int, happening: Happening) -> bool:
    before = history.state(connection, message)
    then = after(before, happening)
    if then == before:
        return False
    contact, seq, uuid, key = connection.execute(
        "SELECT contact, seq, uuid, ord FROM messages WHERE id = ?", (message,)
    ).fetchone()
    waits = "SELECT 1 FROM outbox WHERE contact = ? AND seq = ? AND message = ?"
    if connection.execute(waits, (contact, seq, message)).fetchone() is not None:
        connection.execute(
            "INSERT INTO voids (contact, seq, uuid, ord, message) VALUES (?, ?, ?, ?, ?)",
            (contact, seq, uuid, key, message),
        )
    connection.execute("UPDATE voids SET again = 0 WHERE message = ?", (message,))
    _mark(connection, contact, message, then, reason=happening if then == "failed" else None)
    return True


def _mark(
    connection: sqlite3.Connection, contact: int, message: int, settled: str | None, reason: str | None = None
) -> None:
    connection.execute("UPDATE messages SET settled = ?, reason = ? WHERE id = ?", (settled, reason, message))
    event_log.log_state(connection, contact, message)


def retry(connection: sqlite3.Connection, message: int, now_us: int, rng: Random) -> bool:
    """The user wants a message sent after all. False if it is not given up.

    It goes out under a new number, as the newest of the conversation; if its void is not answered yet, only once it is
    known that they have not got it.
    """
    before = history.state(connection, message)
    if after(before, "retried") == before:
        return False
    (contact,) = connection.execute("SELECT contact FROM messages WHERE id = ?", (message,)).fetchone()
    connection.execute("DELETE FROM expiries WHERE message = ?", (message,))  # this time it waits as long as it takes
    if connection.execute("UPDATE voids SET again = 1 WHERE message = ?", (message,)).rowcount:
        _mark(connection, contact, message, "pending")
    else:
        _send_anew(connection, contact, message, now_us, rng)
    return True


def _send_anew(connection: sqlite3.Connection, contact: int, message: int, now_us: int, rng: Random) -> None:
    have = counters(connection, contact)
    keep_place(connection, message)
    (uuid,) = connection.execute("SELECT uuid FROM messages WHERE id = ?", (message,)).fetchone()
    seq, stamp = have.out_seq + 1, next_id(have.out_id, now_us // 1000, rng)
    spot = place(uuid, seq, have.in_seq, have.out_ord, have.in_ord, stamp=stamp)
    connection.execute(
        "UPDATE messages SET stream = ?, seq = ?, seen = ?, ord = ?, depth = ?, stamp = ? WHERE id = ?",
        (have.stream, seq, have.in_seq, spot.ord, spot.depth, stamp, message),
    )
    set_counters(connection, contact, out_seq=seq, out_id=stamp, out_ord=spot.ord)
    _mark(connection, contact, message, None)


def keep_place(connection: sqlite3.Connection, message: int) -> None:
    """Keeps the sort key of the number that a message of ours is about to lose, as long as it can be answered."""
    connection.execute(
        "INSERT OR IGNORE INTO former_places (contact, seq, ord) SELECT c.id, m.seq, m.ord FROM messages m"
        " JOIN contacts c ON c.id = m.contact"
        " WHERE m.id = ? AND m.mine = 1 AND m.stream = c.stream AND m.seq >= c.in_seen",
        (message,),
    )


def due(connection: sqlite3.Connection, contact: int, *, after: int, asked: Collection[int], limit: int) -> list[Skip]:
    """The voids of a contact to send, by number: all above ``after``, and those below it that were not ``asked``."""
    behind = connection.execute(
        "SELECT seq, uuid, ord FROM voids WHERE contact = ? AND seq <= ? ORDER BY seq LIMIT ?",
        (contact, after, len(asked) + limit),
    ).fetchall()
    ahead = connection.execute(
        "SELECT seq, uuid, ord FROM voids WHERE contact = ? AND seq > ? ORDER BY seq LIMIT ?", (contact, after, limit)
    ).fetchall()
    return [Skip(*row) for row in [row for row in behind if row[0] not in asked][:limit] + ahead]


def merged(messages: list[MessageFrame], skips: list[Skip], room: int) -> list[Numbered]:
    """Both by number, at most ``room``. ``messages`` are the next so many, so no void is taken from behind them."""
    if not skips:
        return list(messages)
    if len(messages) == room:
        skips = [skip for skip in skips if skip.seq < messages[-1].seq]
    both: list[Numbered] = [*messages, *skips]
    return sorted(both, key=lambda frame: frame.seq)[:room]


def any_due(connection: sqlite3.Connection, contact: int) -> bool:
    """Whether a contact must still be told, or asked, of a number given up; not one whose account was deleted."""
    query = "SELECT 1 FROM voids v JOIN contacts c ON c.id = v.contact WHERE v.contact = ? AND NOT c.gone LIMIT 1"
    return connection.execute(query, (contact,)).fetchone() is not None


def waits(connection: sqlite3.Connection, contact: int, seq: int) -> bool:
    """Whether a number of ours is still to be acknowledged, with its message or empty."""
    row = connection.execute(
        "SELECT 1 FROM outbox WHERE contact = :contact AND seq = :seq"
        " UNION ALL SELECT 1 FROM voids WHERE contact = :contact AND seq = :seq",
        {"contact": contact, "seq": seq},
    ).fetchone()
    return row is not None


def answered(connection: sqlite3.Connection, contact: int, answer: Skipped, now_us: int, rng: Random) -> bool:
    """The contact has said what became of an empty number: if they had the message, it is delivered after all.

    So is what waited below it, for numbers are taken in order. False if nobody waits for this answer.
    """
    rows = connection.execute(
        "DELETE FROM voids WHERE contact = ? AND seq = ? RETURNING message, again", (contact, answer.seq)
    ).fetchall()
    if not rows:
        return False
    message, again = rows[0]
    streams.stored_by_peer(connection, contact, answer.seq)
    if message is not None:
        if answer.had:
            _mark(connection, contact, message, None)  # from here on the numbers tell: delivered, or read already
        elif again:
            _send_anew(connection, contact, message, now_us, rng)
    return True


# --- theirs ---


def skip(connection: sqlite3.Connection, contact: int, frame: Skip) -> Skipped | Refuse:
    """A number of theirs comes empty. The answer to send once this is durable."""
    have = counters(connection, contact)
    if frame.seq > have.in_seq + 1:
        return streams.gap(frame.seq, have.in_seq + 1)
    if frame.seq <= have.in_seq:
        return Skipped(frame.seq, had=_had(connection, contact, have.stream, frame))
    connection.execute("INSERT INTO skipped (contact, seq) VALUES (?, ?)", (contact, frame.seq))
    set_counters(
        connection,
        contact,
        in_seq=frame.seq,
        in_ord=max(have.in_ord, frame.ord),
        in_holes=have.in_holes + 1,
        in_id=frame.id,
    )
    return Skipped(frame.seq, had=False)


def _had(connection: sqlite3.Connection, contact: int, stream: int, frame: Skip) -> bool:
    """Whether a number that lies behind us had its message when it came; that may be deleted by now."""
    row = connection.execute(
        "SELECT uuid FROM messages WHERE contact = ? AND mine = 0 AND stream = ? AND seq = ?",
        (contact, stream, frame.seq),
    ).fetchone()
    if row is not None:
        return bool(row[0] == frame.id)
    skipped = connection.execute("SELECT 1 FROM skipped WHERE contact = ? AND seq = ?", (contact, frame.seq))
    return skipped.fetchone() is None
