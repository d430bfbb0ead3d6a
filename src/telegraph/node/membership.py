"""This node's place in the organisation: registration, log-in, session, presence, and its announced address."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec
import structlog

from telegraph.errors import (
    FateUnknown,
    NotLoggedIn,
    OtherAccount,
    RevokedKey,
    TelegraphError,
    Unavailable,
)
from telegraph.node import account as accounts
from telegraph.node.account import Account
from telegraph.node.announcing import announce
from telegraph.node.changes import Seen, Steps, steps
from telegraph.node.database import Database
from telegraph.node.joining import keep_managers
from telegraph.node.keys import DeviceKey
from telegraph.node.local_address import is_ours
from telegraph.node.manager_link import ManagerLink
from telegraph.node.model import Sites
from telegraph.node.own_address import OwnAddress
from telegraph.node.own_name import name_to_log_in, named
from telegraph.node.owner_calls import OwnerCalls
from telegraph.node.renewal import renewal_due
from telegraph.node.surroundings import Surroundings
from telegraph.protocol.addresses import Address
from telegraph.protocol.frames import SignedAddress
from telegraph.protocol.manager_api import (
    Answer,
    CertificateAnswer,
    CertificateRequest,
    HeartbeatRequest,
    LoggedIn,
    LoginRequest,
    PasswordProof,
    PasswordRequest,
    Registered,
    RegisterRequest,
    User,
    UserAnswer,
    UsersAnswer,
)
from telegraph.protocol.manager_events import Revoked, UserChanged
from telegraph.protocol.names import check_password, check_username
from telegraph.supervision import supervise

log = structlog.get_logger(__name__)

_ADDRESS_CHECK = 5.0
"""Seconds between looks at this machine's own address."""

_LOOK_WITHIN = 2.0
_CERTIFICATE_CHECK = 60.0
"""Seconds between looks at the certificate's age."""

GIVEN_UP = frozenset({"logged_in_elsewhere", "ended_elsewhere", "password_changed", "removed"})
"""Reasons of a session's end that come with the revocation of the device's key."""

_CONNECTED_WITHIN = 2.0
DEFAULT_HEARTBEAT = 10.0

Accepted = Callable[[str], Awaitable[None]]


