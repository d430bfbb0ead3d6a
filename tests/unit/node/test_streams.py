"""alice's database: what she sends, what bob's node tells her, what she reads."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegraph.errors import ForgedFrame
from telegraph.node import event_log, history, streams
from telegraph.node.ids import next_id
from telegraph.node.model import Message, MessageReceived, MessageSent, StateChanged
from telegraph.protocol.frames import MessageFrame
from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import migrate

ME, BOB = "alice", 1
NOW = 1_700_000_000_000_000


def open_database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, "telegraph.node", Path("memory/db"))
    connection.execute("INSERT INTO contacts (user_id, username, name_key) VALUES ('bob-id', 'Bob', 'bob')")
    return connection


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = open_database()
    yield connection
    connection.close()


def write(db: sqlite3.Connection, *texts: str) -> list[int]:
    rng = Random(1)
    return [streams.append(db, BOB, text, NOW + number, rng) for number, text in enumerate(texts)]


def from_bob(seq: int, *, seen: int = 0, text: str = "hi", stamp: int | None = None) -> MessageFrame:
    stamp = seq if stamp is None else stamp
    return MessageFrame(
        id=stamp.to_bytes(16), seq=seq, seen=seen, sender="bob-id", recipient="alice-id", sent_at=NOW, text=text
    )


def states(db: sqlite3.Connection) -> list[str]:
    return [message.state for message in conversation(db)]


def conversation(db: sqlite3.Connection) -> list[Message]:
    return history.page(db, BOB, ME, before=None, limit=1000)[0]


def test_what_is_appended_together_is_as_if_it_had_come_one_after_the_other(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO contacts (user_id, username, name_key) VALUES ('carol-id', 'Carol', 'carol')")
    carol = 2
    drafts = [streams.Draft(to, f"{number}", NOW + number) for number, to in enumerate([BOB, carol, BOB, BOB, carol])]
    other = open_database()
    other.execute("INSERT INTO contacts (user_id, username, name_key) VALUES ('carol-id', 'Carol', 'carol')")

    appended = streams.append_all(db, drafts, Random(1))
    rng = Random(2)
    for draft in drafts:
        streams.append(other, draft.contact, draft.text, draft.now_us, rng)

    assert [one.seq for one in appended] == [1, 1, 2, 3, 2]
    for contact in (BOB, carol):
        together, singly = (
            [(m.text, m.seq, m.state) for m in history.page(end, contact, ME, before=None, limit=9)[0]]
            for end in (db, other)
        )
        assert together == singly
        assert [frame.text for frame in streams.pending(db, contact, "a", "b", after=0, limit=9)] == [
            text for text, *_ in together
        ]
    other.close()


def test_the_frame_in_memory_is_the_one_that_would_be_read(db: sqlite3.Connection) -> None:
    draft = streams.Draft(BOB, "hello", NOW, reply_to=b"r" * 16)
    streams.receive(db, BOB, [from_bob(1)])
    [appended] = streams.append_all(db, [draft], Random(1))
    [read] = streams.pending(db, BOB, "alice-id", "bob-id", after=0, limit=1)
    assert streams.as_frame(draft, appended, "alice-id", "bob-id") == read


def test_long_texts_are_read_only_as_far_as_one_message_of_the_link_holds(db: sqlite3.Connection) -> None:
    write(db, *["x" * 60_000] * 5)
    assert len(streams.pending(db, BOB, "a", "b", after=0, limit=256)) == 2
    assert len(streams.pending(db, BOB, "a", "b", after=4, limit=256)) == 1


def test_among_many_that_arrive_at_once_the_one_with_a_used_id_is_refused_and_those_before_it_stored(
    db: sqlite3.Connection,
) -> None:
    streams.receive(db, BOB, [from_bob(1)])
    frames = [from_bob(2), from_bob(3), from_bob(4, stamp=1), from_bob(5)]
    taken = streams.receive(db, BOB, frames)
    assert (taken.received, taken.stored) == (3, 2)
    assert taken.refusal is not None
    assert (taken.refusal.seq, taken.refusal.error) == (4, "id_taken")
    again = streams.receive(db, BOB, [from_bob(4), from_bob(5, stamp=4)])
    assert again.refusal is not None
    assert [message.seq for message in conversation(db)] == [1, 2, 3, 4]


def test_each_new_message_has_a_cursor_of_its_own_to_resume_after(db: sqlite3.Connection) -> None:
    streams.receive(db, BOB, [from_bob(1)])
    streams.receive(db, BOB, [from_bob(seq, text=f"{seq}") for seq in range(2, 300)])
    streams.append(db, BOB, "mine", NOW, Random(1))
    everything = events_since(db, 0)
    assert [cursor for cursor, _ in everything] == list(range(1, 301))
    for cursor in (0, 1, 2, 150, 256, 257, 298, 299, 300):
        assert events_since(db, cursor) == everything[cursor:]


def events_since(db: sqlite3.Connection, cursor: int) -> list[tuple[int, object]]:
    told: list[tuple[int, object]] = []
    while more := event_log.since(db, cursor, ME):
        told += more
        cursor = more[-1][0]
    return told


def test_what_alice_sends_waits_in_order(db: sqlite3.Connection) -> None:
    write(db, "one", "two", "three")

    waiting = streams.pending(db, BOB, "alice-id", "bob-id", after=0, limit=10)

    assert [(frame.seq, frame.text) for frame in waiting] == [(1, "one"), (2, "two"), (3, "three")]
    assert states(db) == ["pending"] * 3
    assert [frame.seq for frame in streams.pending(db, BOB, "alice-id", "bob-id", after=2, limit=10)] == [3]


def test_an_acknowledgement_delivers_everything_up_to_its_number(db: sqlite3.Connection) -> None:
    write(db, "one", "two", "three")

    assert streams.stored_by_peer(db, BOB, 2)

    assert states(db) == ["delivered", "delivered", "pending"]


def test_an_acknowledgement_that_repeats_or_claims_too_much_changes_nothing(db: sqlite3.Connection) -> None:
    write(db, "one")
    streams.stored_by_peer(db, BOB, 1)
    before = event_log.head(db)

    assert not streams.stored_by_peer(db, BOB, 1)
    assert not streams.stored_by_peer(db, BOB, 99)
    assert event_log.head(db) == before


def test_bob_reads_what_he_has(db: sqlite3.Connection) -> None:
    write(db, "one", "two")
    streams.stored_by_peer(db, BOB, 1)

    assert streams.read_by_peer(db, BOB, None) == 1
    assert states(db) == ["read", "pending"]
    assert streams.read_by_peer(db, BOB, None) == 0
    assert streams.read_by_peer(db, BOB, 7) == 0


def test_a_receipt_that_overtakes_the_acknowledgement_counts_for_both(db: sqlite3.Connection) -> None:
    write(db, "one", "two")

    assert streams.read_by_peer(db, BOB, 2) == 2
    assert states(db) == ["read", "read"]
    assert history.pending_count(db) == 0


def test_bobs_messages_are_stored_once_and_in_order(db: sqlite3.Connection) -> None:
    first = streams.receive(db, BOB, [from_bob(1), from_bob(2)])
    again = streams.receive(db, BOB, [from_bob(1), from_bob(2), from_bob(3)])

    assert (first.received, first.stored) == (2, 2)
    assert (again.received, again.stored) == (3, 1)
    assert len(conversation(db)) == 3


def test_a_gap_is_asked_for_and_nothing_behind_it_is_stored(db: sqlite3.Connection) -> None:
    taken = streams.receive(db, BOB, [from_bob(1), from_bob(3), from_bob(2)])

    assert taken.received == 1
    assert taken.refusal is not None
    assert (taken.refusal.error, taken.refusal.expected) == ("sequence_gap", 2)


def test_a_claim_to_have_seen_what_alice_never_sent_is_refused(db: sqlite3.Connection) -> None:
    write(db, "one")

    taken = streams.receive(db, BOB, [from_bob(1, seen=2)])

    assert taken.stored == 0
    assert taken.refusal is not None
    assert taken.refusal.error == "forged_frame"


def test_an_id_that_is_taken_already_is_refused(db: sqlite3.Connection) -> None:
    streams.receive(db, BOB, [from_bob(1, stamp=9)])

    taken = streams.receive(db, BOB, [from_bob(2, stamp=9)])

    assert taken.refusal is not None
    assert len(conversation(db)) == 1


def test_alice_reads_and_owes_bob_a_receipt_until_he_has_it(db: sqlite3.Connection) -> None:
    streams.receive(db, BOB, [from_bob(1), from_bob(2)])
    assert history.unread_count(db) == 2

    assert streams.read_here(db, BOB) == 2
    assert streams.read_here(db, BOB) == 0

    assert history.unread_count(db) == 0
    assert streams.receipt_due(db, BOB) == 2
    assert streams.waiting(db) == [BOB]
    streams.receipt_told(db, BOB, 3)
    assert streams.receipt_due(db, BOB) == 2
    streams.receipt_told(db, BOB, 2)
    assert streams.receipt_due(db, BOB) == 0
    assert streams.waiting(db) == []


def test_a_message_that_lands_above_what_was_read_is_marked_late(db: sqlite3.Connection) -> None:
    write(db, "written long after")
    streams.read_here(db, BOB)

    streams.receive(db, BOB, [from_bob(1, text="written before")])

    assert [(message.text, message.late) for message in conversation(db)] == [
        ("written before", True),
        ("written long after", False),
    ]


def test_a_message_by_the_reports_call_is_shown_after_what_was_there(db: sqlite3.Connection) -> None:
    write(db, "one")

    assert streams.receive_outside(db, BOB, (1).to_bytes(16), "by POST", sent_us=NOW, now_us=NOW)
    assert not streams.receive_outside(db, BOB, (1).to_bytes(16), "by POST", sent_us=NOW, now_us=NOW)

    assert [message.text for message in conversation(db)] == ["one", "by POST"]
    assert [message.text for message in history.unread(db, ME)] == ["by POST"]
    assert streams.read_here(db, BOB) == 1
    assert states(db)[1] == "read"


def test_an_id_from_the_far_future_makes_nothing_after_it_late(db: sqlite3.Connection) -> None:
    streams.receive_outside(db, BOB, b"\xff" * 16, "by POST", sent_us=NOW, now_us=NOW)
    streams.read_here(db, BOB)

    later = next_id(b"", NOW // 1000 + 1, Random(1))
    streams.receive(db, BOB, [msgspec.structs.replace(from_bob(1, text="later"), id=later)])

    assert [(message.text, message.late) for message in conversation(db)] == [("by POST", False), ("later", False)]


def test_an_id_that_belongs_to_another_message_is_not_acknowledged(db: sqlite3.Connection) -> None:
    write(db, "mine")
    (own,) = db.execute("SELECT uuid FROM messages").fetchone()
    streams.receive_outside(db, BOB, (1).to_bytes(16), "first", sent_us=NOW, now_us=NOW)

    for taken in (own, (1).to_bytes(16)):
        with pytest.raises(ForgedFrame):
            streams.receive_outside(db, BOB, taken, "second", sent_us=NOW, now_us=NOW)

    assert [message.text for message in conversation(db)] == ["mine", "first"]


def test_pages_go_back_in_time_without_gap_or_repeat(db: sqlite3.Connection) -> None:
    rows = write(db, *[str(number) for number in range(25)])

    latest, more = history.page(db, BOB, ME, before=None, limit=10)
    middle, more_still = history.page(db, BOB, ME, before=rows[15], limit=10)
    first, none_left = history.page(db, BOB, ME, before=rows[5], limit=10)

    assert [message.text for message in first + middle + latest] == [str(number) for number in range(25)]
    assert (more, more_still, none_left) == (True, True, False)


def test_everything_that_happened_can_be_told_again(db: sqlite3.Connection) -> None:
    write(db, "one", "two")
    streams.receive(db, BOB, [from_bob(1)])
    streams.stored_by_peer(db, BOB, 2)

    told = event_log.since(db, 0, ME)

    assert [type(event) for _, event in told] == [MessageSent, MessageSent, MessageReceived, StateChanged, StateChanged]
    assert [cursor for cursor, _ in told] == [1, 2, 3, 3, 4]
    assert event_log.since(db, 4, ME) == []


def test_a_stream_that_breaks_inside_a_range_of_changes_gets_the_range_again(db: sqlite3.Connection) -> None:
    write(db, "one", "two")
    streams.stored_by_peer(db, BOB, 2)
    cursor, first = event_log.since(db, 2, ME)[0]

    assert isinstance(first, StateChanged)
    assert len(event_log.since(db, cursor, ME)) == 2


def test_a_cursor_older_than_the_log_is_not_known(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "KEPT", 2)
    write(db, "one", "two", "three", "four")
    event_log.forget(db)

    assert not event_log.known(db, 0)
    assert not event_log.known(db, 5)
    assert event_log.known(db, 2)
    assert event_log.known(db, 4)


def test_another_device_begins_new_streams_and_keeps_what_waits(db: sqlite3.Connection) -> None:
    write(db, "delivered", "waits")
    streams.receive(db, BOB, [from_bob(1), from_bob(2)])
    streams.stored_by_peer(db, BOB, 1)
    streams.read_here(db, BOB)

    streams.change_key(db, BOB, b"k" * 32)

    waiting = streams.pending(db, BOB, "alice-id", "bob-id", after=0, limit=10)
    assert [(frame.seq, frame.seen, frame.text) for frame in waiting] == [(1, 0, "waits")]
    assert sorted(states(db)) == ["delivered", "pending", "read", "read"]
    assert streams.receive(db, BOB, [from_bob(1, stamp=50)]).stored == 1
    assert len(conversation(db)) == 5


class _Faulty:
    """A wire that loses, repeats and cuts; the rules of a link decide what is sent again."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.alice, self.bob = open_database(), open_database()

    def talk(self, sender: sqlite3.Connection, receiver: sqlite3.Connection) -> None:
        after = streams.received(receiver, BOB)
        frames = streams.pending(sender, BOB, "a", "b", after=after, limit=self.rng.randrange(1, 5))
        if self.rng.random() < 0.3:
            frames = frames + frames
        if self.rng.random() < 0.3:
            return
        taken = streams.receive(receiver, BOB, frames)
        if self.rng.random() < 0.7:
            streams.stored_by_peer(sender, BOB, taken.received)


