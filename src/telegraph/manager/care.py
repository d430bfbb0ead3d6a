"""What an account's owner can do with it besides logging in: sessions, settings, deletion.

Each change is one transaction: whenever a manager dies, it has happened as a whole or not at all.
"""

from collections.abc import Callable
from datetime import timedelta

from msgspec.structs import replace

from telegraph.directory import records
from telegraph.directory.merging.names import without
from telegraph.directory.port import Delete, Directory, Put, Unchanged
from telegraph.directory.records import Account, NameClaim, Tombstone
from telegraph.errors import Conflict, NotLoggedIn, UnknownSession
from telegraph.manager.attendance import TRIES, Attendance
from telegraph.manager.endings import (
    Ended,
    SessionEntry,
    end_writes,
    ended_of,
    revoke_writes,
    token_hash_of,
    without_device,
)
from telegraph.manager.gate import Gate
from telegraph.manager.locks import UserLocks
from telegraph.manager.moment import Clock
from telegraph.manager.passwords import login_bytes
from telegraph.manager.presence import put_offline
from telegraph.manager.sessions import Caller, sessions_of
from telegraph.protocol.addresses import Address
from telegraph.protocol.identity import key_fingerprint
from telegraph.protocol.manager_api import AccountSettings, SessionInfo, SettingsChange

SESSION_ID_LENGTH = 16
"""Hex digits of the hash of a token that name its session."""


