"""Carries out what :mod:`telegraph.manager.presence` decides: the shell between it and the directory."""

from typing import Final

import structlog

from telegraph.directory import records
from telegraph.directory.port import Directory, Put, Unchanged
from telegraph.directory.records import Account, Presence
from telegraph.errors import Conflict, ForeignSession, NotLoggedIn
from telegraph.manager.announcement import announcement, check_signature
from telegraph.manager.locks import UserLocks
from telegraph.manager.moment import Clock
from telegraph.manager.presence import LiveUsers, placed, put_offline, put_online
from telegraph.manager.sessions import Caller
from telegraph.manager.uses import Uses
from telegraph.protocol.manager_api import ReconnectRequest

log = structlog.get_logger(__name__)

TRIES: Final = 8
"""How often a compare-and-set is tried before the caller is told to try again."""


class Attendance:
    """Who is online, in memory and in the directory."""

    def __init__(self, directory: Directory, live: LiveUsers, locks: UserLocks, clock: Clock) -> None:
        self._directory = directory
        self._locks = locks
        self._clock = clock
        self.live = live
        self.uses = Uses(directory)

    async def load(self) -> None:
        """At a manager's start: whoever is stored as online gets the full time to show signs of life."""
        now = self._clock()
        for entry in (await self._directory.scan(records.PRESENCES)).entries:
            if records.decode(entry.value, Presence).status == "online":
                self.live.attach(entry.key.removeprefix(records.PRESENCES), now, seen=False)

    async def seen(self, caller: Caller) -> None:
        """A heartbeat or another call: the user is online, at once if they were thought to be offline.

        Raises:
            NotLoggedIn: the session has ended; then nothing changes.
            DirectoryUnavailable: it could not be written.
        """
        now = self._clock()
        if not self.live.touch(caller.user_id, now):
            await self._come_online(caller)
        await self.uses.note(caller, now)

    async def _come_online(self, caller: Caller) -> None:
        async with self._locks.of(caller.user_id):
            for _ in range(TRIES):
                if await self._put_online(caller):
                    return
        raise Conflict

    async def _put_online(self, caller: Caller) -> bool:
        now = self._clock()
        known, unchanged = await self.read(caller.user_id)
        record = put_online(known, now)
        if not await self._write(caller, unchanged, record):
            return False
        self.live.attach(caller.user_id, now)
        return True

    async def leave(self, caller: Caller) -> None:
        """The user's node stops, and says so: offline at once. The session stays for its next start.

        Raises:
            NotLoggedIn: the session has ended; then nothing changes.
            DirectoryUnavailable: it could not be written.
        """
        async with self._locks.of(caller.user_id):
            for _ in range(TRIES):
                known, unchanged = await self.read(caller.user_id)
                if await self._write(caller, unchanged, put_offline(known, self._clock().text)):
                    self.live.leave(caller.user_id)
                    return
        raise Conflict

    async def reconnect(self, caller: Caller, host: str, request: ReconnectRequest) -> None:
        """The user's node is at this address now; without a port at the known one.

        Raises:
            IllegalAddress: nobody could dial it.
            BadSignature: the signature is not that of the user's device over this address.
            StaleCounter: a newer address is known.
            NotLoggedIn: the session has ended.
        """
        async with self._locks.of(caller.user_id):
            for _ in range(TRIES):
                now = self._clock()
                known, unchanged = await self.read(caller.user_id)
                said = announcement(host, request.port or known.port, request.counter, request.signature)
                check_signature(said, caller.user_id, await self._device_key(caller.user_id))
                if await self._write(caller, unchanged, placed(known, said, now)):
                    self.live.attach(caller.user_id, now)
                    return
        raise Conflict

    async def _device_key(self, user_id: str) -> bytes | None:
        entry = await self._directory.get(records.account_key(user_id))
        return None if entry is None else records.decode(entry.value, Account).device_key

    async def _write(self, caller: Caller, unchanged: Unchanged, record: Presence | None) -> bool:
        """Writes on condition that the session lives; False if the presence changed meanwhile."""
        writes = [] if record is None else [Put(unchanged.key, records.encode(record))]
        if await self._directory.commit([caller.alive, unchanged], writes) is not None:
            return True
        await self.require_alive(caller)
        return False

    async def require_alive(self, caller: Caller) -> None:
        """Makes sure that a session has not ended since it was looked up.

        Raises:
            NotLoggedIn: it has.
        """
        session = await self._directory.get(caller.alive.key)
        if session is None or session.revision != caller.revision:
            raise NotLoggedIn

    async def expire(self, user_id: str) -> Presence | None:
        """Makes a user offline whose time is up: where they were, or None if they came back meanwhile."""
        async with self._locks.of(user_id):
            if not self.live.is_due(user_id, self._clock()):
                return None
            known, unchanged = await self.read(user_id)
            record = put_offline(known, self.live.last_seen(user_id))
            life = self.live.leave(user_id)  # first: a heartbeat from now on waits for the lock and is written
            gone = False
            try:
                gone = record is None or await self._store(unchanged, record)
            finally:
                if not gone:
                    self.live.back(user_id, life)  # another process wrote, or nobody can; the next look decides anew
        if not gone:
            return None
        log.info("marked_offline", user_id=user_id)
        return known

    async def _store(self, unchanged: Unchanged, record: Presence) -> bool:
        return await self._directory.commit([unchanged], [Put(unchanged.key, records.encode(record))]) is not None

    async def read(self, user_id: str) -> tuple[Presence, Unchanged]:
        """A user's stored presence, and the condition that it has not changed.

        Raises:
            NotLoggedIn: there is no such user.
        """
        entry = await self._directory.get(records.presence_key(user_id))
        if entry is None:
            raise NotLoggedIn
        return records.decode(entry.value, Presence), Unchanged(entry.key, entry.revision)


def require_own(caller: Caller, username: str) -> None:
    """Makes sure that a call is about its own caller.

    Raises:
        ForeignSession: it names somebody else.
    """
    if records.name_record_key(username) != records.name_record_key(caller.username):
        raise ForeignSession
