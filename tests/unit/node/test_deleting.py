"""alice deletes messages for herself: gone from her node, and nothing is lost, doubled or shown again by it."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_streams import BOB, ME, NOW, conversation, from_bob, open_database, states, write
from test_voids import End, answer, due, exchange

from telegraph.node import deleting, event_log, history, search, streams, voids
from telegraph.node.model import MessageDeleted, MessageSent
from telegraph.protocol.frames import Skip, Skipped
from telegraph.storage.engine import sqlite3


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = open_database()
    yield connection
    connection.close()


def texts(db: sqlite3.Connection) -> list[str]:
    return [message.text for message in conversation(db)]


def delete_all(db: sqlite3.Connection) -> int:
    top = deleting.begin_conversation(db, BOB)
    removed = 0
    while count := deleting.delete_some(db, BOB, top):
        removed += count
    return removed


def index(db: sqlite3.Connection) -> None:
    while search.index_some(db):
        pass


def check_index(db: sqlite3.Connection) -> None:
    """Raises if the index and the texts differ."""
    index(db)
    db.execute("INSERT INTO found (found, rank) VALUES ('integrity-check', 1)")


def test_a_deleted_message_is_gone_from_history_and_search_and_other_screens_hear_of_it(db: sqlite3.Connection) -> None:
    [_, second, _] = write(db, "one", "two", "three")
    streams.stored_by_peer(db, BOB, 3)
    index(db)
    gone, cursor = history.message(db, second, ME), event_log.head(db)

    deleting.delete_message(db, BOB, second)

    assert texts(db) == ["one", "three"]
    assert search.find(db, "two", ME) == []
    assert event_log.since(db, cursor, ME) == [(cursor + 1, MessageDeleted("Bob", "bob-id", gone.id))]
    check_index(db)


def test_a_message_that_waits_is_given_up_and_its_number_goes_out_empty(db: sqlite3.Connection) -> None:
    [first, second] = write(db, "one", "two")
    voids.cancel(db, second)
    voids.retry(db, second, NOW, Random(1))

    deleting.delete_message(db, BOB, first)
    deleting.delete_message(db, BOB, second)

    assert (due(db), history.pending_count(db)) == ([1, 2], 0)
    assert answer(db, 1, had=True)
    assert answer(db, 2, had=False)
    assert texts(db) == []
    write(db, "three")
    assert [frame.seq for frame in streams.pending(db, BOB, "a", "b", after=0, limit=9)] == [3]


def test_what_was_told_of_a_deleted_message_is_not_told_of_the_next_one(db: sqlite3.Connection) -> None:
    [first] = write(db, "one")
    index(db)
    deleting.delete_message(db, BOB, first)
    streams.stored_by_peer(db, BOB, 1)

    [second] = write(db, "two")

    assert second > first
    shown = [event.message.text for _, event in event_log.since(db, 0, ME) if isinstance(event, MessageSent)]
    assert shown == ["two"]
    index(db)
    assert [message.text for message in search.find(db, "two", ME)] == ["two"]
    check_index(db)


def test_unread_messages_that_are_deleted_are_not_counted_any_more(db: sqlite3.Connection) -> None:
    streams.receive(db, BOB, [from_bob(seq, text=str(seq)) for seq in range(1, 5)])
    rows = [row for (row,) in db.execute("SELECT id FROM messages ORDER BY id")]
    streams.receive_outside(db, BOB, b"o" * 16, "outside", sent_us=NOW, now_us=NOW)

    deleting.delete_message(db, BOB, rows[1])
    assert history.unread_count(db) == len(history.unread(db, ME)) == 4
    assert streams.read_here(db, BOB) == 4
    deleting.delete_message(db, BOB, rows[2])

    assert history.unread_count(db) == 0
    assert streams.receipt_due(db, BOB) == 4


def test_what_is_deleted_does_not_come_back_when_it_is_sent_again(db: sqlite3.Connection) -> None:
    streams.receive(db, BOB, [from_bob(1)])
    streams.receive_outside(db, BOB, b"o" * 16, "outside", sent_us=NOW, now_us=NOW)
    assert delete_all(db) == 2

    assert streams.receive(db, BOB, [from_bob(1)]).stored == 0
    assert not streams.receive_outside(db, BOB, b"o" * 16, "outside", sent_us=NOW, now_us=NOW)

    assert texts(db) == []
    assert voids.skip(db, BOB, Skip(1, (1).to_bytes(16), (1).to_bytes(16))) == Skipped(1, had=True)


def test_a_conversation_is_deleted_in_pieces_and_what_comes_meanwhile_stays(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleting, "BATCH", 3)
    streams.receive(db, BOB, [from_bob(seq) for seq in range(1, 6)])
    write(db, "delivered", "waits")
    streams.stored_by_peer(db, BOB, 1)
    top = deleting.begin_conversation(db, BOB)
    assert states(db)[-1] == "cancelled"  # what is left after a crash here is not shown as delivered

    assert deleting.delete_some(db, BOB, top) == 3
    streams.receive(db, BOB, [from_bob(6, text="meanwhile", stamp=99)])
    while deleting.delete_some(db, BOB, top):
        pass

    assert texts(db) == ["meanwhile"]
    assert due(db) == [2]
    assert history.unread_count(db) == 1
    cursor = event_log.head(db)
    assert event_log.since(db, cursor - 1, ME) == [(cursor, MessageDeleted("Bob", "bob-id", None))]
    check_index(db)


def test_another_conversation_is_left_alone(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO contacts (user_id, username, name_key) VALUES ('carol-id', 'Carol', 'carol')")
    write(db, "to bob")
    streams.append(db, 2, "to carol", NOW, Random(3))

    delete_all(db)

    assert [message.text for message in history.page(db, 2, ME, before=None, limit=9)[0]] == ["to carol"]
    assert history.pending_count(db) == 1


def test_no_step_of_a_deletion_looks_at_every_message(db: sqlite3.Connection) -> None:
    for statement in deleting._REMOVE:
        plan = db.execute("EXPLAIN QUERY PLAN " + statement, {"rows": "[1]", "contact": BOB}).fetchall()
        assert not any("SCAN m" in str(row[3]) for row in plan), statement


STEPS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["write", "write", "delete", "cancel", "talk", "talk"])),
    min_size=10,
    max_size=50,
)


@settings(max_examples=80, deadline=None)
@given(st.integers(), STEPS)
def test_whatever_one_deletes_the_rest_is_the_same_on_both_ends(seed: int, steps: list[tuple[str, str]]) -> None:
    rng = Random(seed)
    ends = {"a": End("a", rng.choice([0, 20_000, 86_400_000_000])), "b": End("b", 0)}
    deleted: set[str] = set()
    for number, (name, step) in enumerate(steps):
        end, other = ends[name], ends["b" if name == "a" else "a"]
        if step == "talk":
            exchange(end, other, rng, faulty=True)
        elif step != "delete":
            end.act(step, number, rng)
        elif shown := conversation(end.db):
            gone = rng.choice(shown)
            deleted.add(gone.text)
            row = history.find(end.db, BOB, bytes.fromhex(gone.id.replace("-", "")))
            assert row is not None
            end.written = [kept for kept in end.written if kept != row]
            deleting.delete_message(end.db, BOB, row)
    a, b = ends["a"], ends["b"]
    while not (a.settled() and b.settled()):
        exchange(a, b, rng, faulty=False)
        exchange(b, a, rng, faulty=False)

    both = {text for text, *_ in a.places()} & {text for text, *_ in b.places()}
    assert [place for place in a.places() if place[0] in both] == [place for place in b.places() if place[0] in both]
    for end in ends.values():
        assert len(texts(end.db)) == len(set(texts(end.db)))
        assert history.unread_count(end.db) == len(history.unread(end.db, ME))
        check_index(end.db)
        end.db.close()
