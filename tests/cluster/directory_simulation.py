"""Several managers in this process over one simulated directory, in virtual time; and bugs planted in that directory.

The managers are real down to their ASGI applications; only sockets, bcrypt and the directory are not. The directory is
what a Raft group looks like from outside: it takes a while, loses answers, sometimes has no quorum, and its leader is
killed. Each bug is a wrapper around the port (:class:`telegraph.directory.port.Directory`) that does one thing wrong.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
from directory_load import Fault, Load, NotSent, Unanswered

from telegraph.directory import records
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Change, Delete, Entry, Put, Snapshot, Unchanged
from telegraph.directory.records import Presence
from telegraph.errors import DirectoryUnavailable, FateUnknown
from telegraph.manager.accounts import Accounts, AccountSettings
from telegraph.manager.api.application import Application
from telegraph.manager.attending import Attending
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.care import Care
from telegraph.manager.core import Core
from telegraph.manager.gate import Gate
from telegraph.manager.look_ups import LookUps
from telegraph.manager.metrics import Metrics
from telegraph.manager.moment import Moment
from telegraph.manager.passwords import Passwords
from telegraph.manager.people import People
from telegraph.manager.ratelimit import FailureLimit
from telegraph.manager.reaching import Reaching
from telegraph.manager.revocations import RevokedKeys
from telegraph.manager.roster import Roster
from telegraph.manager.settings import ManagerSettings
from telegraph.manager.streams import Hub
from telegraph.protocol.addresses import Address
from telegraph.testing.virtual_time import run as run_virtually

MANAGERS = ("one", "two", "three")
WALL = 1_900_000_000.0
HOP = 0.003
"""Mean seconds between a manager and the group's leader, one way."""

BEHIND = 0.3
"""Seconds by which what should be safe or fresh is not, in the bugs about that."""

LOST_REQUEST, LOST_ANSWER, CRASH = 0.01, 0.02, 0.02


def now() -> Moment:
    time = asyncio.get_running_loop().time()
    return Moment(time, WALL + time)


class Group:
    """The replicated state. ``unsafe`` is how many seconds of acknowledged commits die with the leader: none should."""

    def __init__(self, rng: Random, unsafe: float = 0.0) -> None:
        self.rng = rng
        self.state = MemoryDirectory()
        self.quorum = True
        self._unsafe = unsafe
        self._undo: list[tuple[float, dict[str, Entry | None]]] = []

    async def hop(self) -> None:
        await asyncio.sleep(self.rng.expovariate(1 / HOP))
        if not self.quorum:
            raise DirectoryUnavailable

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        before = {write.key: await self.state.get(write.key) for write in writes}
        revision = await self.state.commit(conditions, writes)
        if revision is not None:
            self._undo.append((asyncio.get_running_loop().time(), before))
        return revision

    def lose_leader(self) -> None:
        """The next leader has what was safe."""
        moment = asyncio.get_running_loop().time() - self._unsafe
        while self._undo and self._undo[-1][0] > moment:
            for key, entry in self._undo.pop()[1].items():
                self.state._entries.pop(key, None)
                if entry is not None:
                    self.state._entries[key] = entry

    async def as_of(self, key: str, ago: float) -> Entry | None:
        """A key as it was some time ago."""
        entry, moment = await self.state.get(key), asyncio.get_running_loop().time() - ago
        for at, before in reversed(self._undo):
            if at <= moment:
                break
            entry = before.get(key, entry)
        return entry


class View:
    """A manager's way to the group, without a bug: it says so when it does not know what became of a commit."""

    def __init__(self, group: Group) -> None:
        self.group = group

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        await self.group.hop()
        entry = await self.group.state.get(key, stale=stale)
        await self.group.hop()
        return entry

    async def scan(self, prefix: str, *, limit: int = 0, stale: bool = False) -> Snapshot:
        await self.group.hop()
        return await self.group.state.scan(prefix, limit=limit, stale=stale)

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        await self.group.hop()
        if self.group.rng.random() < LOST_REQUEST:
            raise FateUnknown
        revision = await self.group.commit(conditions, writes)
        if self.group.rng.random() < LOST_ANSWER:
            raise FateUnknown
        try:
            await self.group.hop()
        except DirectoryUnavailable:
            raise FateUnknown from None
        return revision

    async def grant(self, ttl: float) -> int:
        return await self.group.state.grant(ttl)

    async def keep_alive(self, lease: int) -> float:
        return await self.group.state.keep_alive(lease)

    async def revoke(self, lease: int) -> None:
        await self.group.state.revoke(lease)

    def watch(self, prefix: str, *, after: int) -> AsyncIterator[Change]:
        return self.group.state.watch(prefix, after=after)

    async def close(self) -> None:
        """The group goes on."""


class CreatesWithoutComparing(View):
    """Registers without looking whether somebody else was quicker."""

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        blind = [condition for condition in conditions if not condition.key.startswith(records.NAMES)]
        return await super().commit(blind, writes)


class RetriesBlindly(View):
    """Commits again when no answer came, as if it were the first time."""

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        while True:
            try:
                return await super().commit(conditions, writes)
            except FateUnknown:
                continue


