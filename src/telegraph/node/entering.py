"""Registering, logging in and out, and passwords: where the store's lock and the account's session meet.

Logging in first opens the store on this disk, for which no manager is needed; the session follows, later if need be.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from telegraph.errors import (
    Busy,
    NotLoggedIn,
    OtherAccount,
    TelegraphError,
    Unavailable,
    WrongPassword,
)
from telegraph.node import organisation
from telegraph.node.account import Account, become_another_device
from telegraph.node.backoff import Backoff
from telegraph.node.joining import EarlyStore, settle_ca
from telegraph.node.model import AccountChanged
from telegraph.node.organisation import Organisation
from telegraph.node.running import Running
from telegraph.node.settings import NodeSettings
from telegraph.node.trust import Ask, ca_fingerprint
from telegraph.node.unattended import secrets_of
from telegraph.protocol.manager_api import SessionInfo, SettingsChange
from telegraph.protocol.names import check_password, check_username, may_be_same
from telegraph.supervision import supervise

log = structlog.get_logger(__name__)

MAX_WAITING = 8
"""Log-ins and the like that may wait for one another: each costs an Argon2id."""

_LATER_FIRST = 0.5
_LATER_LAST = 10.0


class Entering(Running):
    """A node that people can register with, log in to and log out of. One of these at a time; the others wait."""

    def _configure(self, settings: NodeSettings, ask: Ask | None = None) -> None:
        super()._configure(settings, ask)
        self._door = asyncio.Lock()
        self._waiting = 0
        self._closed = False
        self._later: asyncio.Task[None] | None = None
        self._new_code: str | None = None

    async def start(self) -> None:
        """See :class:`Running`."""
        await super().start()
        self._closed = False

    async def close(self) -> None:
        """Stops once a log-in under way has ended; those that wait for it are refused."""
        self._closed = True
        async with self._door:
            await super().close()

    async def register(self, username: str, password: str, invite: str | None = None) -> Account:
        """Makes an account and logs in; :meth:`take_recovery_code` has the store's recovery code then.

        Raises:
            TelegraphError: illegal or taken name, illegal password, no manager, …; then nothing changed.
        """
        check_username(username)
        check_password(password)
        async with self._one_at_a_time(), AsyncExitStack() as undo:
            await self._open_store(password, undo)
            account = await (await self._joined()).register(
                username, password, invite or self.settings.invite_code, accepted=self._store.establish
            )
            undo.pop_all()
            return account

    async def login(
        self, username: str, password: str, *, unlock: str | None = None, set_aside: bool = False
    ) -> Account:
        """Opens the store if it is locked, and logs in; without a manager the session follows once there is one.

        ``unlock`` is the password before, or the recovery code, if the password was changed elsewhere. ``set_aside``
        moves a store that nobody can open out of the way instead, and begins an empty one.

        Raises:
            WrongPassword: the store does not open by it.
            WrongCredentials: the managers do not know it.
            TelegraphError: another account's data directory, no manager at the first log-in, …
        """
        async with self._one_at_a_time(), AsyncExitStack() as undo:
            if set_aside and self._store.state == "locked":
                folder = await self._store.set_aside()
                undo.callback(self._store.put_back, folder)
                log.warning("store_set_aside", folder=str(folder))
            await self._open_store(unlock or password, undo)
            account = await self._log_in(username, password)
            undo.pop_all()
            return account

    async def prove(self, username: str, password: str) -> None:
        """Returns if this is the account here, as far as it is known, and its password; nothing else is done.

        Guesses are not counted: whoever calls it has to bound them.

        Raises:
            WrongPassword: it is not.
        """
        await self._store.prove(password)
        known = self.account
        if known is not None and not may_be_same(known.username, username):
            raise WrongPassword

    async def _open_store(self, password: str, undo: AsyncExitStack) -> None:
        """Opens or makes the store if need be; ``undo`` takes that back."""
        state = self._store.state
        if state == "open":
            return
        if state == "locked":
            await self._store.unlock(password)
        else:
            undo.push_async_callback(self._store.discard)
            self._new_code = await self._store.make(password)
            undo.callback(self.take_recovery_code)
        undo.push_async_callback(self._store.lock)
        undo.push_async_callback(self._lock)
        if self._store.restored:
            await become_another_device(self.database)
            await self._store.settle_restored()
        kept = secrets_of(self.settings, self._store.node_id)
        if kept is not None:
            await self._store.allow_unattended(kept)
        await self._enter()

    async def _log_in(self, username: str, password: str) -> Account:
        """The account with a session, or, while no manager answers, the account as it is stored here."""
        self._stop_later()
        known = self.account
        if known is not None and not may_be_same(known.username, username):
            raise OtherAccount(username=known.username)
        if known is not None and known.ended == "removed":  # what is stored here can still be read
            await self._store.check(password)
            return known
        try:
            return await (await self._joined()).login(username, password, accepted=self._store.establish)
        except Unavailable:
            if known is None or self._membership is None or not (known.certificate or known.ended):
                raise
            await self._store.check(password)
            await self._go_on_without_manager(known, username, password)
            return known

    async def _go_on_without_manager(self, account: Account, username: str, password: str) -> None:
        """Links with the certificate that there is; a session that was ended is begun anew once a manager answers."""
        await self.logged_in(account)
        self._broker.publish(AccountChanged(self.account_state, self.username))
        if account.token is None:
            self._later = asyncio.create_task(supervise("log_in_later", lambda: self._log_in_later(username, password)))

    async def _log_in_later(self, username: str, password: str) -> None:
        waits = Backoff(_LATER_FIRST, _LATER_LAST, self._rng)
        while True:
            await asyncio.sleep(waits.next())
            try:
                await self._member.login(username, password, accepted=self._store.establish)
            except Unavailable:
                continue
            except TelegraphError as error:
                log.warning("log_in_refused", code=error.code)
                await self.logged_out(error.code)
            return

    def _stop_later(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    async def _lock(self) -> None:
        self._stop_later()
        await super()._lock()

    # --- the organisation, before there is an account ---

    async def look_at_organisation(self, address: str = "") -> Organisation:
        """What stands behind a manager's address or an invite link, see :func:`telegraph.node.organisation.look`."""
        return await organisation.look(self.settings, address)

    async def choose_organisation(self, managers: list[str], fingerprint: str | None) -> None:
        """This node belongs to the organisation with these managers and this CA from now on, until it has an account.

        Raises:
            OtherAccount: there is an account already.
            CaMismatch, ManagerAway: the managers show another CA, or do not answer now.
        """
        async with self._one_at_a_time():
            if self._store.state != "none":
                raise OtherAccount(username=self.username or "-")
            settings = organisation.chosen(self.settings, managers, fingerprint)
            early = EarlyStore()
            _, ca = await settle_ca(settings, early, list(settings.managers), None, None)
            self.settings, self._early, self._ca = settings, early, ca

    @property
    def organisation(self) -> Organisation:
        """The organisation as it is settled so far."""
        fingerprint = ca_fingerprint(self._ca) if self._ca else None
        return Organisation(tuple(self.managers), fingerprint, self.settings.invite_code)

    async def logout(self) -> None:
        """Ends the session and locks the store; this node is offline at once.

        Raises:
            NotLoggedIn: it is locked already.
        """
        async with self._one_at_a_time():
            if self.account is None:
                raise NotLoggedIn
            if self._membership is not None and self._membership.account and self._membership.account.token:
                await self._membership.logout()
            await self._lock()
            self._broker.publish(AccountChanged(self.account_state, None, "logged_out"))

    async def change_password(self, old: str, new: str) -> None:
        """Changes the account's password, and what opens the store.

        While the managers are asked, both passwords open it: whatever becomes of the call, one that is known does.

        Raises:
            TelegraphError: illegal new password, wrong old one, …; then the old one stays.
            Unavailable: it may have been changed; the next log-in settles it.
        """
        check_password(new)
        async with self._one_at_a_time():
            member = self._member
            member.require()
            before = await self._store.admit(new)
            try:
                await member.change_password(old, new)
            except Unavailable:
                raise
            except TelegraphError:
                await self._store.withdraw(before)
                raise
            await self._store.establish(new)

    async def renew_recovery_code(self, password: str) -> str:
        """A new recovery code for the store; the one before is worth nothing any more.

        Raises:
            WrongPassword: the password is not this store's.
        """
        async with self._one_at_a_time():
            await self._store.check(password)
            return await self._store.renew_recovery_code()

    async def back_up(self, target: Path) -> None:
        """Writes a copy of this node to keep elsewhere: a new file, which only its owner can read.

        The password of today or the recovery code opens it; ``telegraph restore`` brings it back.

        Raises:
            DataUnreadable: the disk does not take it.
        """
        async with self._one_at_a_time():
            await self._store.back_up(target)

    async def delete_account(self, password: str, *, erase: bool = False) -> None:
        """Deletes the account for good; ``erase`` removes what is stored here too. May be repeated after an error.

        Raises:
            WrongCredentials, WrongPassword: it is not the password.
            ManagerAway, FateUnknown: then the account is still there, or that is not known.
        """
        async with self._one_at_a_time():
            account = self.account
            if account is None:
                raise NotLoggedIn
            if account.ended == "removed":
                await self._store.check(password)
            else:
                await self._member.delete_account(password)
            if erase:
                await self._lock()
                await self._store.erase()
                self._broker.publish(AccountChanged(self.account_state, None, "removed"))

    async def sessions(self) -> list[SessionInfo]:
        """All sessions of the account, the newest first.

        Raises:
            ManagerAway: the managers cannot be asked now.
        """
        return await self._member.calls.sessions()

    async def end_session(self, session_id: str) -> None:
        """Ends one of the account's sessions; that of another device ends for good, its key is revoked.

        Raises:
            UnknownSession: there is none with this id.
        """
        await self._member.calls.end_session(session_id)

    async def last_seen_shown(self) -> bool | None:
        """Whether others learn when this person was last seen; None while no manager can be asked."""
        try:
            return (await self._member.calls.settings()).last_seen
        except (Unavailable, NotLoggedIn):
            return None

    async def choose_last_seen(self, *, on: bool) -> None:
        """From now on others learn when this person was last seen, or not. Whether they are online is always shown.

        Raises:
            ManagerAway: the managers, who keep this, cannot be asked now.
        """
        await self._member.calls.change_settings(SettingsChange(last_seen=on))

    def take_recovery_code(self) -> str | None:
        """The recovery code of a store made just now, once; None if there is none to show."""
        code, self._new_code = self._new_code, None
        return code

    def _one_at_a_time(self) -> "_Turn":
        if self._waiting >= MAX_WAITING:
            raise Busy(retry_after=1)
        return _Turn(self)


class _Turn:
    """A turn at the door of a node."""

    def __init__(self, node: Entering) -> None:
        self._node = node

    async def __aenter__(self) -> None:
        self._node._waiting += 1  # noqa: SLF001 - one class in two pieces
        try:
            await self._node._door.acquire()  # noqa: SLF001 - the same
        except BaseException:
            self._node._waiting -= 1  # noqa: SLF001 - the same
            raise
        if self._node._closed:  # noqa: SLF001 - the same
            await self.__aexit__()
            raise NotLoggedIn

    async def __aexit__(self, *_: object) -> None:
        self._node._waiting -= 1  # noqa: SLF001 - the same
        self._node._door.release()  # noqa: SLF001 - the same
