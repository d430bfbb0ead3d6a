"""Two ends whose numbers do not fit begin anew (docs/decisions/0007), each as one job of the writer's transaction.

Nothing that waits is dropped: it waits under new numbers. What the other end once had and has lost is sent once more. A
message that comes twice that way is known by its id, and its number stays empty.
"""

from typing import Final

import msgspec

from telegraph.node import notices, streams
from telegraph.node.counters import Counters, counters, set_counters
from telegraph.node.divergence import Claim, Ours, fits
from telegraph.node.model import RESTORED
from telegraph.node.renumbering import begin_anew, waiting_for
from telegraph.storage.engine import sqlite3

AGAIN_AT_MOST: Final = 100_000
"""Messages that are sent once more to somebody who lost them: the latest."""

BLINDLY_AT_MOST: Final = 1_000
"""The same where it cannot be told what they lost; what they have they know by its id."""


class Settled(msgspec.Struct, frozen=True):
    """What became of a greeting: whether the numbers fit, whether anything is newly delivered, in which stream."""

    fits: bool
    news: bool
    stream: int


def settle(connection: sqlite3.Connection, contact: int, claim: Claim, delivered: int) -> Settled:
    """Judges a greeting; if it fits, what it says to have is delivered.

    ``delivered`` is :func:`delivered` of before it was made: what was acknowledged meanwhile it cannot know.
    """
    have = counters(connection, contact)
    there = _id_at(connection, contact, have.stream, claim.received)
    if not fits(claim, Ours(have.epoch, have.out_seq, delivered, there)):
        return Settled(fits=False, news=False, stream=have.stream)
    news = streams.stored_by_peer(connection, contact, claim.received)
    return Settled(fits=True, news=news, stream=have.stream)


def claim_of(connection: sqlite3.Connection, contact: int) -> Claim:
    """What this end says to have of a contact's stream."""
    have = counters(connection, contact)
    return Claim(have.epoch, have.in_seq, have.in_id or None, max(have.in_ord, have.out_ord))


def is_fresh(connection: sqlite3.Connection, contact: int) -> bool:
    """Whether nothing has come over, in either direction, since the numbers began."""
    return counters(connection, contact).in_seq == 0 == delivered(connection, contact)


def renew(connection: sqlite3.Connection, contact: int, epoch: int, claim: Claim, now_us: int) -> bool:
    """Begins both streams anew in an epoch, knowing what the other end claimed to have. False if that is done."""
    have = counters(connection, contact)
    behind = max(have.in_ord, have.out_ord, claim.top)
    if have.epoch >= epoch:
        if have.epoch == epoch and is_fresh(connection, contact):
            set_counters(connection, contact, in_ord=behind, out_ord=behind)
        return False
    queue = _queue(connection, contact, have, claim)
    begin_anew(connection, contact, queue)
    set_counters(connection, contact, epoch=epoch, in_ord=behind, out_ord=behind)
    if not notices.is_last(connection, contact, RESTORED):
        notices.note(connection, contact, RESTORED, now_us)
    return True


def delivered(connection: sqlite3.Connection, contact: int) -> int:
    """The number up to which a contact has said to have all of ours."""
    given_up = connection.execute("SELECT min(seq) FROM voids WHERE contact = ?", (contact,)).fetchone()[0]
    waiting = streams.first_waiting(connection, contact)
    first = [number for number in (given_up, waiting) if number is not None]
    return min(first) - 1 if first else streams.sent(connection, contact)


def _id_at(connection: sqlite3.Connection, contact: int, stream: int, number: int) -> bytes | None:
    row = connection.execute(
        "SELECT uuid FROM messages WHERE contact = :contact AND mine = 1 AND stream = :stream AND seq = :seq"
        " UNION ALL SELECT uuid FROM voids WHERE contact = :contact AND seq = :seq",
        {"contact": contact, "stream": stream, "seq": number},
    ).fetchone()
    return None if row is None else bytes(row[0])


def _queue(connection: sqlite3.Connection, contact: int, have: Counters, claim: Claim) -> list[int]:
    """What is to be sent in the new epoch, in the order in which it was written: what waits, and what they lost."""
    last = _position(connection, contact, claim)
    if last is not None and last[0] == have.stream:
        streams.stored_by_peer(connection, contact, last[1])
    waiting = set(waiting_for(connection, contact))
    behind, most = ((0, 0), BLINDLY_AT_MOST) if last is None else (last, AGAIN_AT_MOST)
    lost = set(_after(connection, contact, behind, most)) - waiting
    _settle(connection, lost, have)
    places = {
        row: connection.execute("SELECT stream, seq FROM messages WHERE id = ?", (row,)).fetchone()
        for row in waiting | lost
    }
    return sorted(places, key=lambda row: tuple(places[row]))


def _position(connection: sqlite3.Connection, contact: int, claim: Claim) -> tuple[int, int] | None:
    """Stream and number of the last message of ours that they have; None if that cannot be told."""
    if claim.received_id is None:
        return (0, 0) if claim.received == 0 else None
    row = connection.execute(
        "SELECT stream, seq FROM messages WHERE uuid = ? AND contact = ? AND mine = 1 AND seq = ?",
        (claim.received_id, contact, claim.received),  # one that was sent again has another number by now
    ).fetchone()
    return None if row is None else (int(row[0]), int(row[1]))


def _after(connection: sqlite3.Connection, contact: int, last: tuple[int, int], most: int) -> list[int]:
    """Rows of ours behind a position that were delivered to the contact's present device."""
    rows = connection.execute(
        "SELECT id FROM messages WHERE contact = :contact AND mine = 1 AND seq IS NOT NULL"
        " AND (stream, seq) > (:stream, :seq) AND ifnull(settled, 'delivered') IN ('delivered', 'read')"
        " AND stream > (SELECT ifnull(max(p.stream), 0) FROM past_devices p JOIN contacts c ON c.id = p.contact"
        "               WHERE p.contact = :contact AND p.key != c.device_key)"
        " ORDER BY stream DESC, seq DESC LIMIT :most",
        {"contact": contact, "stream": last[0], "seq": last[1], "most": most},
    )
    return [int(row[0]) for row in rows]


def _settle(connection: sqlite3.Connection, rows: set[int], have: Counters) -> None:
    """Keeps what the user saw of messages that are sent once more: a state never goes back."""
    connection.executemany(
        "UPDATE messages SET settled = iif(stream = ? AND seq <= ?, 'read', 'delivered')"
        " WHERE id = ? AND settled IS NULL",
        [(have.stream, have.out_read, row) for row in rows],
    )
