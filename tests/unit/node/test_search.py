"""alice looks for words; the index trails, survives and never reads what she types as a language."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_streams import BOB, ME, NOW, from_bob, open_database, write
from town import Town, until

from telegraph.errors import DataUnreadable
from telegraph.node import search, streams
from telegraph.node.broker import Broker
from telegraph.node.database import Database
from telegraph.node.search import Search, expression, find, index_some
from telegraph.storage.engine import sqlite3

CAROL = 2


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = open_database()
    connection.execute("INSERT INTO contacts (user_id, username, name_key) VALUES ('carol-id', 'Carol', 'carol')")
    yield connection
    connection.close()


def index_all(db: sqlite3.Connection) -> None:
    while index_some(db, 3):
        pass


def texts(db: sqlite3.Connection, query: str, contact: int | None = None) -> list[str]:
    return [message.text for message in find(db, query, ME, contact=contact)]


def test_every_word_must_be_there_and_the_last_may_go_on(db: sqlite3.Connection) -> None:
    write(db, "The train leaves at eight", "a training plan", "eight trains", "train")
    index_all(db)

    assert texts(db, "train") == ["train", "eight trains", "a training plan", "The train leaves at eight"]
    assert texts(db, "train eight") == ["The train leaves at eight"]
    assert texts(db, "EIGHT trai") == ["eight trains", "The train leaves at eight"]
    assert texts(db, "nothing") == []


@pytest.mark.parametrize("query", ["cafe", "CAFÉ", "cafe\u0301"])
def test_case_and_accents_do_not_matter(db: sqlite3.Connection, query: str) -> None:
    write(db, "Nos vemos en el Café")
    index_all(db)

    assert texts(db, query) == ["Nos vemos en el Café"]


def test_one_letter_is_a_word_and_not_a_beginning(db: sqlite3.Connection) -> None:
    write(db, "plan a", "alpha")
    index_all(db)

    assert texts(db, "a") == ["plan a"]
    assert texts(db, "al") == ["alpha"]


def test_one_conversation_or_all(db: sqlite3.Connection) -> None:
    write(db, "c2 for bob", "x")
    streams.append(db, CAROL, "for carol", NOW, Random(2))
    streams.receive(db, BOB, [from_bob(1, text="for you")])
    index_all(db)

    assert texts(db, "for") == ["for you", "for carol", "c2 for bob"]
    assert texts(db, "for", BOB) == ["for you", "c2 for bob"]
    assert texts(db, "for", CAROL) == ["for carol"]
    assert texts(db, "c2") == ["c2 for bob"]  # the mark of a conversation is no word of a message


@pytest.mark.parametrize(
    "query",
    [
        '"',
        '""',
        "*",
        "text : x",
        "NEAR(x y)",
        "x OR y",
        "-x",
        "x^2",
        "{text conversation} : c1",
        "conversation:c1",
        "'; --",
    ],
)
def test_what_alice_types_is_words_and_never_a_language(db: sqlite3.Connection, query: str) -> None:
    write(db, "something else", "another")
    index_all(db)

    assert texts(db, query) == []


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.booleans())
def test_any_query_at_all_is_answered(query: str, one: bool) -> None:
    db = open_database()
    index_some(db)

    assert find(db, query, ME, contact=BOB if one else None) == []
    db.close()


WORDS = st.lists(st.sampled_from(["aa", "ab", "abc", "b", "ñu", "x-y"]), min_size=1, max_size=5)


@settings(max_examples=80, deadline=None)
@given(st.lists(WORDS, max_size=20), WORDS)
def test_what_is_found_is_what_a_plain_look_at_all_texts_finds(written: list[list[str]], asked: list[str]) -> None:
    db = open_database()
    write(db, *(" ".join(words) for words in written))
    index_all(db)

    def fits(words: list[str]) -> bool:
        there = " ".join(words).replace("-", " ").split()
        *whole, last = [*" ".join(asked[:-1]).replace("-", " ").split(), asked[-1]]
        if last == "x-y":
            return set(whole) <= set(there) and "x-y" in words
        begins = last in there if last == "b" else any(word.startswith(last) for word in there)
        return set(whole) <= set(there) and begins

    expected = [" ".join(words) for words in reversed(written) if fits(words)]
    assert texts(db, " ".join(asked)) == expected[:50]
    db.close()


def test_only_the_newest_fifty_are_shown(db: sqlite3.Connection) -> None:
    write(db, *(f"number {number}" for number in range(60)))
    index_all(db)

    assert texts(db, "number") == [f"number {number}" for number in range(59, 9, -1)]


def test_a_batch_that_is_undone_is_indexed_again_and_once(db: sqlite3.Connection) -> None:
    write(db, "one", "two", "three", "four")
    index_some(db, 2)
    db.execute("BEGIN")
    index_some(db, 2)
    db.execute("ROLLBACK")  # as after a crash before the commit

    assert texts(db, "three") == []
    assert search.behind(db)
    assert index_some(db, 2)
    assert not index_some(db, 2)
    assert not search.behind(db)
    assert texts(db, "three") == ["three"]
    db.execute("INSERT INTO found (found, rank) VALUES ('integrity-check', 1)")  # raises if it and the texts differ


def test_how_a_search_is_carried_out(db: sqlite3.Connection) -> None:
    """No plan may look at every message: that is what the index is for."""
    wanted = expression("x", BOB)
    plan = db.execute(
        "EXPLAIN QUERY PLAN SELECT m.id FROM messages m WHERE m.id IN"
        " (SELECT rowid FROM found WHERE found MATCH ? ORDER BY rowid DESC LIMIT ?) ORDER BY m.id DESC",
        (wanted, 50),
    ).fetchall()

    steps = [str(row[3]) for row in plan]
    assert any(step.startswith("SEARCH m USING INTEGER PRIMARY KEY") for step in steps)
    assert not any(step.startswith("SCAN m") for step in steps)


async def test_the_index_follows_what_happens_and_begins_where_it_was(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_TRAIL", 0.0)
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "before the start")
    broker = Broker(alice.db)
    looking = Search(alice.db, broker)
    running = asyncio.create_task(looking.run())
    await until(lambda: not search.behind(alice.db.reader))

    await alice.send(bob, "while it runs")
    broker.wake()
    await until(lambda: not search.behind(alice.db.reader))

    assert [message.text for message in await looking.find("while", "alice")] == ["while it runs"]
    assert len(await looking.find("the", "alice", contact=1)) == 1
    running.cancel()
    await looking.close()


async def test_a_disk_that_fails_is_one_of_our_errors(tmp_path: Path) -> None:
    database = Database.open(tmp_path, b"k" * 32)
    looking = Search(database, Broker(database))
    await database.write(lambda db: db.execute("DROP TABLE found").rowcount)

    with pytest.raises(DataUnreadable):
        await looking.find("x", "alice")

    await looking.close()
    await database.close()
