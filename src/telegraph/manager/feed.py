"""From the directory's watch to the event streams: whoever changed, in whatever way, is shown to those who watch them.

It hears of every commit, this manager's own and other managers', so nothing else has to tell. Streams of sessions that
were ended at another manager are ended by it too, and their heartbeats are refused from then on, quorum or not.
"""

import asyncio
from typing import Final

import structlog

from telegraph.directory import records
from telegraph.directory.port import Change, Directory, HistoryGone
from telegraph.manager.attendance import Attendance
from telegraph.manager.people import People
from telegraph.manager.revocations import RevokedKeys
from telegraph.manager.sessions import stored_ending
from telegraph.manager.streams import Hub
from telegraph.protocol.manager_events import SessionEnded

log = structlog.get_logger(__name__)

_TELLING: Final = (records.ACCOUNTS, records.PRESENCES)


class Feed:
    """Follows the directory from a revision on, endlessly."""

    def __init__(
        self,
        directory: Directory,
        people: People,
        attendance: Attendance,
        hub: Hub,
        revoked: RevokedKeys,
        after: int,
    ) -> None:
        self._directory = directory
        self._people = people
        self._attendance = attendance
        self._hub = hub
        self._revoked = revoked
        self._after = after
        self._told = ("", 0)
        self._again: set[str] = set()
        self._looking = asyncio.Event()

    async def follow(self) -> None:
        """Publishes until the directory closes; may be called again after an error, and then leaves nothing out."""
        try:
            async for change in self._directory.watch("", after=self._after):
                await self._publish(change)
                self._after = change.revision - 1  # the rest of this commit is still to come
        except HistoryGone:
            log.warning("feed_behind", after=self._after)
            self._attendance.forget_callers()
            self._after = (await self._directory.scan(records.REGISTRATION)).revision
            for event in await self._revoked.load():
                self._hub.publish_revoked(event)
            for user_id in self._hub.watched:
                await self._show(user_id)
            for caller in self._hub.callers:
                if await self._directory.get(caller.alive.key) is None:
                    await self._end(caller.user_id, caller.token_hash)

    def look_again(self, site: str) -> None:
        """What is known of the users of a site is old from now on, or not any more."""
        self._again.add(site)
        self._looking.set()

    async def keep_looking(self) -> None:
        """Shows users anew who watch for it, whenever their site is cut off or heard again."""
        while True:
            await self._looking.wait()
            self._looking.clear()
            sites, self._again = self._again, set()
            for user_id in self._hub.watched:
                user = await self._people.by_id(user_id)
                if user is not None and user.site in sites:
                    self._hub.publish(user)

    async def _publish(self, change: Change) -> None:
        if change.key.startswith(records.SESSIONS):
            if change.value is None:
                await self._end(*change.key.removeprefix(records.SESSIONS).split("/"))
            return
        if change.key.startswith(records.REVOCATIONS):
            event = self._revoked.take(change)
            if event is not None:
                self._hub.publish_revoked(event)
            return
        user_id = changed_user(change.key)
        if user_id is None or self._told == (user_id, change.revision):
            return
        self._told = (user_id, change.revision)
        await self._show(user_id)

    async def _end(self, user_id: str, token_hash: str) -> None:
        self._attendance.session_ended(user_id, token_hash)
        if self._hub.has(token_hash):
            ending = await stored_ending(self._directory, user_id, token_hash)
            told = SessionEnded("logged_out") if ending is None else SessionEnded(ending.reason, ending.at)
            self._hub.end(token_hash, told)

    async def _show(self, user_id: str) -> None:
        if self._hub.is_watched(user_id):
            user = await self._people.by_id(user_id)
            if user is not None:
                self._hub.publish(user)
            elif await self._people.is_deleted(user_id):
                self._hub.publish_gone(user_id)


def changed_user(key: str) -> str | None:
    """Whose account or presence a key of the directory is, None if neither."""
    return next((key.removeprefix(prefix) for prefix in _TELLING if key.startswith(prefix)), None)
