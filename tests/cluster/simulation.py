"""Whole lives of nodes in virtual time: links, couriers and stores are the real ones, network and disks are simulated.

A run depends on its seed alone, so that the same one can be seen again. Crashes lose what was not committed; commits
take a while, and after one it takes another while until anybody hears of it.
"""

import asyncio
import contextlib
import itertools
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest import mock

import msgspec

from telegraph.errors import DataUnreadable, ManagerAway, UnknownUser, WrongState
from telegraph.node import acts, history, streams, talk
from telegraph.node.broker import Broker
from telegraph.node.contacts import ContactBook
from telegraph.node.database import Database
from telegraph.node.model import MessageReceived, MessageSent, StateChanged, id_text
from telegraph.node.peers import Peers
from telegraph.peer.memory import Dishonesty, MemoryNetwork
from telegraph.protocol.addresses import Address
from telegraph.protocol.identity import Holder
from telegraph.protocol.manager_api import User
from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import migrate
from telegraph.testing.history import (
    Called,
    Fault,
    Final,
    GivenUp,
    History,
    Kept,
    ReadCalled,
    Refused,
    Returned,
    Shown,
    Told,
    TriedAgain,
)
from telegraph.testing.validators import GIVEN_UP

T = TypeVar("T")

DAY = 86_400 * 1_000_000
EPOCH = 1_900_000_000_000_000
"""Microseconds since 1970 at the start of a run."""

PATIENCE = 0.005
"""Virtual seconds that a job may wait which need not be soon."""

QUIET_WITHIN = 600.0
"""Virtual seconds after the last fault within which everything must have arrived."""