@settings(max_examples=60, deadline=None)
@given(st.integers(), st.lists(st.sampled_from("abAB"), max_size=60))
def test_nothing_is_lost_doubled_or_shown_in_another_order_on_a_bad_wire(seed: int, steps: list[str]) -> None:
    wire, rng = _Faulty(Random(seed)), Random(seed + 1)
    written: dict[str, list[str]] = {"a": [], "b": []}
    for number, step in enumerate(steps):
        end = wire.alice if step.lower() == "a" else wire.bob
        if step.islower():
            written[step].append(f"{step}{number}")
            skew = 86_400_000_000 if step == "a" else 0
            streams.append(end, BOB, f"{step}{number}", NOW + number + skew, rng)
        else:
            wire.talk(end, wire.bob if end is wire.alice else wire.alice)
    while history.pending_count(wire.alice) or history.pending_count(wire.bob):
        wire.talk(wire.alice, wire.bob)
        wire.talk(wire.bob, wire.alice)

    at_alice = [message.text for message in conversation(wire.alice)]
    at_bob = [message.text for message in conversation(wire.bob)]

    assert at_alice == at_bob
    assert [text for text in at_alice if text.startswith("a")] == written["a"]
    assert [text for text in at_alice if text.startswith("b")] == written["b"]
    wire.alice.close()
    wire.bob.close()


