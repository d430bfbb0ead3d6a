"""A store of an earlier release is opened: alice finds everything as she left it."""

from pathlib import Path
from random import Random

import pytest
from test_streams import BOB, ME, NOW, from_bob

from telegraph.node import event_log, history, streams, voids
from telegraph.protocol.frames import Skipped
from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import connect, migrate, schema_steps

_MESSAGE = (
    "INSERT INTO messages (id, uuid, contact, mine, stream, seq, seen, ord, depth, kind, text, sent_at, settled)"
    " VALUES (?, ?, 1, 1, ?, ?, 0, ?, ?, 'text', ?, 0, ?)"
)


def _store_of_version_6(path: Path, settled: dict[int, str], waiting: list[int]) -> sqlite3.Connection:
    """Alice has written 1 to 5 to bob, of which he has read the first; who knows which is up to the test."""
    old = connect(path)
    for step in schema_steps("telegraph.node")[:6]:
        old.executescript(step)
    old.execute("PRAGMA user_version = 6")
    old.execute(
        "INSERT INTO contacts (user_id, username, name_key, out_seq, out_id, out_ord, out_read)"
        " VALUES ('bob-id', 'Bob', 'bob', 5, ?, ?, 1)",
        ((5).to_bytes(16), (5).to_bytes(16)),
    )
    for seq in range(1, 6):
        key = seq.to_bytes(16)
        old.execute(_MESSAGE, (seq, key, 1, seq, key, seq, f"{seq}", settled.get(seq)))
        old.execute("INSERT INTO events (kind, contact, message, last) VALUES ('message', 1, ?, ?)", (seq, seq))
        if settled.get(seq) == "cancelled":
            old.execute(
                "INSERT INTO voids (contact, seq, uuid, ord, message) VALUES (1, ?, ?, ?, ?)", (seq, key, key, seq)
            )
    old.executemany("INSERT INTO outbox VALUES (1, ?, ?)", [(seq, seq) for seq in waiting])
    return old


def _states(db: sqlite3.Connection) -> list[str]:
    return [message.state for message in history.page(db, BOB, ME, before=None, limit=100)[0]]


@pytest.mark.parametrize(
    ("settled", "waiting", "states"),
    [
        ({}, [], ["read", "delivered", "delivered", "delivered", "delivered"]),
        ({}, [4, 5], ["read", "delivered", "delivered", "pending", "pending"]),
        ({4: "cancelled"}, [3, 5], ["read", "delivered", "pending", "cancelled", "pending"]),
        ({2: "cancelled", 4: "failed"}, [], ["read", "cancelled", "delivered", "failed", "delivered"]),
        ({}, [3, 5], ["read", "delivered", "pending", "delivered", "pending"]),  # he was asked about the fourth
    ],
)
def test_what_waited_waits_and_what_had_come_has_come(
    tmp_path: Path, settled: dict[int, str], waiting: list[int], states: list[str]
) -> None:
    db = _store_of_version_6(tmp_path / "store.sqlite3", settled, waiting)

    migrate(db, "telegraph.node", tmp_path / "store.sqlite3")

    assert _states(db) == states
    first = waiting[0] if waiting else 6
    sent = [frame.seq for frame in streams.pending(db, BOB, "a", "b", after=0, limit=100)]
    assert sent == [seq for seq in range(first, 6) if settled.get(seq) is None]  # what he has he knows again
    assert streams.waiting(db) == ([BOB] if waiting or "cancelled" in settled.values() else [])


def test_conversations_go_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    db = _store_of_version_6(tmp_path / "store.sqlite3", {4: "cancelled"}, [3, 5])
    migrate(db, "telegraph.node", tmp_path / "store.sqlite3")

    streams.append(db, BOB, "6", NOW, Random(1))
    streams.receive(db, BOB, [from_bob(1, seen=2, text="hello", stamp=7 << 120)])
    voids.answered(db, BOB, Skipped(4, had=False), NOW, Random(2))
    streams.stored_by_peer(db, BOB, 6)

    assert sorted(_states(db)) == ["cancelled", *["delivered"] * 5, "read"]
    assert history.pending_count(db) == 0
    assert [frame.seq for frame in streams.pending(db, BOB, "a", "b", after=0, limit=100)] == []


def test_who_follows_events_goes_on_at_their_cursor(tmp_path: Path) -> None:
    db = _store_of_version_6(tmp_path / "store.sqlite3", {}, [])
    migrate(db, "telegraph.node", tmp_path / "store.sqlite3")

    assert event_log.head(db) == 5
    assert [cursor for cursor, _ in event_log.since(db, 3, ME)] == [4, 5]
    streams.append(db, BOB, "6", NOW, Random(1))
    assert [cursor for cursor, _ in event_log.since(db, 3, ME)] == [4, 5, 6]
