"""Accounts: register, log in, log out, change the password.

Each is one transaction of the directory under conditions (compare-and-set), tried again a bounded number of times if
somebody else was quicker. What concerns one user is also serialised by a lock, so that within one manager it rarely is.
What else their owners can do with them is in :mod:`telegraph.manager.care`.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from telegraph.directory import records
from telegraph.directory.port import Delete, Directory, Put, Unchanged
from telegraph.directory.quorum import allow_more
from telegraph.directory.records import Account, Presence, Session
from telegraph.errors import (
    Conflict,
    DirectoryUnavailable,
    FateUnknown,
    NameTaken,
    NotLoggedIn,
    RevokedKey,
    TooManyDevices,
    Unavailable,
    WrongCredentials,
)
from telegraph.manager.announcement import Announcement, announcement, check_signature
from telegraph.manager.attendance import TRIES, Attendance
from telegraph.manager.authentication import Authentication
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.endings import (
    Ended,
    SessionEntry,
    certified,
    end_writes,
    ended_of,
    revoke_writes,
    token_hash_of,
    without_device,
)
from telegraph.manager.gate import Gate
from telegraph.manager.invites import Registration, admit
from telegraph.manager.locks import UserLocks
from telegraph.manager.moment import Clock, Moment, as_text
from telegraph.manager.passwords import Passwords, login_bytes
from telegraph.manager.presence import first_presence, placed, put_offline, put_online, written
from telegraph.manager.ratelimit import FailureLimit
from telegraph.manager.renewal import renew_certificate
from telegraph.manager.sessions import Caller, new_token, new_user_id, sessions_of
from telegraph.manager.sites.claims import Claims
from telegraph.protocol.addresses import Address
from telegraph.protocol.identity import key_fingerprint
from telegraph.protocol.manager_api import LoginRequest, RegisterRequest
from telegraph.protocol.manager_events import EndReason
from telegraph.protocol.names import check_password, check_username

MAX_PLAIN_SESSIONS: Final = 64
"""Sessions without a device that one user may have; the oldest ends when another is added."""

MOVES_PER_HOUR: Final = 20
"""How often an account may move to another device: each move revokes a key, of which every node is told."""

_HOUR: Final = 3600.0

_RETRY_AFTER: Final = 1.0

_LOOK_AGAIN: Final = 0.2
"""Seconds for finding out what became of a commit whose fate is unknown: the caller has waited for that one already."""


class LoggedInUser(msgspec.Struct, frozen=True):
    """A log-in's outcome; ``certificate`` is PEM, None without a signing request.

    ``replaced`` is the fingerprint of the device key that the session moved away from, None if it did not move.
    """

    account: Account
    token: str
    counter: int
    certificate: str | None
    replaced: str | None = None


class _Wish(msgspec.Struct, frozen=True):
    """What a log-in asks for, checked; ``device_key`` and ``certificate`` come from a signing request, if any."""

    said: Announcement
    device_key: bytes | None
    certificate: str | None

    @property
    def device(self) -> bool:
        return self.device_key is not None


class _Change(msgspec.Struct, frozen=True):
    """What a log-in changes about the user's device: the account as it will be, and which key was replaced, if any."""

    account: Account
    conditions: list[Unchanged] = []
    writes: list[Put] = []
    replaced: str | None = None


class AccountSettings(msgspec.Struct, frozen=True):
    """What of the manager's settings concerns accounts."""

    registration: Registration
    certificate_lifetime: timedelta


