"""What happens to the two streams of a conversation, each as one job of the writer's transaction.

Every function takes the writer's connection; its changes are durable when the job returns to its caller. The events of
the same happening are logged in the same transaction.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Final

import msgspec

from telegraph.errors import ForgedFrame
from telegraph.node import event_log, receipts
from telegraph.node.counters import Counters, counters, set_counters
from telegraph.node.ids import earliest_id, next_id
from telegraph.node.order import Place, Verdict, given_spot, judge, place
from telegraph.node.renumbering import begin_anew, waiting_for
from telegraph.protocol.frames import MessageFrame, Refuse, Spot
from telegraph.storage.engine import sqlite3
from telegraph.storage.rows import insert_rows


class Taken(msgspec.Struct, frozen=True):
    """What became of arriving messages: the highest number stored now, and why the rest was not, if so."""

    received: int
    stored: int
    refusal: Refuse | None = None


def _insert(connection: sqlite3.Connection, **values: object) -> int:
    row = next_row(connection)
    columns, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO messages (id, {columns}) VALUES (?, {marks})", (row, *values.values()))
    return row


def next_row(connection: sqlite3.Connection) -> int:
    """The number of the next row of messages, which no message ever had."""
    query = "SELECT max((SELECT ifnull(max(id), 0) FROM messages), (SELECT id FROM last_row)) + 1"
    return int(connection.execute(query).fetchone()[0])


_COLUMNS: Final = (
    "messages (id, uuid, contact, mine, stream, seq, seen, ord, depth, kind, text, sent_at, reply_to, late)"
)


def _insert_messages(connection: sqlite3.Connection, contact: int, rows: list[tuple[object, ...]]) -> int:
    """Stores messages, given without their row numbers, as neighbours: the number of the first. Followers are told."""
    first = next_row(connection)
    insert_rows(connection, _COLUMNS, [(number, *row) for number, row in enumerate(rows, start=first)])
    event_log.log_messages(connection, contact, first, first + len(rows) - 1)
    return first


# --- ours ---

BYTES_AT_ONCE: Final = 512 * 1024
"""Bytes of text that go into one message of a link, at most; a longer text goes alone."""


class Draft(msgspec.Struct, frozen=True, gc=False):
    """What the user wants to send to a contact, and when they said so (microseconds since 1970)."""

    contact: int
    text: str
    now_us: int
    kind: str = "text"
    reply_to: bytes | None = None


class Appended(msgspec.Struct, frozen=True, gc=False):
    """A new message of ours: its row, its number in the stream, and what it needs to go on the wire."""

    row: int
    uuid: bytes
    seq: int
    seen: int
    spot: Spot | None = None


def as_frame(draft: Draft, stored: Appended, sender: str, recipient: str) -> MessageFrame:
    """A message of ours as it goes on the wire; sender and recipient are user ids."""
    return MessageFrame(
        id=stored.uuid,
        seq=stored.seq,
        seen=stored.seen,
        sender=sender,
        recipient=recipient,
        sent_at=draft.now_us,
        text=draft.text,
        kind=draft.kind,
        reply_to=draft.reply_to,
        spot=stored.spot,
    )


def _spot(stream: int, seen: int, key: bytes, depth: int) -> Spot | None:
    """The place of a message of ours as it goes on the wire, where its numbers do not tell it: they began anew."""
    return Spot(key, depth) if stream > 1 and seen == 0 else None


def append(
    connection: sqlite3.Connection,
    contact: int,
    text: str,
    now_us: int,
    rng: Random,
    *,
    kind: str = "text",
    reply_to: bytes | None = None,
) -> int:
    """A new message of ours, which waits: the row of the message."""
    (appended,) = append_all(connection, [Draft(contact, text, now_us, kind, reply_to)], rng)
    return appended.row


def append_all(connection: sqlite3.Connection, drafts: Sequence[Draft], rng: Random) -> list[Appended]:
    """New messages of ours in the order in which they were written; they wait."""
    by_contact: dict[int, list[int]] = {}
    for index, draft in enumerate(drafts):
        by_contact.setdefault(draft.contact, []).append(index)
    appended: dict[int, Appended] = {}
    for contact, indices in by_contact.items():
        made = _append_to(connection, contact, [drafts[index] for index in indices], rng)
        appended.update(zip(indices, made, strict=True))
    return [appended[index] for index in range(len(drafts))]


def _append_to(connection: sqlite3.Connection, contact: int, drafts: list[Draft], rng: Random) -> list[Appended]:
    have = counters(connection, contact)
    stream, seq, seen, uuid, own_ord, their_ord = (
        have.stream,
        have.out_seq,
        have.in_seq,
        have.out_id,
        have.out_ord,
        have.in_ord,
    )
    rows: list[tuple[Any, ...]] = []
    for draft in drafts:
        seq, uuid = seq + 1, next_id(uuid, draft.now_us // 1000, rng)
        spot = place(uuid, seq, seen, own_ord, their_ord)
        own_ord = spot.ord
        numbered = (uuid, contact, 1, stream, seq, seen, own_ord, spot.depth)
        rows.append((*numbered, draft.kind, draft.text, draft.now_us, draft.reply_to, 0))
    first = _insert_messages(connection, contact, rows)
    set_counters(connection, contact, out_seq=seq, out_id=uuid, out_ord=own_ord)
    return [
        Appended(number, row[0], row[4], seen, _spot(stream, seen, row[6], row[7]))
        for number, row in enumerate(rows, start=first)
    ]


def pending(
    connection: sqlite3.Connection, contact: int, sender: str, recipient: str, *, after: int, limit: int
) -> list[MessageFrame]:
    """The next messages that wait for a contact, with numbers above ``after``, as they go on the wire.

    At most ``limit``, and after the first only as many as fit into :data:`BYTES_AT_ONCE`.
    """
    rows = connection.execute(
        "SELECT m.uuid, m.seq, m.seen, m.sent_at, m.text, m.kind, m.reply_to, m.stamp, m.stream, m.ord, m.depth"
        " FROM outbox o"
        " JOIN messages m ON m.id = o.message WHERE o.contact = ? AND o.seq > ? ORDER BY o.seq LIMIT ?",
        (contact, after, limit),
    )
    frames: list[MessageFrame] = []
    size = 0
    for uuid, seq, seen, sent_at, text, kind, reply_to, stamp, stream, key, depth in rows:
        size += wire_bytes(text)
        if frames and size > BYTES_AT_ONCE:
            break
        frame = MessageFrame(
            id=uuid,
            seq=seq,
            seen=seen,
            sender=sender,
            recipient=recipient,
            sent_at=sent_at,
            text=text,
            kind=kind,
            reply_to=reply_to,
            stamp=stamp,
            spot=_spot(stream, seen, key, depth),
        )
        frames.append(frame)
    return frames


def wire_bytes(text: str) -> int:
    """No fewer bytes than a text has on the wire."""
    return 4 * len(text)


def first_waiting(connection: sqlite3.Connection, contact: int) -> int | None:
    """The lowest number that waits for a contact, None if nothing does."""
    row = connection.execute("SELECT seq FROM outbox WHERE contact = ? ORDER BY seq LIMIT 1", (contact,)).fetchone()
    return None if row is None else int(row[0])


def sent(connection: sqlite3.Connection, contact: int) -> int:
    """The highest number that a message of ours to a contact ever had."""
    return int(connection.execute("SELECT out_seq FROM contacts WHERE id = ?", (contact,)).fetchone()[0])


def stored_by_peer(connection: sqlite3.Connection, contact: int, upto: int) -> bool:
    """The contact has our messages up to a number on disk. False if that changes nothing or was never sent."""
    have = counters(connection, contact)
    if not have.out_stored < upto <= have.out_seq:
        return False
    first = first_waiting(connection, contact)
    set_counters(connection, contact, out_stored=upto)
    if first is None or first > upto:  # all of them were given up
        return False
    event_log.log_states(connection, contact, have.stream, first, upto, mine=True)
    return True


def read_by_peer(connection: sqlite3.Connection, contact: int, upto: int | None) -> int:
    """The contact has read our messages up to a number (None: all that were delivered): how many are newly read."""
    have = counters(connection, contact)
    first = first_waiting(connection, contact)
    delivered = have.out_seq if first is None else first - 1
    if upto is None:
        upto = _before_voids(connection, contact, delivered)
    if upto <= have.out_read or upto > have.out_seq:
        return 0
    # a receipt may overtake the acknowledgement, and says as much
    set_counters(connection, contact, out_read=upto, out_stored=max(have.out_stored, upto))
    connection.execute(  # those that were sent once more after the contact's store was put back (node/epochs.py)
        "UPDATE messages SET settled = NULL WHERE contact = ? AND mine = 1 AND stream = ? AND seq BETWEEN ? AND ?"
        " AND settled = 'delivered'",
        (contact, have.stream, have.out_read + 1, upto),
    )
    event_log.log_states(connection, contact, have.stream, have.out_read + 1, upto, mine=True)
    given_up = connection.execute(
        "SELECT count(*) FROM messages WHERE contact = ? AND mine = 1 AND stream = ? AND seq BETWEEN ? AND ?"
        " AND settled IS NOT NULL",
        (contact, have.stream, have.out_read + 1, upto),
    ).fetchone()[0]
    return upto - have.out_read - int(given_up)


def _before_voids(connection: sqlite3.Connection, contact: int, upto: int) -> int:
    """A number, or the last before the first that is given up and not answered: nobody knows if they have that one."""
    (first,) = connection.execute("SELECT min(seq) FROM voids WHERE contact = ?", (contact,)).fetchone()
    return upto if first is None else min(upto, first - 1)


# --- theirs ---


def receive(connection: sqlite3.Connection, contact: int, frames: Sequence[MessageFrame]) -> Taken:
    """Arriving messages of one contact, in order; stops at the first that is refused."""
    connection.execute("SAVEPOINT messages")
    try:
        taken = _receive(connection, contact, frames, check_ids=False)
    except sqlite3.IntegrityError:  # an id was used before: find out which, and store what comes before it
        connection.execute("ROLLBACK TO messages")
        taken = _receive(connection, contact, frames, check_ids=True)
    connection.execute("RELEASE messages")
    return taken


def _receive(connection: sqlite3.Connection, contact: int, frames: Sequence[MessageFrame], *, check_ids: bool) -> Taken:
    have = counters(connection, contact)
    places = _Places(connection, contact, have.stream)
    rows: list[tuple[object, ...]] = []
    ids: set[bytes] = set()
    before = have.in_seq
    refusal: Refuse | None = None
    for frame in frames:
        seq, seen = frame.seq, frame.seen
        verdict = judge(seq=seq, seen=seen, received=have.in_seq, last_seen=have.in_seen, sent=have.out_seq)
        if verdict == "repeat":
            continue
        refusal = _objection(verdict, frame, have.in_seq + 1)
        spot = None if refusal is not None else _place_of(frame, have, places)
        if spot is None:
            refusal = refusal or _refuse(frame, "forged_frame", "it cannot be there", have.in_seq + 1)
            break
        if check_ids and (frame.id in ids or _id_used(connection, frame.id)):
            if frame.id not in ids and _came_before(connection, contact, frame, have):
                continue
            refusal = _refuse(frame, "id_taken", "its id is another's", have.in_seq + 1)
            break
        ids.add(frame.id)
        have.in_seq, have.in_seen, have.in_id, have.in_ord = seq, seen, frame.id, max(have.in_ord, spot.ord)
        numbered = (frame.id, contact, 0, have.stream, seq, seen, spot.ord, spot.depth)
        late = spot.ord < have.read_ord
        rows.append((*numbered, frame.kind, frame.text, frame.sent_at, frame.reply_to, late))
    if rows:
        _insert_messages(connection, contact, rows)
    if have.in_seq > before:
        set_counters(
            connection,
            contact,
            in_seq=have.in_seq,
            in_seen=have.in_seen,
            in_id=have.in_id,
            in_ord=have.in_ord,
            in_read=have.in_read,
            in_holes=have.in_holes,
            read_told=have.read_told,
        )
    return Taken(have.in_seq, len(rows), refusal)


class _Places:
    """Sort keys of our messages by number; mostly the same one is asked for again and again."""

    def __init__(self, connection: sqlite3.Connection, contact: int, stream: int) -> None:
        self._connection, self._contact, self._stream = connection, contact, stream
        self._seq, self._ord = 0, b""

    def of(self, seq: int) -> bytes:
        """The sort key of the message of ours that has, or had, this number; empty if there is none."""
        if seq != self._seq:
            self._seq, self._ord = seq, _ord_of_ours(self._connection, self._contact, self._stream, seq)
        return self._ord


def _place_of(frame: MessageFrame, have: Counters, places: _Places) -> Place | None:
    """Where an arriving message belongs; None if it cannot be where it says."""
    if frame.spot is not None:
        return given_spot(frame.id, frame.spot.ord, frame.spot.depth, stamp=frame.stamp)
    return place(frame.id, frame.seq, frame.seen, have.in_ord, places.of(frame.seen), stamp=frame.stamp)


def _came_before(connection: sqlite3.Connection, contact: int, frame: MessageFrame, have: Counters) -> bool:
    """A message that came in an earlier epoch and comes again under a new number, which stays empty."""
    known = connection.execute(
        "SELECT text, settled FROM messages WHERE uuid = ? AND contact = ? AND mine = 0 AND stream < ?",
        (frame.id, contact, have.stream),
    ).fetchone()
    if known is None or known[0] != frame.text:
        return False
    if known[1] == "read" and have.in_read == have.in_seq:
        have.in_read = frame.seq
        have.read_told = have.read_told if receipts.wanted(connection) else frame.seq
    else:
        have.in_holes += 1
    have.in_seq, have.in_seen, have.in_id = frame.seq, frame.seen, frame.id
    return True


def _objection(verdict: Verdict, frame: MessageFrame, expected: int) -> Refuse | None:
    if verdict == "gap":
        return gap(frame.seq, expected)
    if verdict == "forged":
        return _refuse(frame, "forged_frame", "its numbers do not fit", expected)
    if not frame.text and frame.kind == "text":
        return _refuse(frame, "illegal_text", "it is empty", expected)
    return None


def gap(seq: int, expected: int) -> Refuse:
    """The answer to a number that comes before its turn."""
    return Refuse(seq=seq, error="sequence_gap", message="messages are missing", expected=expected)


def _refuse(frame: MessageFrame, error: str, message: str, expected: int) -> Refuse:
    return Refuse(seq=frame.seq, error=error, message=message, expected=expected)


def _id_used(connection: sqlite3.Connection, uuid: bytes) -> bool:
    return connection.execute("SELECT 1 FROM messages WHERE uuid = ?", (uuid,)).fetchone() is not None


def _ord_of_ours(connection: sqlite3.Connection, contact: int, stream: int, seq: int) -> bytes:
    """The sort key of the message of ours that has, or had, this number; empty if there is none."""
    row = connection.execute(
        "SELECT ord FROM messages WHERE contact = ? AND mine = 1 AND stream = ? AND seq = ?", (contact, stream, seq)
    ).fetchone()
    if row is None:
        row = connection.execute(
            "SELECT ord FROM former_places WHERE contact = ? AND seq = ?", (contact, seq)
        ).fetchone()
    return bytes(row[0]) if row else b""


def receive_outside(
    connection: sqlite3.Connection, contact: int, uuid: bytes, text: str, *, sent_us: int, now_us: int
) -> bool:
    """A message that came by the report's REST call, without a number; False if its id was stored before.

    It is shown after everything that was there when it came: its place comes from this end's clock and the streams, not
    from an id that its sender chose. ``sent_us`` is for show.

    Raises:
        ForgedFrame: the id is that of another message.
    """
    known = connection.execute("SELECT contact, mine, text FROM messages WHERE uuid = ?", (uuid,)).fetchone()
    if known is not None:
        if known != (contact, 0, text):
            raise ForgedFrame(detail="its id is that of another message")
        return False
    if connection.execute("SELECT 1 FROM forgotten WHERE uuid = ?", (uuid,)).fetchone() is not None:
        return False  # the user has deleted it
    have = counters(connection, contact)
    row = _insert(
        connection,
        uuid=uuid,
        contact=contact,
        mine=0,
        stream=have.stream,
        seq=None,
        seen=0,
        ord=max(earliest_id(now_us // 1000), have.in_ord, have.out_ord),
        depth=have.in_seq + have.out_seq + 1,
        kind="text",
        text=text,
        sent_at=sent_us,
        settled="delivered",
    )
    event_log.log_message(connection, contact, row)
    return True


def read_here(connection: sqlite3.Connection, contact: int) -> int:
    """The user has read everything that is stored of a contact: how many messages are newly read.

    The contact is told, unless read receipts are off.
    """
    have = counters(connection, contact)
    marked = have.in_seq - have.in_read - have.in_holes
    if marked:
        event_log.log_states(connection, contact, have.stream, have.in_read + 1, have.in_seq, mine=False)
    marked += _read_outside(connection, contact)
    top = connection.execute("SELECT max(ord) FROM messages WHERE contact = ?", (contact,)).fetchone()[0]
    told = have.read_told if receipts.wanted(connection) else have.in_seq
    set_counters(connection, contact, in_read=have.in_seq, in_holes=0, read_told=told, read_ord=top or b"")
    return marked


def _read_outside(connection: sqlite3.Connection, contact: int) -> int:
    rows = connection.execute(
        "UPDATE messages SET settled = 'read' WHERE contact = ? AND seq IS NULL AND settled = 'delivered' RETURNING id",
        (contact,),
    ).fetchall()
    for (row,) in rows:
        event_log.log_state(connection, contact, row)
    return len(rows)


def receipt_told(connection: sqlite3.Connection, contact: int, upto: int) -> None:
    """The contact has our read receipt up to a number on disk."""
    connection.execute(
        "UPDATE contacts SET read_told = ? WHERE id = ? AND read_told < ? AND in_read >= ?", (upto, contact, upto, upto)
    )


def receipt_due(connection: sqlite3.Connection, contact: int) -> int:
    """The number up to which the contact must still be told that we have read; 0 if they know."""
    row = connection.execute("SELECT in_read, read_told FROM contacts WHERE id = ?", (contact,)).fetchone()
    return int(row[0]) if row[0] > row[1] else 0


def received(connection: sqlite3.Connection, contact: int) -> int:
    """The highest number stored of a contact's stream."""
    return int(connection.execute("SELECT in_seq FROM contacts WHERE id = ?", (contact,)).fetchone()[0])


def waiting(connection: sqlite3.Connection) -> list[int]:
    """Contacts for whom messages, numbers given up or read receipts wait."""
    rows = connection.execute(
        "SELECT id FROM contacts c WHERE in_read > read_told"
        " OR EXISTS (SELECT 1 FROM outbox o WHERE o.contact = c.id)"
        " OR EXISTS (SELECT 1 FROM voids v WHERE v.contact = c.id)"
    )
    return [int(row[0]) for row in rows]


# --- a new device key: new streams ---


def stream_with(connection: sqlite3.Connection, contact: int, key: bytes) -> int | None:
    """The stream whose numbers are counted now with this device.

    None if it is not the contact's any more, or the user does not want to hear it.
    """
    row = connection.execute(
        "SELECT stream FROM contacts WHERE id = ? AND device_key = ? AND NOT blocked", (contact, key)
    ).fetchone()
    return None if row is None else int(row[0])


def change_key(connection: sqlite3.Connection, contact: int, key: bytes) -> None:
    """The contact has another device: both streams begin anew, what waits is numbered anew (DESIGN.md section 5)."""
    begin_anew(connection, contact, waiting_for(connection, contact))
    set_counters(connection, contact, device_key=key, epoch=0, in_id=b"")