class Membership:
    """The account of this data directory and what the managers know of it."""

    def __init__(
        self,
        database: Database,
        key: DeviceKey,
        link: ManagerLink,
        around: Surroundings,
        *,
        where: Callable[[], Address],
    ) -> None:
        """``where`` finds out where this node is; it runs in a thread."""
        self._database = database
        self._key = key
        self._link = link
        self._around = around
        self._where = where
        self._announced: SignedAddress | None = None
        self._own: OwnAddress | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._endings: set[asyncio.Task[None]] = set()
        self._log_in = asyncio.Lock()
        self._connected = asyncio.Event()
        self.account = accounts.load(database)
        self.moved_here = False
        self.calls = OwnerCalls(link, lambda: self.require().token)

    # --- state ---

    @property
    def online(self) -> bool:
        """Whether a manager knows right now that this node lives."""
        return self._link.connected

    @property
    def key(self) -> DeviceKey:
        """This device's key."""
        return self._key

    @property
    def managers(self) -> list[str]:
        """The managers known, the current one first."""
        return self._link.urls

    @property
    def sites(self) -> Sites:
        """The sites of the organisation, as the managers told last."""
        around = self._link.around
        return Sites(around.site, self._link.home, tuple(around.sites))

    def require(self) -> Account:
        """The account, if it is logged in.

        Raises:
            NotLoggedIn: nobody is.
        """
        if self.account is None or self.account.token is None:
            raise NotLoggedIn
        return self.account

    @property
    def own(self) -> OwnAddress | None:
        """Where this node is, signed by its device; None while there is no account."""
        return self._own

    # --- account ---

    async def register(self, username: str, password: str, invite: str | None = None, *, accepted: Accepted) -> Account:
        """Makes an account and logs in; ``accepted`` as at :meth:`login`.

        Raises:
            TelegraphError: illegal or taken name, illegal password, no manager, …; nothing was kept here.
        """
        shown = check_username(username)
        check_password(password)
        name_to_log_in(self.account, shown)
        here = await asyncio.to_thread(self._where)
        body = RegisterRequest(
            username=shown,
            password=password,
            ip=here.host,
            port=here.port,
            invite=invite,
            request_id=secrets.token_urlsafe(16),  # lets a repeated call find its own work
        )
        await self._link.call("POST", "/register", Registered, body=body, repeatable=True)
        return await self.login(username, password, accepted=accepted)

    async def login(self, username: str, password: str, *, accepted: Accepted) -> Account:
        """Logs in with this node's device key and starts the session.

        ``accepted`` is awaited with the password once the managers took it, before anybody can send a message here.

        Raises:
            TelegraphError: wrong name or password, another account's data directory, no manager, …
        """
        name = name_to_log_in(self.account, username)
        async with self._log_in:
            answer = await self._new_session(name, password)
            await self._of_this_account(answer)
            await self._stop()
            account = Account(
                user_id=answer.user_id,
                username=answer.username,
                certificate=answer.certificate,
                ca=answer.ca,
                token=answer.token,
                counter=max(answer.counter, self.account.counter if self.account else 0),
                provisional=answer.provisional,
            )
            await accounts.save(self._database, account)
            await self._database.set(heartbeat=str(answer.heartbeat_interval).encode())
            self._link.home = answer.site
            self._link.learn(answer.managers)
            await self.on_managers()
            await accepted(password)
            self.account = account
            await self.resume()
            self.moved_here = answer.replaced is not None
            if self.moved_here:
                self._around.has_moved_here()
            await self._until_connected()
            return account

    async def _new_session(self, username: str, password: str) -> LoggedIn:
        """A session for this device, with another key if the one that it has was given up since.

        Of that the managers tell for as long as a certificate of it could be valid. Later they know no more than that
        another device had its turn; that is enough, since people may have begun to count anew with that one.
        """
        used_before = self.account is not None
        with contextlib.suppress(RevokedKey):
            answer = await self._ask_session(username, password)
            if answer.replaced is None or not used_before:
                return answer
        await self._around.key_given_up()
        self._key, self._own = await accounts.replace_device_key(self._database), None
        log.info("device_key_replaced")
        return await self._ask_session(username, password)

    async def _ask_session(self, username: str, password: str) -> LoggedIn:
        here = await asyncio.to_thread(self._where)
        body = LoginRequest(username=username, password=password, ip=here.host, port=here.port, csr=self._key.csr())
        return await self._link.call("POST", "/login", LoggedIn, body=body, repeatable=True)

    async def _until_connected(self) -> None:
        """Gives the event stream a moment, so that who has just logged in is online when told so."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CONNECTED_WITHIN):
                await self._connected.wait()

    async def _of_this_account(self, answer: LoggedIn) -> None:
        """Ends a session of somebody else of that name.

        Raises:
            OtherAccount: it is one.
        """
        if self.account is None or self.account.user_id == answer.user_id:
            return
        with contextlib.suppress(TelegraphError):
            await self._link.call("POST", "/logout", Answer, token=answer.token, repeatable=True)
        raise OtherAccount(username=self.account.username)

    async def named(self, user: User) -> bool:
        """What the directory says of this account itself; whether that is news."""
        after = named(self.account, user) if self.account is not None else None
        if after is not None:
            self.account = after
            await accounts.save(self._database, after)
        return after is not None

    async def logout(self) -> None:
        """Ends the session: offline at once. Without a manager the session is forgotten here all the same."""
        account = self.require()
        try:
            await self._link.call("POST", "/logout", Answer, token=account.token, repeatable=True)
        except (Unavailable, NotLoggedIn):
            log.info("logged_out_here_only")
        await asyncio.shield(self._end(account, "logged_out"))

    async def delete_account(self, password: str) -> None:
        """Deletes the account for good, and ends the session here.

        Raises:
            WrongCredentials: it is not the password.
            FateUnknown: it may have been done; asking again says so.
        """
        account, at = self.require(), ""
        try:
            await self._link.call("DELETE", "/account", Answer, body=PasswordProof(password), token=account.token)
        except (NotLoggedIn, FateUnknown):
            told = await self._link.why_ended(account.token or "")
            if told is None or told.reason != "removed":
                raise
            at = told.at
        await asyncio.shield(self._end(account, "removed", at or _now()))

    async def change_password(self, old: str, new: str) -> None:
        """Changes the password in the directory."""
        account = self.require()
        check_password(new)
        await self._link.call("POST", "/password", Answer, body=PasswordRequest(old, new), token=account.token)

    async def resume(self) -> None:
        """Takes up the session that is stored, if there is one."""
        account = self.account
        if account is None or account.certificate is None or account.token is None:
            return
        if self._own is None:
            self._own = OwnAddress(self._database, self._key, account.user_id, self._where, account.counter)
        await self._around.logged_in(account)
        interval = float(self._database.setting("heartbeat") or DEFAULT_HEARTBEAT)
        token = account.token
        self._tasks = [
            asyncio.create_task(supervise("manager_stream", lambda: self._link.follow(token, interval, self))),
            asyncio.create_task(supervise("own_address", self._watch_address)),
            asyncio.create_task(supervise("certificate", self._watch_certificate)),
        ]

    async def _stop(self) -> None:
        ending, self._tasks = self._tasks, []
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        self._announced = None

    async def leave(self) -> None:
        """Tells the managers that this node stops, within a second; nothing may be asked of them after it."""
        stream, others = self._tasks[:1], self._tasks[1:]
        self._tasks = stream
        for task in others:  # what they ask of a manager would be a sign of life
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._link.leave()

    async def close(self) -> None:
        """Stops; the session stays for the next start."""
        await self.leave()
        await asyncio.gather(*self._endings)
        await self._stop()

    def _end(self, account: Account, reason: str, at: str = "") -> "asyncio.Task[None]":
        """Ends a session here, in a task of its own: whoever hears of the end is often one of those that end with it.

        Whoever waits for it must shield it.
        """
        task = asyncio.create_task(supervise("end_of_session", lambda: self._end_session(account.token, reason, at)))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)
        return task

    async def _end_session(self, token: str | None, reason: str, at: str) -> None:
        async with self._log_in:
            if self.account is None or token is None or self.account.token != token:
                return  # it ended before, or a new log-in took its place
            self.account = msgspec.structs.replace(self.account, token=None, ended=reason, ended_at=at)
            if reason in GIVEN_UP:
                self.account = msgspec.structs.replace(self.account, certificate=None)
            try:
                await accounts.save(self._database, self.account)
            finally:
                await self._stop()
                await self._around.logged_out(reason, at)

    # --- the directory ---

    async def find_user(self, username: str) -> User:
        """What the directory says of a user.

        Raises:
            UnknownUser: there is none of this name.
            ManagerAway: it cannot be asked now.
        """
        path = f"/users/{quote(username, safe='')}"
        answer = await self._link.call("GET", path, UserAnswer, token=self.require().token, repeatable=True)
        return answer.message

    async def search(self, query: str) -> list[User]:
        """Users whose name begins like this; those who are online if the query is empty."""
        path = f"/users?query={quote(query, safe='')}" if query else "/peers"
        answer = await self._link.call("GET", path, UsersAnswer, token=self.require().token, repeatable=True)
        return answer.message

    async def watch(self, user_ids: list[str]) -> None:
        """Wants to hear of these users from now on."""
        await self._link.watch(user_ids)

    # --- presence: what the event stream says ---

    async def on_connected(self) -> None:
        """Announces where this node is, as news, and asks to hear of everybody it talks to."""
        await self._renew_certificate(datetime.now(UTC))
        if self._own is not None and self._announced is not None and self._announced == self._own.signed:
            await self._own.renew()
        await self._announce()
        await self._link.ask_revocations(self._around.revocations_cursor())
        await self._link.watch(self._around.watched())
        self._connected.set()
        self._around.connection_changed()

    async def on_disconnected(self) -> None:
        """Tells the node."""
        self._connected.clear()
        self._around.connection_changed()

    async def on_managers(self) -> None:
        """Keeps which managers there are for the next start."""
        await keep_managers(self._database, self._link.given, self._link.urls, self._link.home)

    async def on_sites(self) -> None:
        """Tells the node."""
        self._around.connection_changed()

    async def on_user(self, event: UserChanged) -> None:
        """Hands on what a manager said of somebody."""
        await self._around.user_changed(event.user)

    async def on_user_deleted(self, user_id: str) -> None:
        """Hands on that an account was deleted."""
        await self._around.user_deleted(user_id)

    async def on_revoked(self, event: Revoked) -> None:
        """Hands on which device keys were revoked."""
        await self._around.revoked(event)

    async def on_session_ended(self, reason: str, at: str) -> None:
        """The session is over; only a new log-in helps."""
        log.info("session_ended", reason=reason)
        if self.account is not None:
            self._end(self.account, reason, at)

    async def marked_offline(self, reason: str) -> None:
        """A manager says that this node was marked offline: show that it lives, or learn that the session is over."""
        if reason == "inactive" and await self._link.beat_now():
            return
        account = self.account
        if account is None or account.token is None:
            return
        try:
            await self._link.call(
                "POST", "/heartbeat", Answer, body=HeartbeatRequest(account.username), token=account.token
            )
        except NotLoggedIn:
            told = await self._link.why_ended(account.token)
            self._end(account, told.reason if told else "session_ended", told.at if told else "")
        except TelegraphError as error:
            log.info("heartbeat_failed", code=error.code)

    # --- the own address ---

    async def _watch_address(self) -> None:
        """Signs where this node is, with or without managers, and tells them if they do not know."""
        while True:
            await self.look_around()
            await asyncio.sleep(_ADDRESS_CHECK)

    async def look_around(self) -> None:
        """Finds out now whether this node is somewhere else."""
        if self._own is not None:
            await self._own.refresh()
            if self._link.connected and self._own.signed != self._announced:
                await self._announce()

    async def network_changed(self, slept: float) -> Steps:
        """Looks where this node is now, and comes back to the managers at once; gives what else is to be done."""
        moved = False
        if self._own is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_WITHIN):  # DNS may hang; the next look tries again
                    moved = await self._own.refresh()
        host = self._link.local_host
        todo = steps(Seen(slept, moved=moved, stream_lost=host is not None and not is_ours(host)))
        if todo.reopen_stream:
            self._link.reopen()
        else:
            self._link.hurry()
        return todo

    # --- the certificate ---

    async def _watch_certificate(self) -> None:
        while True:
            if self._link.connected:
                await self._renew_certificate(datetime.now(UTC))
            await asyncio.sleep(_CERTIFICATE_CHECK)

    async def _renew_certificate(self, now: datetime) -> None:
        account = self.require()
        if account.certificate is None or not renewal_due(account.certificate, now):
            return
        body = CertificateRequest(self._key.csr())
        try:
            answer = await self._link.call(
                "POST", "/certificate", CertificateAnswer, body=body, token=account.token, repeatable=True
            )
        except TelegraphError as error:
            log.warning("certificate_not_renewed", code=error.code)
            return
        self.account = msgspec.structs.replace(self.require(), certificate=answer.certificate)
        await accounts.save(self._database, self.account)
        self._around.certificate_renewed(self.account)

    async def _announce(self) -> None:
        if self._own is not None:
            self._announced = await announce(self._own, self, self._link) or self._announced


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