class CallsTheUnknownFailed(View):
    """Says that nothing was done when no answer came."""

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        try:
            return await super().commit(conditions, writes)
        except FateUnknown:
            raise DirectoryUnavailable from None


class ReadsFromAFollower(View):
    """Answers from a copy that is a moment behind, without a word about it."""

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:  # noqa: ARG002 - it always is
        await self.group.hop()
        return await self.group.as_of(key, BEHIND)


BUGS: dict[str, tuple[type[View], float, str]] = {
    "create_without_compare_and_set": (CreatesWithoutComparing, 0.0, "given_twice"),
    "acknowledge_without_quorum": (View, BEHIND, "lost"),
    "retry_blindly": (RetriesBlindly, 0.0, "not_linearizable"),
    "call_the_unknown_failed": (CallsTheUnknownFailed, 0.0, "not_linearizable"),
    "read_from_a_follower": (ReadsFromAFollower, 0.0, "not_linearizable"),
}
"""Each bug: the way to the group that has it, how many seconds of commits die with a leader, what must notice it."""


class QuickPasswords(Passwords):
    """No hash at all, and no thread, which virtual time would not wait for."""

    async def hash(self, password: bytes) -> str:
        return secrets.token_hex(4) + password.decode()

    async def matches(self, password: bytes, stored: str | None) -> bool:
        return stored is not None and stored[8:] == password.decode()


async def _nobody_answers(_address: Address, _user_id: str) -> bool:
    """There are no nodes here."""
    return False


async def _nobody_is_told(_user_id: str, _known: Presence) -> None:
    """Nobody falls silent here."""


def manager(view: View, ca: CertificateAuthority) -> Application:
    """A manager without its sockets and background jobs."""
    attending = Attending(view, secrets.token_hex(4), 1e9, now, _nobody_is_told, alone=False)
    attendance, locks, lifetime = attending.attendance, attending.locks, timedelta(days=30)
    passwords, failures = QuickPasswords(4), FailureLimit(0)
    rules = AccountSettings("open", lifetime)
    core = Core(
        settings=ManagerSettings(data=Path("/nonexistent")),
        directory=view,
        recent=view,
        accounts=Accounts(view, attendance, locks, passwords, failures, ca, now, rules),
        care=Care(view, attendance, locks, Gate(passwords, failures, now), now, lifetime, lambda _ended: None),
        revoked=RevokedKeys(view),
        attendance=attendance,
        people=People(view, attendance.live, attendance.roll),
        look_ups=LookUps(view, lambda reads: People(reads, attendance.live, attendance.roll)),
        hub=(hub := Hub()),
        roster=Roster(hub, "https://simulated:8000"),
        metrics=Metrics(),
        reaching=Reaching(People(view, attendance.live, attendance.roll), _nobody_answers, now),
        ca_pem=ca.pem,
        url="https://127.0.0.1:8000",
    )
    return Application(core)


class InProcess:
    """Calls them, as :class:`directory_load.Caller`; now and then one crashes in the middle of a call."""

    def __init__(self, applications: dict[str, Any], rng: Random) -> None:
        self.managers: Sequence[str] = tuple(applications)
        self._rng = rng
        self._clients = {
            name: httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="https://manager")
            for name, application in applications.items()
        }

    async def call(
        self, manager: str, method: str, path: str, body: dict[str, Any] | None = None, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        await asyncio.sleep(self._rng.expovariate(1 / HOP))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        asking = asyncio.ensure_future(self._clients[manager].request(method, path, json=body, headers=headers))
        chance = self._rng.random()
        if chance < CRASH / 2:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            raise NotSent
        if chance < CRASH:
            await asyncio.wait([asking], timeout=self._rng.expovariate(1 / (4 * HOP)))
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            raise Unanswered
        answer = await asking
        await asyncio.sleep(self._rng.expovariate(1 / HOP))
        return answer.status_code, answer.json()

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()


def troubles(group: Group, count: int) -> list[Fault]:
    """The leader is killed again and again; sometimes there is no quorum for a while."""

    async def trouble() -> None:
        await asyncio.sleep(group.rng.uniform(0.1, 0.4))
        group.lose_leader()
        if group.rng.random() < 0.3:
            group.quorum = False
            await asyncio.sleep(0.1)
            group.quorum = True

    return [trouble] * count


def simulate(seed: int, bug: str | None = None, *, operations: int = 400, clients: int = 8) -> Load:
    """A whole run; its history is in the load."""
    kind, unsafe, _ = BUGS[bug] if bug else (View, 0.0, "")

    async def live() -> Load:
        group = Group(Random(f"{seed} group"), unsafe)
        ca = CertificateAuthority.create("Testing", now().utc)
        caller = InProcess({name: manager(kind(group), ca) for name in MANAGERS}, Random(f"{seed} caller"))
        load = Load(caller, seed, clients=clients, clock=asyncio.get_running_loop().time)
        try:
            await load.run(operations, troubles(group, 6))
        finally:
            await caller.close()
        return load

    return run_virtually(live())
