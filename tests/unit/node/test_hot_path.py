"""Messages in quick succession: sent from memory, stored and marked many at a time, and still as if one by one."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from town import Person, Town, until

from telegraph.errors import DataUnreadable
from telegraph.node import courier, streams, voids
from telegraph.node.streams import Appended, Draft
from telegraph.storage.engine import sqlite3


def _append_all(db: sqlite3.Connection, drafts: Sequence[Draft]) -> list[Appended]:
    return streams.append_all(db, drafts, Random(len(drafts)))


async def say(alice: Person, bob: Person, *texts: str) -> list[Appended]:
    """As a node does it: each stored, then offered to the courier."""
    contact = await alice.know(bob)

    async def one(text: str) -> Appended:
        alice.clock += 1000
        draft = Draft(contact.id, text, alice.clock)
        stored = await alice.db.write_together(_append_all, draft)
        alice.peers.offer(contact.id, streams.as_frame(draft, stored, alice.user_id, bob.user_id))
        return stored

    return await asyncio.gather(*map(one, texts))


@pytest.fixture
async def pair(town: Town) -> tuple[Person, Person]:
    """Alice and bob, with a link between them."""
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "hello")
    await until(lambda: alice.states(bob) == ["delivered"])
    return alice, bob


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the messages that couriers read from the disk."""
    done: list[int] = []
    pending = streams.pending

    def noted(*arguments: Any, after: int, limit: int) -> Any:
        found = pending(*arguments, after=after, limit=limit)
        done.extend(frame.seq for frame in found)
        return found

    monkeypatch.setattr(streams, "pending", noted)
    return done


def numbered(count: int) -> list[str]:
    return [str(number) for number in range(count)]


async def test_who_cancels_and_writes_on_at_once_still_hears_that_the_other_had_it(
    town: Town, pair: tuple[Person, Person]
) -> None:
    alice, bob = pair
    contact = await alice.know(bob)
    link = alice.peers.links.of(contact.id)
    assert link is not None
    town.network.delay(0.02)
    [one] = await say(alice, bob, "one")
    await until(lambda: link.sent == one.seq)
    await alice.db.write(lambda db: voids.cancel(db, one.row))
    draft = Draft(contact.id, "two", alice.clock)
    two = await alice.db.write_together(_append_all, draft)

    alice.peers.happened(contact.id)
    alice.peers.offer(contact.id, streams.as_frame(draft, two, alice.user_id, bob.user_id))

    await until(lambda: alice.states(bob) == ["delivered"] * 3)
    assert bob.texts(alice) == ["hello", "one", "two"]


async def test_most_of_what_was_just_stored_is_sent_without_being_read(
    pair: tuple[Person, Person], reads: list[int]
) -> None:
    alice, bob = pair
    for text in numbered(20):
        await say(alice, bob, text)
    await until(lambda: alice.states(bob) == ["delivered"] * 21)
    before = len(reads)

    async with asyncio.timeout(5):
        for round_ in range(5):
            sent = await say(alice, bob, *(f"{round_} {text}" for text in numbered(20)))
            await alice.peers.deliveries.wait((await alice.know(bob)).id, sent[-1].seq)

    await until(lambda: bob.texts(alice)[-1] == "4 19")
    assert len(reads) - before < 50, "of a hundred; some were stored before the courier had begun"


@pytest.mark.parametrize(("window", "kept"), [(1, 1), (3, 2), (2, 100), (512, 2)])
async def test_whatever_does_not_fit_into_memory_is_read_and_all_arrive_in_order(
    pair: tuple[Person, Person], monkeypatch: pytest.MonkeyPatch, window: int, kept: int
) -> None:
    alice, bob = pair
    monkeypatch.setattr(courier, "WINDOW", window)
    monkeypatch.setattr(courier, "_FRESH", kept)

    await asyncio.gather(*(say(alice, bob, *numbered(10)) for _ in range(4)), alice.send(bob, *numbered(10)))

    await until(lambda: alice.states(bob) == ["delivered"] * 51)
    assert bob.texts(alice) == alice.texts(bob)


async def test_one_that_is_given_up_while_it_waits_in_memory_does_not_go_out(
    pair: tuple[Person, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = pair
    contact = await alice.know(bob)
    monkeypatch.setattr(courier, "WINDOW", 1)
    go_on, write = asyncio.Event(), bob.db.write

    async def held(job: Any, **how: Any) -> Any:
        await go_on.wait()
        return await write(job, **how)

    monkeypatch.setattr(bob.db, "write", held)
    stored = await say(alice, bob, "one", "two", "three")
    await alice.db.write(lambda db: voids.cancel(db, stored[1].row))
    alice.peers.happened(contact.id)
    go_on.set()

    await until(lambda: alice.states(bob) == ["delivered", "delivered", "cancelled", "delivered"])
    assert bob.texts(alice) == ["hello", "one", "three"]


async def test_who_waits_for_a_delivery_is_told_when_the_acknowledgement_comes(pair: tuple[Person, Person]) -> None:
    alice, bob = pair
    contact = await alice.know(bob)
    [stored] = await say(alice, bob, "x")
    async with asyncio.timeout(5):
        assert await alice.peers.deliveries.wait(contact.id, stored.seq)
    assert bob.texts(alice)[-1] == "x", "and bob had it on disk before"


async def test_if_the_disk_fails_when_a_delivery_is_to_be_marked_the_next_greeting_tells_it_again(
    pair: tuple[Person, Person], town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = pair
    failed: list[object] = []

    def fail(job: object) -> "asyncio.Future[Any]":
        failed.append(job)
        refused: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        refused.set_exception(DataUnreadable(data="-", detail="the disk is full"))
        return refused

    monkeypatch.setattr(alice.db, "write_later", fail)
    dials = town.network.counters.dials

    await say(alice, bob, "x")

    await until(lambda: alice.states(bob) == ["delivered"] * 2)
    assert failed
    assert town.network.counters.dials > dials
    assert bob.texts(alice) == ["hello", "x"]


async def test_what_arrives_while_something_is_stored_shares_the_next_commit(
    pair: tuple[Person, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = pair
    monkeypatch.setattr(courier, "_AT_ONCE", 1)
    stored: list[int] = []
    receive = streams.receive

    def noted(db: sqlite3.Connection, contact: int, frames: Any) -> streams.Taken:
        stored.append(len(frames))
        return receive(db, contact, frames)

    monkeypatch.setattr(streams, "receive", noted)

    await say(alice, bob, *numbered(100))

    await until(lambda: alice.states(bob) == ["delivered"] * 101)
    assert sum(stored) == 100
    assert len(stored) < 50, "a hundred messages of the link, and far fewer commits"