def test_what_came_from_the_old_device_stays_unread_until_it_is_read(db: sqlite3.Connection) -> None:
    streams.receive(db, BOB, [from_bob(1, text="seen")])
    streams.read_here(db, BOB)
    streams.receive(db, BOB, [from_bob(2, text="not seen yet")])

    streams.change_key(db, BOB, b"k" * 32)
    streams.receive(db, BOB, [from_bob(1, text="from the new one", stamp=9)])

    assert [message.text for message in history.unread(db, ME)] == ["not seen yet", "from the new one"]
    assert history.unread_count(db) == history.unread_count(db, BOB) == 2
    assert streams.read_here(db, BOB) == 2
    assert history.unread_count(db) == 0
    assert states(db) == ["read"] * 3


def test_a_long_range_of_states_is_told_in_pieces(db: sqlite3.Connection) -> None:
    streams.receive(db, BOB, [from_bob(seq) for seq in range(1, 1001)])
    start = cursor = event_log.head(db)
    streams.read_here(db, BOB)

    told: list[str] = []
    while events := event_log.since(db, cursor, ME):
        assert len(events) < 1000
        cursor = events[-1][0]
        told += [event.message.id for _, event in events if isinstance(event, StateChanged)]

    assert len(told) == len(set(told)) == 1000
    assert start < cursor == event_log.head(db)


