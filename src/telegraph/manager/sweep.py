"""The inactivity sweep: users who have been silent for too long are marked offline, and their nodes are told.

Each manager looks after those who are attached to it and gives up those that it does not hear; the leader alone marks
offline (DESIGN.md 6 and 10.2), those who were given up and those whom no manager has attached for too long.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from telegraph.directory import records
from telegraph.directory.port import Delete, Directory, Put, Unchanged
from telegraph.directory.records import Attachment, Presence
from telegraph.errors import Conflict, Unavailable
from telegraph.manager.absence import Absences
from telegraph.manager.attendance import TRIES, Attendance
from telegraph.manager.moment import Clock
from telegraph.manager.presence import put_offline

log = structlog.get_logger(__name__)

OnExpired = Callable[[str, Presence], Awaitable[None]]

AT_ONCE: Final = 16
"""So many commits are under way at once, at most: a manager with thousands of users may have died."""

_SHORTEST: Final = 0.01
"""Seconds between two looks at least, should a clock stand still."""

_AGAIN_AFTER: Final = 1.0
"""Seconds until an unavailable directory is tried again."""


async def for_each(user_ids: Sequence[str], work: Callable[[str], Awaitable[bool]]) -> int:
    """Does something for each of some users, :data:`AT_ONCE` at a time: for how many it gave True.

    One about whom others write all the time keeps nobody else from being looked after. Where the directory is away, or
    nobody at all can be written (this manager leads no more), no further ones are begun with. Nothing runs on when this
    returns, fails or is cancelled.

    Raises:
        Unavailable, Conflict: it was raised for one of them, at least.
    """
    count, failures = 0, list[Unavailable | Conflict]()

    async def one(user_id: str) -> None:
        nonlocal count
        try:
            done = await work(user_id)
        except (Unavailable, Conflict) as failure:
            failures.append(failure)
        else:
            count += done

    for first in range(0, len(user_ids), AT_ONCE):
        before, some = len(failures), user_ids[first : first + AT_ONCE]
        async with asyncio.TaskGroup() as group:
            for user_id in some:
                group.create_task(one(user_id))
        new = failures[before:]
        if len(new) == len(some) or any(isinstance(failure, Unavailable) for failure in new):
            break
    if failures:
        raise failures[0]
    return count


# --- every manager ---


async def give_up_silent(attendance: Attendance, clock: Clock) -> int:
    """Gives up everybody here whose time is up: how many."""
    return await for_each(attendance.live.due(clock()), attendance.give_up)


async def listen_for_silence(attendance: Attendance, clock: Clock) -> None:
    """Does so for ever; sleeps exactly until somebody can be due, so it costs nothing while nobody is."""
    while True:
        try:
            await give_up_silent(attendance, clock)
        except Unavailable as away:
            log.info("silence_not_written", code=away.code)
            await asyncio.sleep(_AGAIN_AFTER)
        await asyncio.sleep(max(_SHORTEST, attendance.live.next_look(clock())))


# --- the leader ---


class Sweep:
    """The leader's part."""

    def __init__(self, directory: Directory, attendance: Attendance, clock: Clock, on_expired: OnExpired) -> None:
        """``on_expired`` is told of each who was marked offline, and where they were."""
        self._directory = directory
        self._attendance = attendance
        self._clock = clock
        self._on_expired = on_expired
        self._absences = Absences(attendance.live.offline_after)
        self._news = asyncio.Event()

    async def run(self, fence: Sequence[Unchanged]) -> None:
        """Marks offline for ever; time starts anew. ``fence`` are the conditions under which this manager leads."""
        self.begin()
        try:
            while True:
                try:
                    await self.once(fence)
                except (Unavailable, Conflict) as problem:
                    log.info("sweep_waits", code=problem.code)
                    await asyncio.sleep(_AGAIN_AFTER)
                else:
                    await self._wait()
        finally:
            self._attendance.on_change = lambda _user_id: None

    def begin(self) -> None:
        """Considers everybody who is online, from now on."""
        self._absences = Absences(self._attendance.live.offline_after)
        self._attendance.on_change = self._consider
        for user_id in self._attendance.roll.online:
            self._consider(user_id)

    def _consider(self, user_id: str) -> None:
        self._absences.consider(user_id, self._attendance.roll.standing(user_id), self._clock())
        self._news.set()

    async def _wait(self) -> None:
        self._news.clear()
        pause = self._absences.next_look(self._clock())
        try:
            async with asyncio.timeout(None if pause is None else max(_SHORTEST, pause)):
                await self._news.wait()
        except TimeoutError:
            return

    async def once(self, fence: Sequence[Unchanged]) -> int:
        """Marks everybody offline who is due, and tells of each: how many.

        Raises:
            DirectoryUnavailable, FateUnknown: it could not be written; the next time decides anew.
            Conflict: others write all the time, or this manager leads no more.
        """
        return await for_each(self._absences.due(self._clock()), lambda user_id: self._expire(user_id, fence))

    async def _expire(self, user_id: str, fence: Sequence[Unchanged]) -> bool:
        known = await self._mark(user_id, fence)
        self._absences.consider(user_id, "away", self._clock())
        self._absences.consider(user_id, self._attendance.roll.standing(user_id), self._clock())  # it may have changed
        if known is None:
            return False
        log.info("marked_offline", user_id=user_id)
        await self._on_expired(user_id, known)
        return True

    async def _mark(self, user_id: str, fence: Sequence[Unchanged]) -> Presence | None:
        """Where the user was, None if they are not to be marked offline after all."""
        for _ in range(TRIES):
            presence = await self._directory.get(records.presence_key(user_id))
            attached = await self._directory.get(records.attachment_key(user_id))
            if presence is None:
                return None
            attachment = None if attached is None else records.decode(attached.value, Attachment)
            known = records.decode(presence.value, Presence)
            if known.site not in ("", self._attendance.itself.home.name):
                return None  # another site's managers hear this user, or do not
            gone = put_offline(known, attachment.at or None if attachment else None)
            if gone is None or (attachment is not None and not attachment.silent):
                return None
            place = Unchanged(records.attachment_key(user_id), attached.revision if attached else 0)
            conditions = [*fence, Unchanged(presence.key, presence.revision), place]
            writes: list[Put | Delete] = [*self._attendance.put(user_id, known, gone), Delete(place.key)]
            if await self._directory.commit(conditions, writes) is not None:
                return known
        raise Conflict