class Care:
    """See the module. ``tell`` is told of ended sessions after the directory has forgotten them."""

    def __init__(
        self,
        directory: Directory,
        attendance: Attendance,
        locks: UserLocks,
        gate: Gate,
        clock: Clock,
        certificate_lifetime: timedelta,
        tell: Callable[[Ended], None],
    ) -> None:
        self._directory = directory
        self._attendance = attendance
        self._locks = locks
        self._gate = gate
        self._clock = clock
        self._lifetime = certificate_lifetime
        self._tell = tell
        self._home = attendance.itself.home

    async def _account(self, caller: Caller) -> tuple[Account, Unchanged]:
        entry = await self._directory.get(records.account_key(caller.user_id))
        if entry is None:
            raise NotLoggedIn
        return records.decode(entry.value, Account), Unchanged(entry.key, entry.revision)

    # --- sessions ---

    async def sessions(self, caller: Caller) -> list[SessionInfo]:
        """All sessions of the caller's user, the newest first."""
        account, _ = await self._account(caller)
        found = [await self._info(caller, account, pair) for pair in await sessions_of(self._directory, caller.user_id)]
        return sorted(found, key=lambda info: info.created, reverse=True)

    async def _info(self, caller: Caller, account: Account, pair: SessionEntry) -> SessionInfo:
        entry, session = pair
        token_hash = token_hash_of(entry)
        used = await self._attendance.uses.last(caller.user_id, token_hash)
        return SessionInfo(
            id=token_hash[:SESSION_ID_LENGTH],
            kind="device" if session.device else "plain",
            created=session.created,
            last_used=max(used or "", session.created),
            current=token_hash == caller.token_hash,
            key=key_fingerprint(account.device_key) if session.device and account.device_key else None,
        )

    async def end_session(self, caller: Caller, session_id: str) -> None:
        """Ends another session of the caller's user; if it is a device's, that one's key is revoked.

        The caller's own session ends by a log-out, which revokes nothing.

        Raises:
            UnknownSession: the user has no such session.
            NotLoggedIn: the caller's session ended meanwhile.
        """
        async with self._locks.of(caller.user_id):
            for _ in range(TRIES):
                if await self._end_session(caller, session_id):
                    return
        raise Conflict

    async def _end_session(self, caller: Caller, session_id: str) -> bool:
        now = self._clock()
        account, unchanged = await self._account(caller)
        ending = [
            pair
            for pair in await sessions_of(self._directory, caller.user_id)
            if token_hash_of(pair[0])[:SESSION_ID_LENGTH] == session_id
        ]
        if not ending:
            raise UnknownSession
        known, presence_unchanged = await self._attendance.read(caller.user_id)
        conditions = [caller.alive, *(Unchanged(entry.key, entry.revision) for entry, _ in ending)]
        conditions += self._home.still_alone
        writes = end_writes(caller.user_id, ending, "ended_elsewhere", now, several=self._home.several)
        device = any(session.device for _, session in ending)
        if device and not caller.device:  # a device that logged in at two sites has two sessions with its one key
            writes += revoke_writes(account, now, self._lifetime)
            writes.append(Put(unchanged.key, records.encode(without_device(account, self._home))))
        if device:
            conditions += [unchanged, presence_unchanged]
            writes += self._attendance.put(caller.user_id, known, put_offline(known, now.text))
            writes.append(Delete(records.attachment_key(caller.user_id)))
        if await self._directory.commit(conditions, writes) is None:
            await self._home.look(self._directory)
            await self._attendance.require_alive(caller)
            return False
        if device:
            self._attendance.live.leave(caller.user_id)
        self._ended(ended_of(account, ending, "ended_elsewhere", now, Address(known.host, known.port)))
        return True

    def _ended(self, ended: Ended) -> None:
        for token_hash in ended.token_hashes:
            self._attendance.session_ended(ended.user_id, token_hash)
        self._tell(ended)

    # --- deletion ---

    async def delete_account(self, caller: Caller, password: str, remote: str) -> None:
        """Deletes the caller's account for good: sessions end, the device's key is revoked, the name is never free.

        Raises:
            IllegalPassword, WrongCredentials: it is not the password.
            RateLimited, Busy: see :meth:`telegraph.manager.gate.Gate.verify`.
            NotLoggedIn: the session ended meanwhile.
        """
        given = login_bytes(password)
        account, _ = await self._account(caller)
        await self._gate.verify(caller.username, given, account.password_hash, remote)
        async with self._locks.of(caller.user_id):
            for _ in range(TRIES):
                if await self._delete(caller, account.password_hash):
                    return
        raise Conflict

    async def _delete(self, caller: Caller, verified_hash: str) -> bool:
        now = self._clock()
        account, unchanged = await self._account(caller)
        if account.password_hash != verified_hash:
            raise Conflict
        sessions = await sessions_of(self._directory, caller.user_id)
        known, presence_unchanged = await self._attendance.read(caller.user_id)
        tombstone = records.encode(Tombstone(now.text))
        name_unchanged, name_write = await self._without_claim(account)
        writes: list[Put | Delete] = [
            Delete(unchanged.key),
            Delete(presence_unchanged.key),
            Delete(records.attachment_key(account.user_id)),
            name_write,
            Put(records.name_tombstone_key(account.username), tombstone),
            Put(records.tombstone_key(account.user_id), tombstone),
            *end_writes(account.user_id, sessions, "removed", now),
            *revoke_writes(account, now, self._lifetime),
        ]
        if await self._directory.commit([caller.alive, unchanged, presence_unchanged, name_unchanged], writes) is None:
            await self._attendance.require_alive(caller)
            return False
        self._attendance.live.leave(caller.user_id)
        self._ended(ended_of(account, sessions, "removed", now, Address(known.host, known.port)))
        return True

    async def _without_claim(self, account: Account) -> tuple[Unchanged, Put | Delete]:
        """The name's record goes, unless others of other sites have claimed the name too, and lost it."""
        place = records.name_record_key(account.base_name)
        entry = await self._directory.get(place)
        has_it = account.username == account.base_name
        gone = has_it or await self._directory.get(records.tombstone_of(place)) is not None
        known = None if entry is None else records.decode(entry.value, NameClaim)
        left = without(place, known, [account.user_id], gone=gone)
        write = Delete(place) if left is None else Put(place, records.encode(left))
        return Unchanged(place, entry.revision if entry else 0), write

    # --- settings ---

    async def settings(self, caller: Caller) -> AccountSettings:
        """What of the account others may see."""
        account, _ = await self._account(caller)
        return AccountSettings(last_seen=not account.hides_last_seen)

    async def change_settings(self, caller: Caller, change: SettingsChange) -> AccountSettings:
        """Changes what is given, leaves the rest.

        Raises:
            NotLoggedIn: the session ended meanwhile.
        """
        async with self._locks.of(caller.user_id):
            for _ in range(TRIES):
                account, unchanged = await self._account(caller)
                hides = account.hides_last_seen if change.last_seen is None else not change.last_seen
                if hides == account.hides_last_seen:
                    return AccountSettings(last_seen=not hides)
                version = self._home.next(account.settings_version)
                changed = records.encode(replace(account, hides_last_seen=hides, settings_version=version))
                if await self._directory.commit([caller.alive, unchanged], [Put(unchanged.key, changed)]) is not None:
                    return AccountSettings(last_seen=not hides)
                await self._attendance.require_alive(caller)
        raise Conflict
