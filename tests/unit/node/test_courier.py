"""When links fail, claims are false, disks are full or the directory is slow: what waits neither stalls nor races."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from town import Mallory, Person, Town, until

from telegraph import supervision
from telegraph.errors import DataUnreadable, ManagerAway
from telegraph.node import peers, streams
from telegraph.node.backoff import Backoff
from telegraph.node.model import Contact
from telegraph.protocol.addresses import Address
from telegraph.protocol.frames import MessageFrame, Refuse
from telegraph.protocol.manager_api import User


class Waits:
    """Counts how often couriers rested before another attempt, and lets them go on at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bounds: list[float] = []
        following = Backoff.next

        def counted(backoff: Backoff) -> float:
            if backoff._ceiling == peers.LAST_RETRY:  # a courier's, not that of the rounds
                self.bounds.append(backoff._bound)
            return following(backoff)

        monkeypatch.setattr(Backoff, "next", counted)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    return Waits(monkeypatch)


@pytest.mark.parametrize("expected", [0, 2, 5000])
async def test_a_gap_that_cannot_be_filled_ends_the_link(
    town: Town, bob_and_mallory: tuple[Person, Person], expected: int
) -> None:
    bob, mallory = bob_and_mallory
    await mallory.know(bob)
    talk = await Mallory.dial(town, bob)
    await talk.hear()
    await bob.send(mallory, "x")
    [sent] = await talk.hear()
    assert isinstance(sent, MessageFrame)

    await talk.say(Refuse(1, "sequence_gap", "-", expected))

    contact = await bob.know(mallory)
    await until(lambda: (open_link := bob.peers.links.of(contact.id)) is None or open_link.link.outgoing)


async def test_a_full_disk_at_the_other_end_makes_the_attempts_rarer(town: Town, waits: Waits) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.know(bob)
    await bob.know(alice)
    write = bob.db.write

    async def refuse(*_: object, **_how: object) -> Any:
        raise DataUnreadable(data="-", detail="the disk is full")

    bob.db.write = refuse  # type: ignore[method-assign]
    dials = town.network.counters.dials

    await alice.send(bob, "x")
    await until(lambda: len(waits.bounds) >= 5)

    assert town.network.counters.dials - dials <= len(waits.bounds) + 1
    assert waits.bounds[-1] == peers.LAST_RETRY
    bob.db.write = write  # type: ignore[method-assign]
    await until(lambda: alice.states(bob) == ["delivered"])


async def test_after_a_mistake_a_courier_looks_for_itself_whether_something_waits(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "_AGAIN_AFTER", 0.001)
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.know(bob)
    await bob.stop()
    learn, failed = alice.peers._learn, asyncio.Event()

    async def fail_once(user: User) -> Contact:
        if not failed.is_set():
            failed.set()
            raise DataUnreadable(data="-", detail="the disk was full for a moment")
        return await learn(user)

    alice.peers._learn = fail_once
    await alice.send(bob, "x")
    await failed.wait()

    await bob.start()

    await until(lambda: alice.states(bob) == ["delivered"])


def hang(reached: asyncio.Event) -> Callable[[str], Any]:
    """A directory that takes the question and never answers."""

    async def find(_: str) -> User:
        reached.set()
        await asyncio.Event().wait()
        raise ManagerAway

    return find


async def test_who_comes_back_by_themselves_gets_what_waits_whatever_the_directory_does(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.know(bob)
    await bob.know(alice)
    await bob.stop()
    asked = asyncio.Event()
    alice.peers._find_user = hang(asked)
    await alice.send(bob, "waits")
    await asked.wait()
    await bob.start()

    await bob.send(alice, "I am back")

    await until(lambda: alice.states(bob) == ["delivered"])


async def test_news_of_a_move_cuts_a_hanging_dial_short(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    contact = await alice.know(bob)
    await bob.stop()
    asked = asyncio.Event()
    alice.peers._find_user = hang(asked)
    await alice.send(bob, "waits")
    await asked.wait()
    bob.address = Address("elsewhere.example", 9000)
    await bob.start()

    await alice.peers.learn(User("bob", "bob-id", "elsewhere.example", 9000, "online", None, None, 2))
    alice.peers.hurry(contact.id)

    await until(lambda: alice.states(bob) == ["delivered"])


async def test_news_without_a_move_means_another_try_at_once(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    contact = await alice.know(bob)
    await bob.stop()
    asked, answer = asyncio.Event(), asyncio.Event()

    async def find(_: str) -> User:
        asked.set()
        await answer.wait()
        raise ManagerAway

    alice.peers._find_user = find
    await alice.send(bob, "waits")
    await asked.wait()
    await bob.start()
    alice.peers.hurry(contact.id)
    await asyncio.sleep(0)

    answer.set()

    await until(lambda: alice.states(bob) == ["delivered"])


async def test_numbers_of_an_earlier_device_do_not_hold_up_the_event_loop(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "one", "two")
    await until(lambda: alice.states(bob) == ["delivered"] * 2)
    contact = await alice.know(bob)
    old = alice.peers.links.of(contact.id)
    assert old is not None
    await alice.db.write(
        lambda db: streams.change_key(db, contact.id, b"k" * 32)
    )  # the link to the old one still stands

    await alice.send(bob, "for the new device")

    await asyncio.wait_for(old.closed.wait(), 5)


async def test_a_dial_that_is_given_up_leaves_no_link_behind(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    contact = await alice.know(bob)
    asked = asyncio.Event()
    bob.peers._find_user = hang(asked)  # bob does not know alice, and answers her greeting only once he does
    dialling = asyncio.create_task(alice.peers.dial(contact))
    await asked.wait()

    dialling.cancel()
    await asyncio.gather(dialling, return_exceptions=True)

    assert not alice.peers._endpoint._links  # type: ignore[attr-defined]
