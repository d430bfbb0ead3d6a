"""Carries out what :mod:`telegraph.manager.presence` decides: the shell between it and the directory.

Users attached to this manager are in its memory (``live``); who is online and attached where, at any manager, is in
``roll``, which follows the directory. A commit that attaches somebody and the watch that tells of it may be heard in
either order; revisions say which is the later.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog

from telegraph.directory import records
from telegraph.directory.port import Delete, Directory, LeaseGone, Put, Unchanged
from telegraph.directory.records import Account, Attachment, Presence
from telegraph.errors import Conflict, ForeignSession, NotLoggedIn, Unavailable
from telegraph.manager.announcement import announcement, check_signature
from telegraph.manager.following import Follower
from telegraph.manager.home import Home
from telegraph.manager.lease import ManagerLease
from telegraph.manager.locks import UserLocks
from telegraph.manager.moment import Clock
from telegraph.manager.presence import LiveUsers, placed, put_offline, put_online, written
from telegraph.manager.roll import Roll
from telegraph.manager.sessions import Caller
from telegraph.manager.uses import Uses
from telegraph.protocol.manager_api import ReconnectRequest
from telegraph.protocol.names import base_name

log = structlog.get_logger(__name__)

TRIES: Final = 8
"""How often a compare-and-set is tried before the caller is told to try again."""


_SPARE: Final = 1000
"""So many users more than are attached may be remembered before those who left are forgotten."""

_ENDED: Final = 10_000
"""So many sessions that ended last are remembered, for heartbeats of theirs that are under way."""


class Itself(msgspec.Struct, frozen=True):
    """What a manager attaches users to: its id, its lease, and its site."""

    manager_id: str
    lease: ManagerLease
    home: Home


class Attendance:
    """Who is online, in memory and in the directory.

    ``on_change`` is told of every user who stands otherwise, ``on_lost`` of each whose attachment here is gone.
    """

    def __init__(self, directory: Directory, live: LiveUsers, locks: UserLocks, clock: Clock, itself: Itself) -> None:
        self._directory = directory
        self._locks = locks
        self._clock = clock
        self.itself = itself
        self.live = live
        self.roll = Roll(itself.home.name)
        self.uses = Uses(directory)
        self._callers: dict[str, Caller] = {}
        self._ended: dict[str, None] = {}
        self.presences = Follower(directory, records.PRESENCES, self._hear_presence, lambda: self.roll.online)
        self.attachments = Follower(directory, records.ATTACHMENTS, self._hear_attachment, self._known_attached)
        self.on_change: Callable[[str], None] = lambda _user_id: None
        self.on_lost: Callable[[str, int], None] = lambda _user_id, _revision: None

    async def load(self) -> None:
        """Learns how everybody stands now.

        Raises:
            DirectoryUnavailable: the directory cannot be read.
        """
        await self.presences.load()
        await self.attachments.load()

    def count_online(self) -> int:
        """How many are online, at whichever manager."""
        return len({*self.roll.online, *self.live.user_ids})

    # --- what the directory tells ---

    def _known_attached(self) -> set[str]:
        return {*self.roll.attached, *self.live.user_ids}

    def _hear_presence(self, user_id: str, value: bytes | None, _revision: int) -> None:
        presence = None if value is None else records.decode(value, Presence)
        self.roll.take_presence(user_id, presence)
        if presence is not None and presence.status == "offline" and self._is_foreign(presence):
            self.live.leave(user_id)  # another site has missed them; their next sign of life says otherwise
        self.on_change(user_id)

    def _is_foreign(self, presence: Presence) -> bool:
        return presence.site not in ("", self.itself.home.name)

    def _hear_attachment(self, user_id: str, value: bytes | None, revision: int) -> None:
        attachment = None if value is None else records.decode(value, Attachment)
        now, held = self._clock(), self.live.revision(user_id)
        self.roll.take_attachment(user_id, attachment, revision, now.mono)
        self.on_change(user_id)
        if held is not None and revision <= held:
            return
        if attachment is not None and attachment.manager == self.itself.manager_id and not attachment.silent:
            if held is None:  # of a commit whose answer was lost, or of an earlier life of this manager
                self.live.attach(user_id, now, revision, seen=False)
            self.live.reattach(user_id, revision)
        elif attachment is not None:
            self.live.leave(user_id)
        elif held is not None:
            self.on_lost(user_id, revision)

    # --- attaching ---

    async def attaching(self, user_id: str) -> Put:
        """The write that attaches a user to this manager, whoever they were attached to.

        Raises:
            DirectoryUnavailable: this manager has no lease and gets none.
        """
        attachment = Attachment(self.itself.manager_id, self._clock().text)
        return Put(records.attachment_key(user_id), records.encode(attachment), lease=await self.itself.lease.current())

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        """Commits; None also if this manager's lease was gone: the next try has another one."""
        try:
            return await self._directory.commit(conditions, writes)
        except LeaseGone:
            for write in writes:
                if isinstance(write, Put) and write.lease:
                    self.itself.lease.gone(write.lease)
            return None

    def attached(self, user_id: str, revision: int) -> None:
        """A commit attached a user who has just shown life, unless it is known already that they went elsewhere."""
        if not self.roll.overtook(user_id, revision):
            self.live.attach(user_id, self._clock(), revision)

    # --- what users do ---

    async def heard(self, caller: Caller) -> None:
        """A heartbeat: the user is online and attached to this manager, at once if they were not.

        Raises:
            NotLoggedIn: the session has ended; then nothing changes.
            DirectoryUnavailable: it had to be written, and could not be.
        """
        now = self._clock()
        self._require_not_ended(caller)
        if not self.live.touch(caller.user_id, now):
            await self._come_online(caller)
            self._require_not_ended(caller)
        self._remember(caller)
        await self.uses.note(caller, now)

    def _require_not_ended(self, caller: Caller) -> None:
        if caller.token_hash in self._ended:
            raise NotLoggedIn

    def session_ended(self, user_id: str, token_hash: str) -> None:
        """A session is over, here or at another manager; may be told again. A token never comes back to life."""
        self._ended[token_hash] = None
        if len(self._ended) > _ENDED:
            del self._ended[next(iter(self._ended))]
        caller = self._callers.get(user_id)
        if caller is not None and caller.token_hash == token_hash:
            del self._callers[user_id]
        self.uses.forget(token_hash)

    def forget_callers(self) -> None:
        """Sessions may have ended without this manager having heard: the directory says which live."""
        self._callers.clear()

    def _remember(self, caller: Caller) -> None:
        self._callers[caller.user_id] = caller
        if len(self._callers) > 2 * len(self.live) + _SPARE:
            self._callers = {user_id: each for user_id, each in self._callers.items() if user_id in self.live}

    def last_caller(self, token: str) -> Caller | None:
        """Who sent the last heartbeat of a user who is attached here, if it was with this token.

        For heartbeats while the directory is away: all that they do then is to be noted in memory.
        """
        caller = self._callers.get(token.partition(".")[0])
        if caller is None or caller.user_id not in self.live or caller.token_hash != records.secret_hash(token):
            return None
        return caller

    async def seen(self, caller: Caller) -> None:
        """Another call: as a heartbeat, but that it cannot be written is no reason to refuse what was asked.

        A user who has just attached elsewhere stays there: two programs of one user that talk to two managers shall not
        fetch the user back and forth with each call.

        Raises:
            NotLoggedIn: the session has ended; then nothing changes.
        """
        now = self._clock()
        if not self.live.touch(caller.user_id, now) and not self._is_heard_elsewhere(caller.user_id, now.mono):
            try:
                await self._come_online(caller)
            except Unavailable as away:
                log.info("life_not_written", code=away.code)
                return  # nothing else of it can be written either, and whoever asked is waiting
        await self.uses.note(caller, now)

    def _is_heard_elsewhere(self, user_id: str, now: float) -> bool:
        held = self.roll.attachment(user_id)
        recent = held is not None and now - held.heard < self.live.offline_after / 2
        return recent and self.roll.standing(user_id) == "attached"

    async def _come_online(self, caller: Caller) -> None:
        async with self._locks.of(caller.user_id):
            for _ in range(TRIES):
                if self.live.touch(caller.user_id, self._clock()):
                    return  # another call of the same user was quicker
                known, unchanged = await self.read(caller.user_id)
                here = put_online(known, self._clock()) or (known if self._is_foreign(known) else None)
                if await self._write(caller, unchanged, known, here):
                    return
        raise Conflict

    async def leave(self, caller: Caller) -> None:
        """The user's node stops, and says so: offline at once. The session stays for its next start.

        Raises:
            NotLoggedIn: the session has ended; then nothing changes.
            DirectoryUnavailable: it could not be written.
        """
        async with self._locks.of(caller.user_id):
            for _ in range(TRIES):
                known, unchanged = await self.read(caller.user_id)
                gone = put_offline(known, self._clock().text)
                writes: list[Put | Delete] = [Delete(records.attachment_key(caller.user_id))]
                writes += self.put(caller.user_id, known, gone)
                if await self._directory.commit([caller.alive, unchanged], writes) is not None:
                    self.live.leave(caller.user_id)
                    return
                await self.require_alive(caller)
        raise Conflict

    async def reconnect(self, caller: Caller, host: str, request: ReconnectRequest) -> None:
        """The user's node is at this address now; without a port at the known one.

        Raises:
            IllegalAddress: nobody could dial it.
            BadSignature: the signature is not that of the user's device over this address.
            StaleCounter: a newer address is known.
            NotLoggedIn: the session has ended.
            DirectoryUnavailable: it could not be written.
        """
        async with self._locks.of(caller.user_id):
            for _ in range(TRIES):
                known, unchanged = await self.read(caller.user_id)
                said = announcement(host, request.port or known.port, request.counter, request.signature)
                check_signature(said, caller.user_id, await self._device_key(caller.user_id))
                if await self._write(caller, unchanged, known, placed(known, said, self._clock())):
                    return
        raise Conflict

    async def _device_key(self, user_id: str) -> bytes | None:
        entry = await self._directory.get(records.account_key(user_id))
        return None if entry is None else records.decode(entry.value, Account).device_key

    def put(self, user_id: str, known: Presence, record: Presence | None) -> list[Put]:
        """The write of a presence instead of the known one, none if it stays."""
        if record is None:
            return []
        return [Put(records.presence_key(user_id), records.encode(written(record, known, self.itself.home.name)))]

    async def _write(self, caller: Caller, unchanged: Unchanged, known: Presence, record: Presence | None) -> bool:
        """Attaches on condition that the session lives; False if the presence changed meanwhile."""
        writes = [await self.attaching(caller.user_id), *self.put(caller.user_id, known, record)]
        revision = await self.commit([caller.alive, unchanged], writes)
        if revision is None:
            await self.require_alive(caller)
            return False
        self.attached(caller.user_id, revision)
        return True

    async def require_alive(self, caller: Caller) -> None:
        """Makes sure that a session has not ended since it was looked up.

        Raises:
            NotLoggedIn: it has.
        """
        session = await self._directory.get(caller.alive.key)
        if session is None or session.revision != caller.revision:
            raise NotLoggedIn

    # --- silence ---

    async def give_up(self, user_id: str) -> bool:
        """Leaves it to the leader to say that a user is offline whose time is up; False if it need not be said here.

        They may have come back meanwhile, or gone to another manager.
        """
        async with self._locks.of(user_id):
            if not self.live.is_due(user_id, self._clock()):
                return False
            last_seen = self.live.last_seen(user_id) or ""
            life = self.live.leave(user_id)  # first: a heartbeat from now on waits for the lock and is written
            given_up = None
            try:
                given_up = await self._say_silent(user_id, life.revision if life else 0, last_seen)
            finally:
                if given_up is None:
                    self.live.back(user_id, life)  # it could not be written; the next look decides anew
        return given_up

    async def _say_silent(self, user_id: str, revision: int, last_seen: str) -> bool:
        key = records.attachment_key(user_id)
        silent = Attachment(self.itself.manager_id, last_seen, silent=True)
        return await self._directory.commit([Unchanged(key, revision)], [Put(key, records.encode(silent))]) is not None

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
    """Makes sure that a call is about its own caller, who may not know yet that a heal between sites renamed them.

    Raises:
        ForeignSession: it names somebody else.
    """
    if records.name_record_key(base_name(username)) != records.name_record_key(base_name(caller.username)):
        raise ForeignSession
