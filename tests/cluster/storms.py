"""Traffic and faults for real people: who writes when, what breaks when. A plan depends on its seed alone."""

import asyncio
import contextlib
import itertools
import json
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random

import msgspec
from people import Person, RealTown

from telegraph.protocol.node_api import Message
from telegraph.testing.history import Called, Fault, Refused, Returned, Told
from telegraph.testing.switch import Line
from telegraph.testing.validators import Violation, check

DAY = 86_400
EXPIRING, REGRETTED = 0.02, 0.03
"""Shares of the messages that are given little time, or are cancelled and perhaps sent after all."""

MANAGER = "manager"
TO_MANAGER = 0.3
"""Share of the cuts that cut somebody off from the manager only."""

LINES = ("cut", "one_way", "delay", "lose", "packets")
FAULTS = ("kill", "restart", "move", "pause", "clock", "disk_full", MANAGER, *LINES)


class Blow(msgspec.Struct, frozen=True):
    """One fault: what, whom it hits, for how many seconds, and how many seconds of peace come after it.

    ``other`` is at the other end of a cut: somebody else, or the manager.
    """

    what: str
    victim: str
    other: str
    hold: float
    peace: float


def plan(seed: int, names: Sequence[str], faults: Sequence[str] = FAULTS) -> Iterator[Blow]:
    """Endless blows: each round has every fault once, in an order of its own. Pure."""
    rng = Random(f"{seed} storm")
    while True:
        for what in rng.sample(faults, len(faults)):
            victim, other = rng.sample(sorted(names), 2)
            other = MANAGER if rng.random() < TO_MANAGER else other
            yield Blow(what, victim, other, rng.choice((0.3, 1.0, 2.0, 4.5)), rng.choice((0.0, 0.3, 1.0)))


class Storm:
    """Carries out a plan in a town."""

    def __init__(self, town: RealTown, seed: int) -> None:
        self.town = town
        self.rng = Random(f"{seed} details")
        self.blows: Counter[str] = Counter()
        self._locks = {name: asyncio.Lock() for name in (*town.people, MANAGER)}

    async def strike(self, blow: Blow) -> None:
        """Several may be under way at once, but only one that is about the same process."""
        if blow.what in LINES:
            await self._noted(blow, self._line)
        else:
            async with self._locks[MANAGER if blow.what == MANAGER else blow.victim]:
                await self._noted(blow, self._process)
        await asyncio.sleep(blow.peace)

    async def _noted(self, blow: Blow, inflict: Callable[[Blow, Person], Awaitable[None]]) -> None:
        self.town.history.note(Fault, what=blow.what, who=[blow.victim, blow.other], detail=f"{blow.hold} s")
        self.blows[blow.what] += 1
        await inflict(blow, self.town.people[blow.victim])
        self.town.history.note(Fault, what=f"end of {blow.what}", who=[blow.victim])

    async def _process(self, blow: Blow, victim: Person) -> None:
        match blow.what:
            case "kill" | "restart" | "move":
                await victim.stop() if blow.what == "restart" else await victim.kill()
                await asyncio.sleep(blow.hold)
                victim.port += blow.what == "move"
                await victim.start()
            case "pause":
                victim.signal(signal.SIGSTOP)
                await asyncio.sleep(blow.hold)
                victim.signal(signal.SIGCONT)
            case "disk_full":
                victim.fill_disk()
                await asyncio.sleep(blow.hold)
                victim.empty_disk()
            case "clock":
                victim.set_clock(self.rng.choice((-DAY, 0, DAY)))
                await asyncio.sleep(blow.hold)
            case _:
                await self._manager_away(blow.hold)

    async def _line(self, blow: Blow, victim: Person) -> None:
        network = self.town.network
        match blow.what:
            case "cut":
                network.set(victim.name, blow.other, Line(cut=True))
            case "one_way":
                network.set(victim.name, blow.other, Line(cut=True), one_way=True)
            case "delay":
                network.isolate(victim.name, Line(delay=0.1, jitter=0.05))
            case "lose":
                network.isolate(victim.name, Line(lose=0.1))
            case "packets":
                network.isolate(victim.name, Line(repeat=0.2, overtake=0.2, overtaken_by=0.01))
        await asyncio.sleep(blow.hold)
        network.heal()

    async def _manager_away(self, hold: float) -> None:
        assert self.town.manager is not None
        await asyncio.to_thread(self.town.manager.kill)
        await asyncio.sleep(hold)
        await asyncio.to_thread(self.town.start_manager)