class Accounts:
    """See the module.

    Attributes:
        on_ended: is told of ended sessions after the directory has forgotten them.
        claims: claims names for registrations; one that asks other sites takes its place where there are several.
    """

    def __init__(
        self,
        directory: Directory,
        attendance: Attendance,
        locks: UserLocks,
        passwords: Passwords,
        failures: FailureLimit,
        ca: CertificateAuthority,
        clock: Clock,
        settings: AccountSettings,
    ) -> None:
        self._directory = directory
        self._attendance = attendance
        self._locks = locks
        self._passwords = passwords
        self._gate = Gate(passwords, failures, clock)
        self._entry = Authentication(directory, self._gate)
        self._moves = FailureLimit(MOVES_PER_HOUR, _HOUR, TooManyDevices)
        self._ca = ca
        self._clock = clock
        self._settings = settings
        self._home = attendance.itself.home
        self.claims = Claims(directory, self._home, clock)
        self.on_ended: Callable[[Ended], None] = lambda _ended: None

    # --- register ---

    async def register(self, request: RegisterRequest) -> Account:
        """Makes an account; a repeated request with the same id finds its own.

        Raises:
            IllegalName, IllegalPassword, IllegalAddress: what was given cannot be used.
            RegistrationClosed, InviteNeeded, IllegalInvite: the user may not register.
            NameTaken: somebody has that name.
            Busy: too many log-ins at once.
            FateUnknown: it is not known whether it was done.
        """
        shown, password = check_username(request.username), check_password(request.password)
        said = announcement(request.ip, request.port, None, None)
        own = await self._before_hashing(shown, password, request)
        if own is not None:
            return await self._settled(own)
        account = Account(
            user_id=new_user_id(),
            username=shown,
            password_hash=await self._passwords.hash(password),
            created=self._clock().text,
            request_id=request.request_id or new_user_id(),
        )
        for _ in range(TRIES):
            made = await self._create(account, said, request.invite)
            if made is None:
                await self._home.look(self._directory)
                made = await self._entry.own_earlier(shown, password, request.request_id)
            if made is not None:
                return await self._settled(made)
        raise Conflict

    async def _settled(self, account: Account) -> Account:
        """The account, once the other sites had their say about its name."""
        if account.name_state != "tentative":
            return account
        try:
            state = await self.claims.settle(account)
        except (DirectoryUnavailable, Conflict) as problem:  # the account is there; the leader goes on with its name
            raise FateUnknown(retry_after=_RETRY_AFTER) from problem
        if state == "tentative":  # another site's to decide, where the same request went first
            raise FateUnknown(retry_after=_RETRY_AFTER)
        if state == "aborted":
            raise NameTaken(username=account.username)
        return replace(account, name_state=state)

    async def _before_hashing(self, username: str, password: bytes, request: RegisterRequest) -> Account | None:
        """What an earlier registration with the same id made, if any; else whether this one may begin.

        Who may not register does not learn either which names are taken. Where everybody may, nothing is read: the
        commit decides, and if it is refused the exact reads say why. A name that looks free to a read that may trail
        is as good as free.
        """
        if self._settings.registration == "open":
            return None
        if await self._directory.get(records.name_record_key(username), stale=True) is None:
            await admit(self._directory, self._settings.registration, request.invite)
            return None
        try:
            own = await self._entry.own_earlier(username, password, request.request_id)
        except NameTaken:
            await admit(self._directory, self._settings.registration, request.invite)
            raise
        if own is None:
            await admit(self._directory, self._settings.registration, request.invite)
        return own

    async def _create(self, account: Account, said: Announcement, invite: str | None) -> Account | None:
        """The account as it was made; None if the name is not free, or something changed meanwhile."""
        admission = await admit(self._directory, self._settings.registration, invite)
        begun, place = await self.claims.begin(account), records.account_key(account.user_id)
        if begun is None:
            return None
        conditions = [*begun.conditions, Unchanged(place, 0), *admission.conditions]
        writes = [
            *begun.writes,
            Put(place, records.encode(begun.account)),
            Put(records.presence_key(account.user_id), records.encode(self._first_presence(said))),
            *admission.writes,
        ]
        try:
            done = await self._directory.commit(conditions, writes)
        except FateUnknown:
            allow_more(_LOOK_AGAIN)
            with contextlib.suppress(Unavailable, TimeoutError):  # then it is as unknown as before
                async with asyncio.timeout(_LOOK_AGAIN):
                    if await self._directory.get(place) is not None:  # its random id says whose work it is
                        return begun.account
            raise
        return None if done is None else begun.account

    def _first_presence(self, said: Announcement) -> Presence:
        first = first_presence(said, self._clock())
        return written(first, first, self._home.name)

    # --- log in ---

    async def log_in(self, request: LoginRequest, remote: str) -> LoggedInUser:
        """Starts a session. One with a signing request ends the user's earlier sessions of that kind.

        Args:
            request: as it came.
            remote: the caller's IP address, for the limit of failures.

        Raises:
            IllegalPassword, IllegalAddress, IllegalCsr, BadSignature, StaleCounter: what was given cannot be used.
            WrongCredentials: wrong name or password, which of them is not said.
            Renamed: the name is another's since two sites met again, and the password that of who had it before.
            RevokedKey: the device's key was revoked; it must come with another one.
            RateLimited, TooManyDevices: too many failures, or moves to another device.
            Busy: too many log-ins at once.
        """
        password = login_bytes(request.password)
        said = announcement(request.ip, request.port, request.counter, request.signature)
        key = None if request.csr is None else self._ca.device_key(request.csr)
        account = await self._entry.account(request.username, password, remote)
        wish = _Wish(said, key, self._certificate(request.csr, account))
        async with self._locks.of(account.user_id):
            for _ in range(TRIES):
                done = await self._start_session(account, wish)
                if done is not None:
                    return done
        raise Conflict

    async def _start_session(self, verified: Account, wish: _Wish) -> LoggedInUser | None:
        """One try; None if the directory changed meanwhile."""
        now = self._clock()
        account, unchanged = await self._unchanged_password(verified)
        sessions = await self._sessions(account.user_id)
        known, presence_unchanged = await self._attendance.read(account.user_id)
        presence = _presence_after(known, wish, account, sessions, now)
        ending = _displaced(sessions, by_device=wish.device)
        change = await self._device_change(account, unchanged, wish.device_key, now)
        token = new_token(account.user_id)
        writes: list[Put | Delete] = [
            _session_put(change.account, token, wish, now),
            *self._attendance.put(account.user_id, known, presence),
            await self._attendance.attaching(account.user_id),
            *end_writes(account.user_id, ending, "logged_in_elsewhere", now, several=self._home.several),
        ]
        conditions = [unchanged, presence_unchanged, *change.conditions, *self._home.still_alone]
        revision = await self._commit_change(conditions, [*writes, *change.writes], change, now)
        if revision is None:
            await self._home.look(self._directory)
            return None
        self._attendance.attached(account.user_id, revision)
        self._attendance.uses.begin(records.secret_hash(token), now)
        device = Address(known.host, known.port) if change.replaced else None
        self._tell(account, ending, "logged_in_elsewhere", now, device)
        return LoggedInUser(change.account, token, (presence or known).counter, wish.certificate, change.replaced)

    async def _device_change(self, account: Account, unchanged: Unchanged, key: bytes | None, now: Moment) -> _Change:
        """What a log-in with this device key changes. A revoked key never comes back: a thief may have it too.

        The account is written even if it stays the same: two log-ins of devices at once must not both go through, nor
        may a session begin beside a change of the password that is to end all others, and has not heard of it.
        """
        if key is None:
            return _Change(account, writes=[Put(unchanged.key, records.encode(account))])
        place = records.revocation_key(account.user_id, key_fingerprint(key))
        if await self._directory.get(place) is not None:
            raise RevokedKey
        lifetime = self._settings.certificate_lifetime
        before = account.device_key
        version = account.device_version if before == key else self._home.next(account.device_version)
        updated = replace(certified(account, as_text(now.utc + lifetime)), device_key=key, device_version=version)
        writes = [Put(unchanged.key, records.encode(updated))]
        if before is None or before == key:
            return _Change(updated, [Unchanged(place, 0)], writes)
        writes += revoke_writes(account, now, lifetime)
        return _Change(updated, [Unchanged(place, 0)], writes, key_fingerprint(before))

    async def _commit_change(
        self, conditions: list[Unchanged], writes: list[Put | Delete], change: _Change, now: Moment
    ) -> int | None:
        """Commits a log-in; one that moves the account to another device counts, if it is done."""
        if change.replaced is None:
            return await self._attendance.commit(conditions, writes)
        key, revision = (change.account.user_id, ""), None
        self._moves.begin(key, now)
        try:
            revision = await self._attendance.commit(conditions, writes)
        finally:
            if revision is None:
                self._moves.forgive(key, now)
        return revision

    async def _unchanged_password(self, verified: Account) -> tuple[Account, Unchanged]:
        """The account as it is now, if it still has the password that was checked."""
        entry = await self._directory.get(records.account_key(verified.user_id))
        account = None if entry is None else records.decode(entry.value, Account)
        if entry is None or account is None or account.password_hash != verified.password_hash:
            raise WrongCredentials
        return account, Unchanged(entry.key, entry.revision)

    def _certificate(self, csr: str | None, account: Account) -> str | None:
        if csr is None:
            return None
        return self._ca.sign_device(csr, account.user_id, self._clock().utc, self._settings.certificate_lifetime)

    async def renew_certificate(self, caller: Caller, csr: str) -> str:
        """A new certificate (PEM) for the caller's device, see :func:`telegraph.manager.renewal.renew_certificate`."""
        lifetime = self._settings.certificate_lifetime
        return await renew_certificate(self._directory, self._ca, caller, csr, self._clock().utc, lifetime)

    # --- end sessions ---

    async def log_out(self, caller: Caller) -> None:
        """Ends the caller's session. The user is offline at once, unless it was a plain one beside a device's."""
        async with self._locks.of(caller.user_id):
            for _ in range(TRIES):
                sessions = await self._sessions(caller.user_id)
                known, unchanged = await self._attendance.read(caller.user_id)
                own = [pair for pair in sessions if pair[0].key == caller.alive.key]
                stays = any(session.device for entry, session in sessions if entry.key != caller.alive.key)
                now = self._clock()
                record = None if stays else put_offline(known, now.text)
                writes = end_writes(caller.user_id, own, "logged_out", now, several=self._home.several)
                writes += self._attendance.put(caller.user_id, known, record)
                writes += [] if stays else [Delete(records.attachment_key(caller.user_id))]
                conditions = [caller.alive, unchanged, *self._home.still_alone]
                if await self._directory.commit(conditions, writes) is not None:
                    break
                await self._home.look(self._directory)
                await self._attendance.require_alive(caller)
            else:
                raise Conflict
            if not stays:
                self._attendance.live.leave(caller.user_id)
        self._attendance.session_ended(caller.user_id, caller.token_hash)
        self.on_ended(Ended(caller.user_id, caller.username, (caller.token_hash,), "logged_out", now.text))

    async def change_password(self, caller: Caller, old: str, new: str, remote: str) -> None:
        """Changes the caller's password and ends the user's other sessions; a device among them loses its key.

        Raises:
            IllegalPassword: the new one cannot be used.
            WrongCredentials: the old one is wrong.
            RateLimited, Busy: see :meth:`log_in`.
            NotLoggedIn: the session ended meanwhile.
        """
        old_bytes, new_bytes = login_bytes(old), check_password(new)
        entry = await self._directory.get(records.account_key(caller.user_id))
        if entry is None:
            raise NotLoggedIn
        verified = records.decode(entry.value, Account)
        await self._gate.verify(caller.username, old_bytes, verified.password_hash, remote)
        password_hash = await self._passwords.hash(new_bytes)
        async with self._locks.of(caller.user_id):
            for _ in range(TRIES):
                if await self._store_password(caller, verified, password_hash):
                    return
        raise Conflict

    async def _store_password(self, caller: Caller, verified: Account, password_hash: str) -> bool:
        now = self._clock()
        account, unchanged = await self._unchanged_password(verified)
        others = [pair for pair in await self._sessions(caller.user_id) if pair[0].key != caller.alive.key]
        known, _ = await self._attendance.read(caller.user_id)
        updated, revocation = self._with_password(account, password_hash, caller), list[Put]()
        if not caller.device and any(session.device for _, session in others):
            revocation = revoke_writes(account, now, self._settings.certificate_lifetime)
            updated = without_device(updated, self._home)
        done = await self._directory.commit(
            [unchanged, caller.alive, *self._home.still_alone],
            [
                Put(unchanged.key, records.encode(updated)),
                *end_writes(caller.user_id, others, "password_changed", now, several=self._home.several),
                *revocation,
            ],
        )
        if done is None:
            await self._home.look(self._directory)
            await self._attendance.require_alive(caller)
            return False
        self._tell(account, others, "password_changed", now, Address(known.host, known.port))
        return True

    def _with_password(self, account: Account, password_hash: str, caller: Caller) -> Account:
        version, kept = self._home.next(account.password_version), caller.token_hash
        return replace(account, password_hash=password_hash, password_version=version, password_kept=kept)

    async def _sessions(self, user_id: str) -> list[SessionEntry]:
        return await sessions_of(self._directory, user_id)

    def _tell(
        self, account: Account, ending: list[SessionEntry], reason: EndReason, now: Moment, device: Address | None
    ) -> None:
        for entry, _ in ending:
            self._attendance.session_ended(account.user_id, token_hash_of(entry))
        if ending:
            self.on_ended(ended_of(account, ending, reason, now, device))