def test_rows_that_show_nothing_any_more_do_not_end_the_stream(db: sqlite3.Connection) -> None:
    for _ in range(600):
        event_log.log_states(db, BOB, 99, 1, 1, mine=True)
    [row] = write(db, "after them")

    [(cursor, event)] = event_log.since(db, 0, ME)

    assert isinstance(event, MessageSent)
    assert event.message.id == history.message(db, row, ME).id
    assert cursor == event_log.head(db)


def test_the_conversation_that_got_the_last_message_comes_first_and_none_is_counted_through(
    db: sqlite3.Connection,
) -> None:
    db.execute("INSERT INTO contacts (user_id, username, name_key) VALUES ('carol-id', 'Carol', 'carol')")
    db.execute("INSERT INTO contacts (user_id, username, name_key) VALUES ('dave-id', 'Dave', 'dave')")
    write(db, "to bob")
    streams.append(db, 2, "to carol, by a clock that is far behind", 1, Random(2))
    assert history.conversations(db) == [2, BOB]

    write(db, *("to bob again" for _ in range(2000)))
    hundreds: list[None] = []
    db.set_progress_handler(lambda: hundreds.append(None), 100)  # after each 100 steps of SQLite's machine
    assert history.conversations(db) == [BOB, 2]
    db.set_progress_handler(None, 0)
    assert len(hundreds) < 10