class Traffic:
    """Everybody writes to everybody, and reads now and then, until :meth:`stop`."""

    def __init__(self, town: RealTown, seed: int, *, writers: int = 4, pause: float = 0.0) -> None:
        """``writers`` for each node write at once; ``pause`` is the mean seconds between the messages of one."""
        self.town = town
        self.enough = asyncio.Event()
        self._target: int | None = None
        self.tried = 0
        self._pause = pause
        self._tasks = [
            asyncio.create_task(self._write(person, Random(f"{seed} {person.name} {writer}")))
            for person in town.people.values()
            for writer in range(writers)
        ]
        self._tasks += [
            asyncio.create_task(self._read(person, Random(f"{seed} {person.name} reads")))
            for person in town.people.values()
        ]

    async def until(self, messages: int) -> None:
        """Waits until so many sends were tried altogether."""
        self._target = messages
        self._count(0)
        await self.enough.wait()

    async def stop(self) -> None:
        """Everybody finishes the sentence."""
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    def _count(self, more: int) -> None:
        self.tried += more
        if self._target is not None and self.tried >= self._target:
            self.enough.set()

    async def _write(self, person: Person, rng: Random) -> None:
        others = self.town.others(person.name)
        while True:
            await person.up.wait()
            filler = "x" * (rng.randrange(200) if rng.random() < 0.99 else 5000)
            expires_in = rng.uniform(1.0, 3.0) if rng.random() < EXPIRING else None
            message = await person.send(rng.choice(others), filler, expires_in=expires_in)
            self._count(1)
            if message is None:
                await asyncio.sleep(0.05)  # away, or its disk is full
            elif rng.random() < REGRETTED:
                await self._regret(person, message, rng)
            if self._pause:
                await asyncio.sleep(rng.expovariate(1 / self._pause))

    async def _regret(self, person: Person, message: Message, rng: Random) -> None:
        """Changes their mind about a message, once or more often."""
        for again in (False, True, False, True)[: rng.choice((1, 1, 2, 3, 4))]:
            await person.regret(message, again=again)
            await asyncio.sleep(rng.choice((0.0, 0.0, 0.01, 0.2)))

    async def _read(self, person: Person, rng: Random) -> None:
        others = self.town.others(person.name)
        while True:
            await person.up.wait()
            await person.read(rng.choice(others))
            await asyncio.sleep(rng.uniform(0.2, 1.0))


async def rage(storm: Storm, blows: Iterator[Blow], enough: asyncio.Event | None) -> None:
    """Blow after blow, to the last or until it is ``enough``."""
    for blow in blows:
        await storm.strike(blow)
        if enough is not None and enough.is_set():
            return


async def run(
    town: RealTown,
    seed: int,
    *,
    blows: int | None,
    messages: int,
    writers: int = 4,
    pause: float = 0.0,
    at_once: int = 1,
) -> list[Violation]:
    """A whole run: traffic under faults, then quiet; every broken promise. Prints what it was.

    At least so many ``messages``, and so many ``blows``; None: until there were enough messages. ``at_once``: so many
    blows side by side.
    """
    began = time.monotonic()
    storm, traffic = Storm(town, seed), Traffic(town, seed, writers=writers, pause=pause)
    lanes = itertools.tee(itertools.islice(plan(seed, sorted(town.people)), blows), at_once)
    dealt = [itertools.islice(lane, number, None, at_once) for number, lane in enumerate(lanes)]
    try:
        raging = [rage(storm, lane, traffic.enough if blows is None else None) for lane in dealt]
        await asyncio.gather(traffic.until(messages), *raging)
    finally:
        with contextlib.suppress(Exception):
            town.network.heal()
        await traffic.stop()
    await town.settle()
    violations = check(town.history.records)
    print(report(town, seed, storm, time.monotonic() - began, violations))  # noqa: T201 - the report
    return violations


def report(town: RealTown, seed: int, storm: Storm, seconds: float, violations: list[Violation]) -> str:
    """What happened, in one line of JSON."""
    kinds = Counter(type(record).__name__ for record in town.history.records)
    ticks = Counter(record.state for record in town.history.records if isinstance(record, Told) and record.mine)
    return json.dumps(
        {
            "seed": seed,
            "nodes": len(town.people),
            "tried": kinds[Called.__name__],
            "returned": kinds[Returned.__name__],
            "refused": kinds[Refused.__name__],
            "ticks": dict(ticks),
            "faults": dict(storm.blows),
            "packets": msgspec.to_builtins(town.network.counts()),
            "seconds": round(seconds),
            "violations": dict(Counter(violation.promise for violation in violations)),
        }
    )