def _session_put(account: Account, token: str, wish: _Wish, now: Moment) -> Put:
    """The new session; ``account`` is as the log-in leaves it."""
    device_version = account.device_version if wish.device else records.ORIGIN
    session = Session(wish.device, now.text, account.password_version, device_version)
    return Put(records.session_key(account.user_id, records.secret_hash(token)), records.encode(session))


def _presence_after(
    known: Presence, wish: _Wish, account: Account, sessions: list[SessionEntry], now: Moment
) -> Presence | None:
    """Where the user is after a log-in: messages go to the device, not to whoever else asks something by a session."""
    check_signature(wish.said, account.user_id, wish.device_key or account.device_key)
    if not wish.device and any(session.device for _, session in sessions):
        return put_online(known, now)
    return placed(known, wish.said, now, new_device=wish.device_key not in (None, account.device_key))


def _displaced(sessions: list[SessionEntry], *, by_device: bool) -> list[SessionEntry]:
    """Which sessions a new one ends: a device's the earlier devices', a plain one the oldest beyond the limit."""
    rivals = [pair for pair in sessions if pair[1].device == by_device]
    if by_device:
        return rivals
    rivals.sort(key=lambda rival: rival[1].created)
    return rivals[: max(0, len(rivals) + 1 - MAX_PLAIN_SESSIONS)]
