"""Attaches users again whose attachment to this manager is gone although they are here.

So it is after this manager lost its lease, by a pause or a cut; and at the start of a manager that is the only one, who
takes everybody who is online, so that thousands of nodes that come back need not be written one by one.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import structlog

from telegraph.directory import records
from telegraph.directory.port import Directory, Entry, Put, Unchanged
from telegraph.directory.records import Presence
from telegraph.manager.attendance import Attendance
from telegraph.manager.moment import Clock

log = structlog.get_logger(__name__)

BATCH: Final = 100
"""Users that one commit attaches: two conditions and a write for each."""

_FEW: Final = 20
"""Up to so many are looked up one by one, more by reading all."""


class _Free(msgspec.Struct, frozen=True):
    """Somebody who is online and attached to nobody."""

    user_id: str
    presence: Unchanged


class Reattaching:
    """Collects those who are to be attached again, and does it."""

    def __init__(self, directory: Directory, attendance: Attendance, clock: Clock) -> None:
        self._directory = directory
        self._attendance = attendance
        self._clock = clock
        self._lost: dict[str, int] = {}
        self._news = asyncio.Event()
        attendance.on_lost = self.add

    def add(self, user_id: str, revision: int) -> None:
        """A user who is attached here is not any more, since this revision."""
        self._lost[user_id] = revision
        self._news.set()

    async def adopt(self) -> int:
        """Attaches everybody who is online and attached to nobody, with the full time to show life: how many."""
        now = self._clock()
        for user_id in self._attendance.roll.online:
            if self._attendance.roll.standing(user_id) == "missing":
                self._attendance.live.attach(user_id, now, 0, seen=False)
                self.add(user_id, 0)
        return await self.once()

    async def run(self) -> None:
        """Does it for ever; after an error, call it again."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self.once()
            except BaseException:
                self._news.set()
                raise

    async def once(self) -> int:
        """Attaches those who were lost, unless they are offline or went elsewhere meanwhile: how many.

        Raises:
            DirectoryUnavailable: not all could be attached; they are kept for the next time.
        """
        count, due = 0, dict(self._lost)
        if due:
            await self._attendance.itself.lease.renew()  # it may not have been noticed yet that it is gone
        free = await self._free(due)
        for first in range(0, len(free), BATCH):
            count += await self._attach(free[first : first + BATCH])
        for user_id, revision in due.items():
            self._settle(user_id, revision)
        if count:
            log.info("attached_again", count=count)
        return count

    def _settle(self, user_id: str, revision: int) -> None:
        """Whoever could not be attached is not here any more."""
        if self._lost.get(user_id) == revision:
            del self._lost[user_id]
        held = self._attendance.live.revision(user_id)
        if held is not None and held <= revision:
            self._attendance.live.leave(user_id)

    async def _free(self, lost: dict[str, int]) -> list[_Free]:
        here = [user_id for user_id, revision in lost.items() if self._is_here(user_id, revision)]
        taken = await self._entries(records.ATTACHMENTS, here)
        presences = await self._entries(records.PRESENCES, here)
        return [
            _Free(user_id, Unchanged(entry.key, entry.revision))
            for user_id, entry in presences.items()
            if user_id not in taken and records.decode(entry.value, Presence).status == "online"
        ]

    def _is_here(self, user_id: str, revision: int) -> bool:
        held = self._attendance.live.revision(user_id)
        return held is not None and held <= revision and not self._attendance.live.is_due(user_id, self._clock())

    async def _entries(self, prefix: str, user_ids: Sequence[str]) -> dict[str, Entry]:
        """What is stored of some users, by user."""
        if len(user_ids) > _FEW:
            wanted, found = set(user_ids), (await self._directory.scan(prefix)).entries
        else:
            wanted, found = set(user_ids), _there([await self._directory.get(prefix + each) for each in user_ids])
        pairs = ((entry.key.removeprefix(prefix), entry) for entry in found)
        return {user_id: entry for user_id, entry in pairs if user_id in wanted}

    async def _attach(self, some: Sequence[_Free]) -> int:
        """Attaches them in one commit, or in smaller ones if one of them has changed."""
        conditions = [each.presence for each in some]
        conditions += [Unchanged(records.attachment_key(each.user_id), 0) for each in some]
        writes: list[Put] = [await self._attendance.attaching(each.user_id) for each in some]
        revision = await self._attendance.commit(conditions, writes)
        if revision is not None:
            for each in some:
                if not self._attendance.roll.overtook(each.user_id, revision):
                    self._attendance.live.reattach(each.user_id, revision)
            return len(some)
        if len(some) == 1:
            return 0
        half = len(some) // 2
        return await self._attach(some[:half]) + await self._attach(some[half:])


def _there(found: Iterable[Entry | None]) -> tuple[Entry, ...]:
    return tuple(entry for entry in found if entry is not None)
