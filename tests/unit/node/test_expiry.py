"""A steady time whatever the clocks do, and messages that expire by it."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from town import Person, Town, until

from telegraph.node import history, streams, voids
from telegraph.node.expiring import Expiring
from telegraph.node.expiry import Anchor, SteadyTime, wait

SECOND = 1_000_000
DAY = 86_400 * SECOND
MOMENT = st.integers(0, 2**52)


def test_a_jump_of_the_wall_clock_while_the_node_runs_changes_nothing() -> None:
    steady = SteadyTime(None, wall=5 * DAY, counter=100)

    assert steady.now(100 + SECOND) - steady.now(100) == SECOND
    assert steady.anchor(wall=9 * DAY, counter=100 + SECOND).steady == SECOND


def test_the_time_between_two_runs_is_that_of_the_wall_clock() -> None:
    saved = SteadyTime(None, wall=DAY, counter=7).anchor(wall=DAY, counter=7 + SECOND)

    again = SteadyTime(saved, wall=DAY + 60 * SECOND, counter=3)

    assert again.now(3) == 61 * SECOND


@given(MOMENT, MOMENT, MOMENT, MOMENT, st.lists(MOMENT, max_size=5))
def test_steady_time_never_goes_back(steady: int, saved: int, wall: int, counter: int, readings: list[int]) -> None:
    clock = SteadyTime(Anchor(steady, saved), wall=wall, counter=counter)

    times = [clock.now(reading) for reading in sorted(readings)]

    assert times == sorted(times)
    assert all(time >= steady for time in times)


def test_how_long_to_wait() -> None:
    assert wait(None, 5, 60.0) is None
    assert wait(3 * SECOND, SECOND, 60.0) == 2
    assert wait(DAY, 0, 60.0) == 60
    assert wait(SECOND, 2 * SECOND, 60.0) == 0


class Machine:
    """The clocks of alice's machine, as the test sets them."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.wall = 1_700_000_000 * SECOND
        self.counter = 0
        self.told: list[int] = []
        self.expiring = self.starts()
        self.tasks: list[asyncio.Task[None]] = []

    def starts(self) -> Expiring:
        def happened(contact: int) -> None:
            self.told.append(contact)
            self.person.peers.happened(contact)

        return Expiring(self.person.db, happened, wall=lambda: self.wall, counter=lambda: self.counter)

    async def send(self, other: Person, text: str, seconds: float) -> None:
        contact = await self.person.know(other)
        await self.person.send(other, text)
        [(row,)] = self.person.db.read("SELECT max(id) FROM messages")
        await self.person.db.write(lambda db: self.expiring.give(db, int(str(row)), seconds))
        assert contact.id

    async def look(self) -> None:
        """One look of the task at the clocks, as at its start."""
        task = asyncio.create_task(self.expiring.run())
        self.tasks.append(task)
        self.expiring.changed()
        await asyncio.sleep(0)

    def stop(self) -> None:
        for task in self.tasks:
            task.cancel()


@pytest.fixture
async def alice(town: Town) -> Person:
    return await town.join("alice")


@pytest.fixture
async def bob(town: Town) -> Person:
    person = await town.join("bob")
    await person.stop()
    return person


@pytest.fixture
def machine(alice: Person) -> Iterator[Machine]:
    made = Machine(alice)
    yield made
    made.stop()


async def test_what_is_not_delivered_in_time_fails_and_never_reaches_bob(
    alice: Person, bob: Person, machine: Machine
) -> None:
    await machine.send(bob, "soon", 10)
    await machine.send(bob, "later", 3600)
    await alice.send(bob, "whenever")

    machine.counter = 11 * SECOND
    await machine.look()
    await until(lambda: alice.states(bob) == ["failed", "pending", "pending"])

    assert [message.reason for message in alice.shown(bob)] == ["expired", None, None]
    await bob.start()
    await until(lambda: bob.texts(alice) == ["later", "whenever"])
    assert machine.told == [1]


async def test_a_restart_and_a_clock_set_back_do_not_lengthen_it_for_ever(
    alice: Person, bob: Person, machine: Machine
) -> None:
    await machine.send(bob, "soon", 10)

    machine.wall += 6 * SECOND  # the machine was off
    machine.counter = 0
    machine.expiring = machine.starts()
    machine.wall -= DAY  # somebody sets the clock: that counts for nothing
    machine.counter = 3 * SECOND
    await machine.look()
    assert alice.states(bob) == ["pending"]

    machine.counter = 5 * SECOND
    await machine.look()
    await until(lambda: alice.states(bob) == ["failed"])


async def test_what_was_delivered_in_time_does_not_expire(alice: Person, bob: Person, machine: Machine) -> None:
    await bob.start()
    await machine.send(bob, "soon", 10)
    await until(lambda: alice.states(bob) == ["delivered"])

    machine.counter = DAY
    await machine.look()

    await until(lambda: not alice.db.read("SELECT 1 FROM expiries"))
    assert alice.states(bob) == ["delivered"]
    assert machine.told == []


async def test_what_is_tried_again_does_not_expire_a_second_time(alice: Person, bob: Person, machine: Machine) -> None:
    await machine.send(bob, "soon", 10)
    machine.counter = DAY
    await machine.look()
    await until(lambda: alice.states(bob) == ["failed"])

    await alice.db.write(lambda db: voids.retry(db, 1, alice.clock, alice.peers._rng))
    machine.counter = 2 * DAY
    await machine.look()

    assert alice.db.read("SELECT 1 FROM expiries") == []
    assert alice.states(bob) == ["pending"]
    assert history.pending_count(alice.db.reader) == 1
    assert streams.waiting(alice.db.reader) == [1]
