"""Whatever alice's page repeats because it heard no answer, bob gets each message once."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import RequestIdUsed, UnknownMessage
from telegraph.node import deleting, requests, streams
from telegraph.node.streams import Draft
from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import migrate

BOB, CAROL = 1, 2
NOW = 1_700_000_000_000_000


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = opened()
    yield connection
    connection.close()


def opened() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, "telegraph.node", Path("memory/db"))
    for name in ("bob", "carol"):
        connection.execute("INSERT INTO contacts (user_id, username, name_key) VALUES (?, ?, ?)", (name, name, name))
    return connection


def hand_in(db: sqlite3.Connection, request: str, text: str, contact: int = BOB) -> int:
    draft = Draft(contact, text, NOW)
    return requests.once(db, request, draft, lambda: streams.append_all(db, [draft], Random(1))[0].row)


def texts(db: sqlite3.Connection) -> list[str]:
    return [text for (text,) in db.execute("SELECT text FROM messages ORDER BY id")]


@given(st.lists(st.integers(0, 5), max_size=30))
def test_each_id_makes_one_message_in_the_order_in_which_they_first_came(numbers: list[int]) -> None:
    db = opened()

    rows = [hand_in(db, f"id {number}", f"text {number}") for number in numbers]

    assert texts(db) == [f"text {number}" for number in dict.fromkeys(numbers)]
    assert len(set(rows)) == len(set(numbers))
    assert [rows[numbers.index(number)] for number in numbers] == rows


@pytest.mark.parametrize(("text", "contact"), [("another", BOB), ("hello", CAROL)])
def test_an_id_stands_for_one_text_to_one_person(db: sqlite3.Connection, text: str, contact: int) -> None:
    hand_in(db, "one id", "hello")

    with pytest.raises(RequestIdUsed):
        hand_in(db, "one id", text, contact)
    assert texts(db) == ["hello"]


def test_what_was_deleted_since_is_not_sent_again(db: sqlite3.Connection) -> None:
    row = hand_in(db, "one id", "hello")
    deleting.delete_message(db, BOB, row)

    with pytest.raises(UnknownMessage):
        hand_in(db, "one id", "hello")
    assert texts(db) == []


def test_ids_of_long_ago_are_forgotten(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "KEPT", 3)
    for number in range(10):
        hand_in(db, f"id {number}", f"text {number}")

    assert [request for (request,) in db.execute("SELECT request FROM requests")] == ["id 7", "id 8", "id 9"]
