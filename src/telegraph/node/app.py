"""The node: one person's daemon, and the Python API that bots, the page and the command line are built on."""

import asyncio
import hashlib
import secrets
import time
from base64 import b64decode
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import structlog

from telegraph.errors import (
    BadInput,
    IllegalText,
    NotLoggedIn,
    Unavailable,
    UnknownMessage,
)
from telegraph.node import account as accounts
from telegraph.node import event_log, history, streams
from telegraph.node.account import Account
from telegraph.node.backoff import Backoff
from telegraph.node.broker import Broker
from telegraph.node.contacts import ContactBook, possible_name
from telegraph.node.database import Database
from telegraph.node.joining import finder, settle_ca, stored_ca
from telegraph.node.manager_client import ManagerClient
from telegraph.node.manager_link import ManagerLink
from telegraph.node.membership import Membership
from telegraph.node.model import AccountChanged, Contact, Event, Message, PresenceChanged, id_bytes
from telegraph.node.peer_port import PeerPort
from telegraph.node.peers import Peers
from telegraph.node.settings import NodeSettings, settings_of
from telegraph.node.trust import Ask
from telegraph.peer.tls import Credentials, TlsEndpoint
from telegraph.protocol.addresses import Address, parse_address
from telegraph.protocol.frames import MAX_TEXT_BYTES
from telegraph.protocol.manager_api import User
from telegraph.protocol.names import name_key
from telegraph.protocol.node_api import AccountState
from telegraph.storage.datadir import DataDirectory
from telegraph.supervision import supervise

log = structlog.get_logger(__name__)

_TIDY_EVERY = 600.0
_RETRY_FIRST = 0.3
_RETRY_LAST = 10.0
"""Seconds between attempts to reach a manager."""