class Disk:
    """What outlives its node: the committed part of a database, in memory. Stands in for the node's writer."""

    def __init__(self, rng: Random) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        migrate(self.connection, "telegraph.node", Path("memory"))
        self.full = False
        self.under_way: Callable[[], int | None] = lambda: None
        self._rng = rng
        self._jobs: list[Job] = []
        self._committing: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[sqlite3.Connection], T], *, brief: bool = False) -> T:  # noqa: ARG002
        result: T = await self._hand_in(lambda connection, _: [work(connection)], urgent=True)
        return result

    def run_together(self, work: Any, item: Any, _loop: asyncio.AbstractEventLoop) -> "asyncio.Future[Any]":
        return self._hand_in(work, item, urgent=True)

    def run_later(self, work: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        return self._hand_in(lambda connection, _: [work(connection)], urgent=False)

    def _hand_in(self, work: Any, *items: Any, urgent: bool) -> "asyncio.Future[Any]":
        job = Job(work, items, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all(0.0 if urgent else PATIENCE))
        return job.future

    async def close(self) -> None:
        """Nothing to close: the disk stays."""

    def crash(self) -> None:
        """What is not committed is gone, and who waits for it waits for ever."""
        self._jobs.clear()
        if self._committing is not None:
            self._committing.cancel()
            self._committing = None

    async def _commit_all(self, patience: float) -> None:
        await asyncio.sleep(patience)
        while self._jobs:
            await asyncio.sleep(self._rng.choice((0.0, 0.001, 0.01, 0.2)))
            batch, self._jobs = self._jobs, []
            self._commit(batch)
            await asyncio.sleep(self._rng.choice((0.0, 0.0, 0.01)))  # it is durable, and nobody knows yet
            for job in batch:
                job.settle()
        self._committing = None

    def _commit(self, batch: "list[Job]") -> None:
        self.connection.execute("BEGIN")
        for _, neighbours in itertools.groupby(batch, key=lambda job: job.work):
            self._do(list(neighbours))
        if not self.full:
            self.connection.execute("COMMIT")
            return
        self.connection.execute("ROLLBACK")
        for job in batch:
            job.error = DataUnreadable(data="-", detail="the disk is full")

    def _do(self, jobs: "list[Job]") -> None:
        """Alike jobs at once, as the node's writer does them."""
        self.connection.execute("SAVEPOINT job")
        try:
            results = jobs[0].work(self.connection, [item for job in jobs for item in job.items])
            for job, result in zip(jobs, results, strict=True):
                job.result = result
        except Exception as error:  # noqa: BLE001 - as the writer: it goes to who asked for the job
            for job in jobs:
                job.error = error
            self.connection.execute("ROLLBACK TO job")
        self.connection.execute("RELEASE job")


class Job:
    """Something to be written; ``work`` makes one result for each of the ``items`` of all jobs that have it."""

    def __init__(self, work: Any, items: tuple[Any, ...], future: "asyncio.Future[Any]") -> None:
        self.work, self.items, self.future = work, items, future
        self.result: Any = None
        self.error: Exception | None = None

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Resident:
    """Somebody's node, and somebody who writes and reads there."""

    def __init__(self, town: "SimTown", name: str) -> None:
        self.town, self.name = town, name
        self.rng = Random(f"{town.seed} {name}")
        self.holder = Holder("user", f"{name}-id", self.rng.randbytes(32))
        self.disk = Disk(Random(f"{town.seed} {name} disk"))
        self.moves = 1
        self.skew = 0
        self.cursor = 0
        self.count = 0
        self.up = False
        self.busy: set[asyncio.Task[Any]] = set()

    @property
    def address(self) -> Address:
        return Address(f"{self.name}-{self.moves}", 8000)

    def in_directory(self) -> User:
        key = b64encode(self.holder.key).decode()
        at = self.address
        return User(self.name, self.holder.id, at.host, at.port, "online", None, key, self.moves)

    async def start(self) -> None:
        self.database = Database(self.disk.connection, self.disk)  # type: ignore[arg-type]  # it stands in for the writer
        self.contacts = ContactBook(self.database)
        self.broker = Broker(self.database)
        self.peers = Peers(
            endpoint=self.town.network.endpoint(self.address, self.holder),
            user_id=self.holder.id,
            username=self.name,
            key=self.holder.key,
            database=self.database,
            contacts=self.contacts,
            broker=self.broker,
            find_user=self.town.find,
            learn=self.contacts.learn,
            own=None,
            managers_away=lambda: False,
            on_marked_offline=_ignore,
            rng=self.rng,
        )
        self.up = True
        await self.peers.start()
        self.do(self._follow())

    def do(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self.busy.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self.busy.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.town.mistakes.append(task.exception())

    async def crash(self) -> None:
        """As kill -9: what is not committed, in flight or half done is gone."""
        self.up = False
        self.disk.crash()
        self.town.network.break_links(self.address)
        for task in list(self.busy):
            task.cancel()
        await asyncio.gather(*self.busy, return_exceptions=True)
        await self.peers.close()
        self.disk.crash()

    # --- the person ---

    def now(self) -> int:
        return EPOCH + int(asyncio.get_running_loop().time() * 1_000_000) + self.skew

    async def send(self, peer: str) -> None:
        note, text = self.town.history.note, f"{self.name} to {peer}, number {self.count}"
        self.count += 1
        note(Called, node=self.name, peer=peer, text=text)
        try:
            draft = streams.Draft(await self._contact(peer), text, self.now())
            stored = await self.database.write_together(self._append, draft)
        except (DataUnreadable, ManagerAway) as refusal:
            note(Refused, node=self.name, peer=peer, text=text, error=refusal.code)
            return
        message_id = id_text(stored.uuid)
        note(Returned, node=self.name, peer=peer, text=text, id=message_id)
        self.broker.wake()
        self.peers.offer(draft.contact, streams.as_frame(draft, stored, self.holder.id, f"{peer}-id"))
        if self.rng.random() < self.town.weather.regrets:
            await self._regret(peer, text, message_id)

    def _append(self, connection: sqlite3.Connection, drafts: Any) -> Any:
        return streams.append_all(connection, drafts, self.rng)

    async def _regret(self, peer: str, text: str, message_id: str) -> None:
        """Gives a message up after a while, and perhaps changes their mind, more than once."""
        for _ in range(self.rng.choice((1, 1, 2, 3, 4))):
            await asyncio.sleep(self.rng.choice((0.0, 0.005, 0.1, 3.0)))
            now = self.now()
            with contextlib.suppress(DataUnreadable, WrongState):
                if history.state(self.database.reader, acts.locate(self.database, message_id).row) in GIVEN_UP:
                    self.town.history.note(TriedAgain, node=self.name, peer=peer, text=text)
                    found = await acts.retry(self.database, message_id, now, self.rng)
                    self.peers.hurry(found.contact)
                else:
                    self.town.history.note(GivenUp, node=self.name, peer=peer, text=text)
                    found = await acts.cancel(self.database, message_id)
                self.peers.happened(found.contact)

    async def read(self, peer: str) -> None:
        self.town.history.note(ReadCalled, node=self.name, peer=peer)
        try:
            contact = await self._contact(peer)
            await self.database.write(lambda connection: streams.read_here(connection, contact))
        except (DataUnreadable, ManagerAway):
            return
        self.peers.happened(contact)

    async def _contact(self, peer: str) -> int:
        known = self.contacts.named(peer)
        return known.id if known else (await self.contacts.learn(await self.town.find(peer))).id

    async def _follow(self) -> None:
        async for cursor, event in self.broker.follow(lambda: self.name, self.cursor):
            match event:
                case MessageReceived(message) | MessageSent(message):
                    self._note(Shown, message, id=message.id, text=message.text)
                case StateChanged(message):
                    self._note(Told, message, id=message.id, state=message.state)
            self.cursor = cursor

    def _note(self, kind: type[Shown] | type[Told], message: Any, **fields: Any) -> None:
        peer = message.recipient if message.mine else message.sender
        self.town.history.note(kind, node=self.name, peer=peer, mine=message.mine, **fields)

    # --- the end ---

    def is_quiet(self) -> bool:
        return (
            self.up and len(self.busy) == 1 and not streams.waiting(self.database.reader)
        )  # only its follower is busy

    def final(self, peer: str) -> list[Kept]:
        contact = self.contacts.named(peer)
        if contact is None:
            return []
        page, _ = history.page(self.database.reader, contact.id, self.name, before=None, limit=100_000)
        return [Kept(message.id, message.text, message.mine, message.state, message.kind) for message in page]


async def _ignore(_reason: str) -> None:
    pass


class Weather(msgspec.Struct, frozen=True):
    """How a run is to be: which faults may happen, how often, how many messages."""

    faults: tuple[str, ...] = (
        "kill",
        "stop",
        "break",
        "cut",
        "one_way",
        "delay",
        "drop",
        "dishonest",
        "disk_full",
        "clock",
        "move",
        "no_managers",
    )
    messages: int = 60
    regrets: float = 0.15
    seconds: float = 30.0


class SimTown:
    """The people of one run."""

    def __init__(self, seed: int, names: tuple[str, ...] = ("alice", "bob"), weather: Weather | None = None) -> None:
        self.seed = seed
        self.rng = Random(f"{seed} weather")
        self.weather = weather or Weather()
        self.network = MemoryNetwork(seed=seed, silence=3.0)
        self.history = History(clock=lambda: asyncio.get_running_loop().time())
        self.managers_live = True
        self.restless: list[str] = []
        self.mistakes: list[BaseException | None] = []
        self.people = {name: Resident(self, name) for name in names}

    async def find(self, username: str) -> User:
        await asyncio.sleep(self.rng.choice((0.001, 0.05)))
        if not self.managers_live:
            raise ManagerAway
        if username not in self.people:
            raise UnknownUser(username=username)
        return self.people[username].in_directory()

    async def live(self) -> History:
        """One whole run: traffic and faults, then quiet, then what both ends keep."""
        dice = Random(f"{self.seed} links")
        clock = SimpleNamespace(time_ns=lambda: EPOCH * 1000 + int(asyncio.get_running_loop().time() * 1e9))
        with mock.patch.multiple(talk, time=clock, Random=lambda: Random(dice.getrandbits(64))):
            return await self._live()

    async def _live(self) -> History:
        for person in self.people.values():
            await person.start()
        traffic = [asyncio.create_task(self._traffic(person)) for person in self.people.values()]
        while not all(task.done() for task in traffic):
            await asyncio.sleep(self.rng.uniform(0.0, 2.0))
            await self._fault()
        await asyncio.gather(*traffic)
        self._heal()
        await self._become_quiet()
        self._finish()
        for person in self.people.values():
            await person.crash()
        await self.network.close()
        return self.history

    async def _become_quiet(self) -> None:
        """Until nothing waits any more; :attr:`restless` if that never comes."""
        try:
            async with asyncio.timeout(QUIET_WITHIN):
                while not all(person.is_quiet() for person in self.people.values()):  # noqa: ASYNC110 - no one event says so
                    await asyncio.sleep(0.5)
        except TimeoutError:
            self.restless = [name for name, person in self.people.items() if not person.is_quiet()]
        await asyncio.sleep(1)  # for followers

    def _finish(self) -> None:
        if self.mistakes:
            raise ExceptionGroup("mistakes", [mistake for mistake in self.mistakes if isinstance(mistake, Exception)])
        for name, person in self.people.items():
            for peer in self.people:
                if peer != name:
                    self.history.note(Final, node=name, peer=peer, messages=person.final(peer))

    async def _traffic(self, person: Resident) -> None:
        others = [name for name in self.people if name != person.name]
        rng = Random(f"{self.seed} {person.name} traffic")
        share = self.weather.messages // len(self.people)
        for _ in range(share):
            await asyncio.sleep(rng.expovariate(share / self.weather.seconds))
            if not person.up:
                continue
            for _ in range(rng.choice((1, 1, 1, 4))):
                person.do(person.send(rng.choice(others)))
            if rng.random() < 0.3:
                person.do(person.read(rng.choice(others)))

    # --- faults ---

    async def _fault(self) -> None:
        what = self.rng.choice(self.weather.faults)
        victim, other = self.rng.sample(sorted(self.people), 2)
        self.history.note(Fault, what=what, who=[victim, other])
        await self._inflict(what, self.people[victim], self.people[other])

    async def _inflict(self, what: str, victim: Resident, other: Resident) -> None:
        hold = self.rng.choice((0.05, 0.5, 2.0, 5.0))
        if what in ("kill", "stop", "move"):
            await self._restart(victim, hold, move=what == "move", crash=what != "stop")
            return
        self._begin(what, victim, other)
        await asyncio.sleep(hold)
        if self.rng.random() < 0.7:  # else it goes on while the next one comes
            self._heal()

    def _begin(self, what: str, victim: Resident, other: Resident) -> None:
        choose = self.rng.choice
        begin: dict[str, Callable[[], None]] = {
            "break": lambda: self.network.break_links(victim.address),
            "clock": lambda: setattr(victim, "skew", choose((-DAY, 0, DAY))),
            "cut": lambda: self.network.cut(victim.address, other.address),
            "one_way": lambda: self.network.cut(victim.address, other.address, one_way=True),
            "delay": lambda: self.network.delay(choose((0.01, 0.3))),
            "drop": lambda: self.network.drop(choose((0.05, 0.3))),
            "dishonest": lambda: self.network.be_dishonest(
                Dishonesty(repeat=0.2, overtake=0.2, late=choose((0.01, 0.3)))
            ),
            "disk_full": lambda: setattr(victim.disk, "full", True),
            "no_managers": lambda: setattr(self, "managers_live", False),
        }
        begin[what]()

    async def _restart(self, victim: Resident, hold: float, *, move: bool, crash: bool) -> None:
        if not crash:
            await victim.peers.close()
        await victim.crash()
        await asyncio.sleep(hold)
        victim.moves += move
        await victim.start()
        if self.managers_live:  # their event stream tells those who know the victim
            for person in self.people.values():
                known = person.contacts.of_user(victim.holder.id)
                if person is not victim and known is not None and not person.disk.full:
                    await person.peers.learn(victim.in_directory())
                    person.peers.hurry(known.id)

    def _heal(self) -> None:
        self.network.recover()
        self.managers_live = True
        for person in self.people.values():
            person.disk.full = False
