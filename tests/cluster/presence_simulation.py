"""Managers over one directory in virtual time, with nodes that show their life to them; nothing of HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from telegraph.directory import records
from telegraph.directory.cluster_records import LEADER
from telegraph.directory.election import Election, Leadership
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Change, Entry, Put, Snapshot, Unchanged
from telegraph.directory.records import Account, Attachment, Presence, Session
from telegraph.errors import DirectoryUnavailable
from telegraph.manager.attending import Attending
from telegraph.manager.background import keep_running
from telegraph.manager.moment import Moment
from telegraph.manager.people import People
from telegraph.manager.sessions import Caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from telegraph.directory.port import Delete
    from telegraph.protocol.manager_api import Status

OFFLINE_AFTER = 30.0
BEAT = 10.0
LEASE = 10.0
_BEGAN = 1_900_000_000.0


def clock() -> Moment:
    """The loop's time."""
    mono = asyncio.get_running_loop().time()
    return Moment(mono, _BEGAN + mono)


class Way:
    """A manager's way to the directory, which can be cut."""

    def __init__(self, directory: MemoryDirectory) -> None:
        self.directory = directory
        self._open = asyncio.Event()
        self._open.set()

    @property
    def cut(self) -> bool:
        """Whether nothing gets through."""
        return not self._open.is_set()

    @cut.setter
    def cut(self, cut: bool) -> None:
        if cut:
            self._open.clear()
        else:
            self._open.set()

    def _check(self) -> None:
        if self.cut:
            raise DirectoryUnavailable

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        self._check()
        return await self.directory.get(key, stale=stale)

    async def scan(self, prefix: str, *, limit: int = 0, stale: bool = False) -> Snapshot:
        self._check()
        return await self.directory.scan(prefix, limit=limit, stale=stale)

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        self._check()
        return await self.directory.commit(conditions, writes)

    async def grant(self, ttl: float) -> int:
        self._check()
        return await self.directory.grant(ttl)

    async def keep_alive(self, lease: int) -> float:
        self._check()
        return await self.directory.keep_alive(lease)

    async def revoke(self, lease: int) -> None:
        self._check()
        await self.directory.revoke(lease)

    async def watch(self, prefix: str, *, after: int) -> AsyncIterator[Change]:
        self._check()
        async for change in self.directory.watch(prefix, after=after):
            await self._open.wait()
            yield change

    async def close(self) -> None:
        """The directory goes on."""


@dataclass
class Manager:
    """One of them; ``expired`` are those whom it told by ``/disconnect``, as the leader."""

    name: str
    directory: MemoryDirectory
    alone: bool = False
    expired: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    running: bool = False

    async def start(self) -> None:
        """From an empty memory, as a process does."""
        self.way = Way(self.directory)
        self.attending = Attending(self.way, self.name, OFFLINE_AFTER, clock, self._tell, alone=self.alone)
        self.attendance = self.attending.attendance
        self.people = People(self.way, self.attendance.live, self.attendance.roll)
        self.election = Election(self.way, LEADER, self.name)
        await self.attending.begin()
        works: dict[str, Callable[[], Awaitable[None]]] = {**self.attending.tasks(), "jobs": self._jobs}
        self.tasks = [asyncio.ensure_future(keep_running(name, work)) for name, work in works.items()]
        self.running = True

    async def _tell(self, user_id: str, _known: Presence) -> None:
        self.expired.append(user_id)

    async def _jobs(self) -> None:
        await self.election.run(self._lead)

    async def _lead(self, leadership: Leadership) -> None:
        await self.attending.sweep.run((leadership.condition,))

    async def crash(self) -> None:
        """It is gone without a word."""
        self.running, self.way.cut = False, True
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def stop(self) -> None:
        """It is told to stop."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.attending.end()
        self.running = False

    async def heartbeat(self, caller: Caller) -> None:
        """``POST /heartbeat``; a dead one does not answer."""
        if not self.running:
            raise ConnectionRefusedError
        await self.attendance.heard(caller)


@dataclass
class Site:
    """Managers and those who watch what becomes of it."""

    count: int = 3
    directory: MemoryDirectory = field(default_factory=MemoryDirectory)
    statuses: dict[str, list[Status]] = field(default_factory=dict)
    """Of each user the stored statuses, one after the other, each different from the one before."""

    async def __aenter__(self) -> Self:
        self.managers = [Manager(f"m{number}", self.directory, self.count == 1) for number in range(self.count)]
        self._watching = asyncio.ensure_future(self._watch())
        for manager in self.managers:
            await manager.start()
        await asyncio.sleep(0.1)
        return self

    async def __aexit__(self, *_: object) -> None:
        for manager in self.managers:
            await manager.crash()
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        await self.directory.close()

    async def _watch(self) -> None:
        async for change in self.directory.watch(records.PRESENCES, after=0):
            seen = self.statuses.setdefault(change.key.removeprefix(records.PRESENCES), [])
            status = "offline" if change.value is None else records.decode(change.value, Presence).status
            if seen[-1:] != [status]:
                seen.append(status)

    @property
    def leader(self) -> Manager:
        """Who leads."""
        (leader,) = [manager for manager in self.managers if manager.running and manager.election.leadership]
        return leader

    @property
    def told(self) -> list[str]:
        """Who was told to be inactive, by any manager."""
        return [user_id for manager in self.managers for user_id in manager.expired]

    async def join(self, name: str) -> Caller:
        """A registered user with a session, who is offline."""
        writes = {
            records.account_key(name): records.encode(Account(name, name, "", "")),
            records.presence_key(name): records.encode(Presence("10.0.0.1", 8000, 1)),
            records.session_key(name, "hash"): records.encode(Session(device=True, created="")),
        }
        revision = await self.directory.commit([], [Put(key, value) for key, value in writes.items()])
        assert revision is not None
        return Caller(name, name, "hash", revision, device=True)

    async def attached(self, user_id: str) -> Attachment | None:
        """What attaches a user now."""
        entry = await self.directory.get(records.attachment_key(user_id))
        return None if entry is None else records.decode(entry.value, Attachment)

    async def presence(self, user_id: str) -> Presence:
        """What is stored of a user."""
        entry = await self.directory.get(records.presence_key(user_id))
        assert entry is not None
        return records.decode(entry.value, Presence)

    async def revision(self) -> int:
        """Of the last commit."""
        return (await self.directory.scan(records.PRESENCES)).revision


@dataclass
class Node:
    """Somebody's node: it shows its life to one manager, and goes to the next one when that does not answer."""

    site: Site
    caller: Caller
    at: int = 0

    async def live(self, seconds: float) -> None:
        """For so long."""
        end = clock().mono + seconds
        while clock().mono < end:
            await self.beat()
            await asyncio.sleep(min(BEAT, max(0.0, end - clock().mono)))

    async def beat(self) -> None:
        """One sign of life that is heard."""
        while True:
            try:
                await self.site.managers[self.at].heartbeat(self.caller)
            except (ConnectionError, DirectoryUnavailable):
                self.at = (self.at + 1) % len(self.site.managers)
                await asyncio.sleep(0.5)
            else:
                return