class Node:
    """One person's node. Use it as an async context manager; inside it runs, links are accepted, what waits goes out.

    ``data`` is its directory: account, keys, messages. ``manager`` is the URL of one manager or several; without one
    they are discovered. ``ca`` is the organisation's CA certificate file, unless an ``invite`` link gives its
    fingerprint, and the managers with it. See :class:`~telegraph.node.settings.NodeSettings` for the rest.

    Raises:
        CannotStart: on entering, see its subclasses.
    """

    def __init__(
        self,
        data: str | Path,
        *,
        manager: str | Sequence[str] | None = None,
        ca: str | Path | None = None,
        invite: str | None = None,
        host: str = "0.0.0.0",  # noqa: S104 - others must reach it; every link needs a certificate
        peer_port: int | None = None,
        advertise: str | None = None,
    ) -> None:
        managers = (manager,) if isinstance(manager, str) else tuple(manager or ())
        self._configure(
            settings_of(
                NodeSettings(
                    data=Path(data),
                    managers=managers,
                    ca_file=Path(ca) if ca is not None else None,
                    host=host,
                    peer_port=peer_port,
                    advertise=advertise,
                ),
                invite,
            )
        )

    @classmethod
    def with_settings(cls, settings: NodeSettings, ask: Ask | None = None) -> "Node":
        """A node with all settings; ``ask`` asks the user whether to trust an unknown CA."""
        node = cls.__new__(cls)
        node._configure(settings, ask)  # noqa: SLF001 - our own class
        return node

    def _configure(self, settings: NodeSettings, ask: Ask | None = None) -> None:
        self.settings = settings
        self._ask = ask
        self._rng = Random(secrets.randbits(64))  # noqa: S311 - jitter and message ids, no keys
        self._advertise = parse_address(settings.advertise, 0) if settings.advertise else None
        self._online: dict[str, tuple[bool, str | None]] = {}
        self._peers: Peers | None = None
        self._membership: Membership | None = None
        self._client: ManagerClient | None = None
        self._ca: str | None = None
        self._joining = asyncio.Lock()
        self._open = AsyncExitStack()

    # --- life ---

    async def start(self) -> None:
        """Opens the data directory, binds the peer port and takes up the stored session.

        Raises:
            CannotStart: data in use or unreadable, port taken, CA unreadable or unknown.
        """
        async with AsyncExitStack() as opened:
            directory = DataDirectory(self.settings.data)
            opened.callback(directory.release)
            self._port = PeerPort(self.settings.host, self.settings.peer_port)
            opened.callback(self._port.close)
            self.database = Database.open(self.settings.data)
            opened.push_async_callback(self.database.close)
            await self._begin(opened)
            self._open = opened.pop_all()

    async def _begin(self, opened: AsyncExitStack) -> None:
        self._contacts = ContactBook(self.database)
        self._broker = Broker(self.database)
        opened.callback(self._broker.close)
        opened.push_async_callback(self._leave)
        upkeep = asyncio.create_task(supervise("upkeep", self._keep_tidy))
        opened.callback(upkeep.cancel)
        self._key = await accounts.device_key(self.database)
        self._ca = stored_ca(self.settings, self.database)
        await self._join(required=False)

    async def _keep_tidy(self) -> None:
        """Keeps the event log from growing for ever."""
        while True:
            await self.database.write(event_log.forget)
            await asyncio.sleep(_TIDY_EVERY)

    async def close(self) -> None:
        """Stops; everything that was acknowledged is on disk. Those who follow the events come to their end."""
        await self._open.aclose()

    async def _leave(self) -> None:
        async with AsyncExitStack() as parts:
            if self._client is not None:
                parts.push_async_callback(self._client.close)
            parts.push_async_callback(self._leave_peers)
            if self._membership is not None:
                parts.push_async_callback(self._membership.close)

    async def _leave_peers(self) -> None:
        if self._peers is not None:
            await self._peers.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- finding the organisation ---

    async def _join(self, *, required: bool) -> Membership | None:
        """Settles whom to trust and how to reach the managers; once settled, gives what there is.

        Without a manager in reach that can wait until somebody logs in, unless ``required``.
        """
        async with self._joining:
            if self._membership is None:
                urls = list(self.settings.managers) or accounts.known_managers(self.database)
                try:
                    urls, self._ca = await settle_ca(self.settings, self.database, urls, self._ca, self._ask)
                except Unavailable:
                    if required:
                        raise
                    return None
                self._client = ManagerClient(self._ca)
                link = ManagerLink(self._client, self._find, urls, Backoff(_RETRY_FIRST, _RETRY_LAST, self._rng))
                self._membership = Membership(
                    self.database, self._key, link, self, peer_port=lambda: self.peer_port, advertise=self._advertised
                )
                await self._membership.resume()
            return self._membership

    async def _find(self) -> list[str]:
        """Managers that live and belong to our organisation, quickest first."""
        assert self._client is not None  # noqa: S101 - only the link made with it calls this
        return await finder(self.settings, self.database).find(self._client.probe)

    def _advertised(self) -> Address | None:
        given = self._advertise
        return None if given is None else Address(given.host, given.port or self.peer_port)

    @property
    def node_id(self) -> str:
        """A short public name of this data directory, from its device key."""
        return hashlib.sha256(self._key.public).hexdigest()[:12]

    @property
    def peer_port(self) -> int:
        """The port on which other nodes reach this one."""
        return self._port.number

    # --- what the membership tells ---

    async def logged_in(self, account: Account) -> None:
        """Accepts links with the account's certificate, and sends what waits."""
        if account.certificate is None or account.ca is None:
            return
        if self._peers is not None:  # a new log-in beside a session that goes on
            self.certificate_renewed(account)
            return
        self._endpoint = TlsEndpoint(self._port.listen(), self._credentials(account))
        self._peers = Peers(
            endpoint=self._endpoint,
            user_id=account.user_id,
            username=account.username,
            key=self._key.public,
            database=self.database,
            contacts=self._contacts,
            broker=self._broker,
            find_user=self._member.find_user,
            learn=self._learn,
            own_address=self._member.own_address,
            on_marked_offline=self._member.marked_offline,
            rng=self._rng,
        )
        await self._peers.start()

    def _credentials(self, account: Account) -> Credentials:
        return Credentials(account.certificate or "", self._key.private_pem, account.ca or "")

    def certificate_renewed(self, account: Account) -> None:
        """Shows the new certificate from the next connection on."""
        if self._peers is not None:
            self._endpoint.replace_credentials(self._credentials(account))

    async def logged_out(self, reason: str) -> None:
        """Speaks with nobody any more."""
        if self._peers is not None:
            peers, self._peers = self._peers, None
            await peers.close()
            self._port.refuse()
        self._online.clear()
        self._broker.publish(AccountChanged(self.account_state, self.username, reason))

    def connection_changed(self) -> None:
        """Tells followers."""
        self._broker.publish(AccountChanged(self.account_state, self.username))

    def watched(self) -> list[str]:
        """Everybody this node has talked with."""
        return [contact.user_id for contact in self._contacts]

    async def user_changed(self, user: User) -> None:
        """Takes over a new address or key, tells followers of comings and goings, and tries again at once."""
        contact = self._contacts.of_user(user.user_id)
        if contact is None or self._peers is None:
            return
        if _is_news(contact, user):
            contact = await self._peers.learn(user)
        online = user.status == "online"
        if self._online.get(user.user_id) != (online, user.last_seen):
            before = self._online.get(user.user_id)
            self._online[user.user_id] = (online, user.last_seen)
            if before is None or before[0] != online:
                self._broker.publish(PresenceChanged(contact.username, online, user.user_id, user.last_seen))
        if online:
            self._peers.hurry(contact.id)

    # --- account ---

    @property
    def _member(self) -> Membership:
        if self._membership is None:
            raise NotLoggedIn
        return self._membership

    @property
    def username(self) -> str | None:
        """The account's name, None before the first log-in."""
        account = accounts.load(self.database) if self._membership is None else self._membership.account
        return account.username if account else None

    @property
    def user_id(self) -> str | None:
        """The account's id, None before the first log-in."""
        account = accounts.load(self.database) if self._membership is None else self._membership.account
        return account.user_id if account else None

    @property
    def account_state(self) -> AccountState:
        """``none`` before the first log-in, ``locked`` when logged out, else whether a manager knows that we live."""
        if self.username is None:
            return "none"
        if self._membership is None or self._membership.account is None or self._membership.account.token is None:
            return "locked"
        return "online" if self._membership.online else "offline"

    @property
    def managers(self) -> list[str]:
        """The managers known, the current one first."""
        return self._membership.managers if self._membership else list(self.settings.managers)

    @property
    def peer_address(self) -> str | None:
        """Where the managers were told that this node is, HOST:PORT."""
        signed = self._membership.own_address() if self._membership else None
        return str(Address(signed.host, signed.port)) if signed else None

    async def register(self, username: str, password: str, invite: str | None = None) -> Account:
        """Makes an account and logs in.

        Raises:
            TelegraphError: illegal or taken name, illegal password, no manager, …; then nothing changed.
        """
        member = await self._joined()
        return await member.register(username, password, invite or self.settings.invite_code)

    async def login(self, username: str, password: str) -> Account:
        """Logs in; the session is kept for later starts.

        Raises:
            TelegraphError: wrong name or password, another account's data directory, no manager, …
        """
        return await (await self._joined()).login(username, password)

    async def _joined(self) -> Membership:
        member = await self._join(required=True)
        assert member is not None  # noqa: S101 - required
        return member

    async def logout(self) -> None:
        """Ends the session; this node is offline at once."""
        await self._member.logout()

    async def change_password(self, old: str, new: str) -> None:
        """Changes the account's password."""
        await self._member.change_password(old, new)

    # --- people and messages ---

    async def people(self, query: str = "") -> list[User]:
        """Users whose name begins like this; those who are online if the query is empty.

        Raises:
            ManagerAway: the directory cannot be asked now.
        """
        return await self._member.search(query)

    async def contact(self, user: str) -> Contact:
        """Somebody by name: known here, or else looked up in the directory and pinned.

        Raises:
            UnknownUser: there is none of this name.
            ManagerAway: not known here, and the directory cannot be asked.
        """
        account = self._member.require()
        if name_key(user) == name_key(account.username):
            raise BadInput(detail="you cannot write to yourself yet")
        known = self._contacts.named(user)
        if known is not None:
            return known
        return await self._learn(await self._member.find_user(possible_name(user)))

    async def _learn(self, user: User) -> Contact:
        """Pins or updates somebody as the directory knows them; from then on we hear of their comings and goings."""
        new = self._contacts.of_user(user.user_id) is None
        contact = await self._contacts.learn(user)
        if new:
            self._online[user.user_id] = (user.status == "online", user.last_seen)
            await self._member.watch([user.user_id])
        return contact

    async def send(self, user: str, text: str, *, reply_to: str | None = None) -> Message:
        """Sends a message: returns once it is on this machine's disk; it goes out by itself.

        Raises:
            IllegalText: empty, or longer than 64 KiB in UTF-8.
            UnknownUser, ManagerAway: as :meth:`contact`.
            UnknownMessage: ``reply_to`` is no message of this conversation.
        """
        if not text or len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES or not _encodable(text):
            raise IllegalText
        contact = await self.contact(user)
        me = self._me  # before anything is stored: an error must mean that nothing is sent
        answered = self._find_message(contact, reply_to) if reply_to is not None else None
        now = time.time_ns() // 1000
        row = await self.database.write(
            lambda connection: streams.append(connection, contact.id, text, now, self._rng, reply_to=answered)
        )
        self._happened(contact)
        return history.message(self.database.reader, row, me)

    def _happened(self, contact: Contact) -> None:
        self._broker.wake()
        if self._peers is not None:
            self._peers.wake(contact.id)

    def _find_message(self, contact: Contact, message_id: str) -> bytes:
        uuid = id_bytes(message_id)
        if uuid is None or history.find(self.database.reader, contact.id, uuid) is None:
            raise UnknownMessage
        return uuid

    @property
    def _me(self) -> str:
        return self._member.require().username

    async def read(self, user: str) -> int:
        """Marks everything from somebody as read, and tells them: how many messages became read."""
        contact = await self.contact(user)
        marked = await self.database.write(lambda connection: streams.read_here(connection, contact.id))
        if marked:
            self._happened(contact)
        return marked

    async def history(self, user: str, *, before: str | None = None, limit: int = 50) -> tuple[list[Message], bool]:
        """Up to ``limit`` messages before one (None: the latest), oldest first, and whether there are older ones.

        Raises:
            UnknownMessage: ``before`` is no message of this conversation.
        """
        contact = await self.contact(user)
        row = None
        if before is not None:
            row = history.find(self.database.reader, contact.id, self._find_message(contact, before))
        return history.page(self.database.reader, contact.id, self._me, before=row, limit=limit)

    def inbox(self) -> list[Message]:
        """Every unread message, in the order of arrival; marks nothing."""
        return history.unread(self.database.reader, self._me)

    def conversations(self) -> list[Contact]:
        """Everybody with whom there is a message, the latest conversation first."""
        self._member.require()
        return [self._contacts[row] for row in history.conversations(self.database.reader)]

    @property
    def contacts(self) -> list[Contact]:
        """Everybody known here."""
        return list(self._contacts)

    def presence(self, user_id: str) -> tuple[bool, str | None]:
        """Whether a contact is online as far as is known, and when they were last seen (RFC 3339 or None)."""
        return self._online.get(user_id, (False, None))

    # --- events ---

    def events(self, cursor: int | None = None) -> AsyncGenerator[Event]:
        """What happens from this call on, or since a cursor, until the node closes: messages, states, presence.

        The own messages of this node's user come as :class:`MessageSent`.
        """
        followed = self.follow(cursor)
        return (event async for _, event in followed)

    def follow(self, cursor: int | None = None) -> AsyncGenerator[tuple[int, Event]]:
        """As :meth:`events`, each event with the cursor to resume after."""
        return self._broker.follow(self._name_for_events, cursor)

    @property
    def cursor(self) -> int:
        """The cursor of the latest event on disk."""
        return self._broker.head()

    def _name_for_events(self) -> str:
        return self.username or ""


def _is_news(contact: Contact, user: User) -> bool:
    """Whether the directory says something that is not yet stored here."""
    key = b64decode(user.device_key) if user.device_key else None
    return user.counter > contact.counter or user.username != contact.username or key != contact.device_key


def _encodable(text: str) -> bool:
    """Whether a text is valid Unicode: JSON can carry halves of characters, which no disk or screen can."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
