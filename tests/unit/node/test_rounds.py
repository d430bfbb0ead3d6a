"""While no manager answers, a node visits those whom it talks with."""

import asyncio
from random import Random

import pytest
from town import Town, until

from telegraph.node import peers, rounds
from telegraph.node.rounds import Rounds


class People:
    """Who is visited; who is told drops out."""

    def __init__(self, *unreachable: int) -> None:
        self.waiting = [1, 2, 3]
        self.unreachable = unreachable
        self.visits: list[int] = []
        self.visited = asyncio.Event()

    def untold(self, most: int) -> list[int]:
        return self.waiting[:most]

    def visit(self, contact_id: int) -> None:
        self.visits.append(contact_id)
        if contact_id not in self.unreachable:
            self.waiting = [one for one in self.waiting if one != contact_id]
        self.visited.set()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "_APART", 0.0)
    monkeypatch.setattr(rounds, "LAST_ROUND", 0.004)
    monkeypatch.setattr(peers, "FIRST_ROUND", 0.01)


async def test_each_is_visited_once_and_who_is_away_again() -> None:
    people = People(2)
    task = asyncio.create_task(Rounds(people, lambda: True, Random(1), first=0.001).run())

    await until(lambda: people.visits.count(2) >= 3)
    task.cancel()

    assert people.visits.count(1) == people.visits.count(3) == 1


async def test_nobody_is_visited_while_a_manager_tells_people_where_we_are() -> None:
    people, looks = People(), 0

    def away() -> bool:
        nonlocal looks
        looks += 1
        return looks > 5

    task = asyncio.create_task(Rounds(people, away, Random(1), first=0.001).run())
    await people.visited.wait()
    task.cancel()

    assert looks == 6


async def test_news_begin_a_round_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LAST_ROUND", 3600.0)
    people = People()
    going = Rounds(people, lambda: True, Random(1), first=3600.0)
    task = asyncio.create_task(going.run())
    await asyncio.sleep(0)
    assert people.visits == []

    going.hurry()

    await asyncio.wait_for(people.visited.wait(), 5)
    task.cancel()


async def test_who_starts_without_managers_gets_what_waits_for_them_though_nothing_waits_here(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "hello")
    await until(lambda: alice.states(bob) == ["delivered"])
    town.managers_live = False
    await bob.stop()
    await alice.send(bob, "when you are back")

    await bob.move("elsewhere.example")

    await until(lambda: alice.states(bob) == ["delivered"] * 2)
