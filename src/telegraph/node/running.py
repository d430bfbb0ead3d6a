"""The life of one person's daemon: starting, unlocking the store, finding the organisation, links, locking again."""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import structlog

from telegraph.errors import NameHeld, NotLoggedIn, Unavailable
from telegraph.node import account as accounts
from telegraph.node import event_log, integrity
from telegraph.node.account import Account
from telegraph.node.backup import remove_unsent
from telegraph.node.broker import Broker
from telegraph.node.contacts import ContactBook, is_news
from telegraph.node.database import Database
from telegraph.node.deliveries import Deliveries
from telegraph.node.departed import Departed
from telegraph.node.expiring import Expiring
from telegraph.node.farewells import Farewells
from telegraph.node.joining import EarlyStore, finder, given_managers, home_site, known_managers, settle_ca, stored_ca
from telegraph.node.manager_choice import ManagerChoice
from telegraph.node.manager_client import ManagerClient
from telegraph.node.manager_link import ManagerLink
from telegraph.node.membership import Membership
from telegraph.node.model import AccountChanged, Contact, PresenceChanged
from telegraph.node.network_watch import NetworkWatch
from telegraph.node.own_address import last_address
from telegraph.node.own_place import OwnPlace
from telegraph.node.peer_port import PeerPort
from telegraph.node.peers import Peers
from telegraph.node.people import Decisions
from telegraph.node.recovery import recover
from telegraph.node.revocations import Revocations, forget_expired
from telegraph.node.search import Search
from telegraph.node.settings import NodeSettings, settings_of
from telegraph.node.store import Store
from telegraph.node.trust import Ask
from telegraph.node.unattended import secrets_of
from telegraph.node.while_open import WhileOpen
from telegraph.peer.tls import Credentials, TlsEndpoint
from telegraph.protocol.addresses import Address, parse_address
from telegraph.protocol.manager_api import User
from telegraph.protocol.node_api import AccountState
from telegraph.storage.datadir import DataDirectory
from telegraph.storage.engine import sqlite3
from telegraph.storage.stretching import Stretching
from telegraph.supervision import supervise

log = structlog.get_logger(__name__)

_TIDY_EVERY = 600.0


class Running(Farewells):
    """What a node is beneath its public face, :class:`telegraph.node.app.Node`: see there for the parameters.

    It is *locked* until the store is open: then it serves only its local API. Once open, it belongs to an organisation,
    and to an account if there is one; links go while the account has a certificate.
    """

    _contacts = WhileOpen[ContactBook]()
    _decisions = WhileOpen[Decisions]()
    _departed = WhileOpen[Departed]()
    _expiring = WhileOpen[Expiring]()
    _revoked = WhileOpen[Revocations]()
    _search = WhileOpen[Search]()

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
        key_file: str | Path | None = None,
    ) -> None:
        managers = (manager,) if isinstance(manager, str) else tuple(manager or ())
        settings = NodeSettings(
            data=Path(data),
            managers=managers,
            ca_file=Path(ca) if ca is not None else None,
            host=host,
            peer_port=peer_port,
            advertise=advertise,
            key_file=Path(key_file) if key_file is not None else None,
        )
        self._configure(settings_of(settings, invite))

    @classmethod
    def with_settings(cls, settings: NodeSettings, ask: Ask | None = None) -> Self:
        """A node with all settings; ``ask`` asks the user whether to trust an unknown CA.

        Raises:
            TestingOnly: settings that weaken security, outside tests.
        """
        node = cls.__new__(cls)
        node._configure(settings_of(settings, None), ask)  # noqa: SLF001 - our own class
        return node

    def _configure(self, settings: NodeSettings, ask: Ask | None = None) -> None:
        self.settings = settings
        self._ask = ask
        self._rng = Random(secrets.randbits(64))  # noqa: S311 - jitter and message ids, no keys
        self._advertise = parse_address(settings.advertise, 0) if settings.advertise else None
        self._online: dict[str, tuple[bool, str | None]] = {}
        self.damage: list[str] = []
        self._broker = Broker()
        self._deliveries = Deliveries()
        self._early = EarlyStore()
        self._peers: Peers | None = None
        self._membership: Membership | None = None
        self._client: ManagerClient | None = None
        self._ca: str | None = None
        self._joining = asyncio.Lock()
        self._open = AsyncExitStack()
        self._unlocked = AsyncExitStack()

    # --- life ---

    async def start(self) -> None:
        """Opens the data directory and binds the peer port; if the store opens unattended, takes up its session.

        Raises:
            CannotStart: data in use or unreadable, port taken, CA unreadable or unknown.
        """
        async with AsyncExitStack() as opened:
            directory = DataDirectory(self.settings.data)
            opened.callback(directory.release)
            remove_unsent(self.settings.data)
            self._port = PeerPort(self.settings.host, self.settings.peer_port, self.settings.data)
            opened.callback(self._port.close)
            self._store = Store(self.settings.data, Stretching(memory=self.settings.argon2_memory))
            opened.callback(self._broker.close)
            opened.push_async_callback(self._lock)
            self._ca = stored_ca(self.settings, self._early)
            await self._awake()
            self._open = opened.pop_all()

    async def _awake(self) -> None:
        """Unlocks the store if that needs no password; before the first log-in settles whom to trust."""
        kept = secrets_of(self.settings, self._store.node_id)
        if kept is not None and self._store.state == "locked" and await self._store.unlock_unattended(kept):
            await self._enter()
        elif self._store.state == "none":
            await self._settle_early()

    async def close(self) -> None:
        """Stops; everything that was acknowledged is on disk. Those who follow the events come to their end."""
        await self._open.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- between unlocking and locking ---

    async def _enter(self) -> None:
        """The store is open: from here on there is somebody, and there are people and messages.

        Raises:
            CaUnreadable: the CA that was given is not that of the store.
        """
        async with AsyncExitStack() as opened:
            opened.push_async_callback(self._store.lock)
            opened.callback(WhileOpen.forget, self)
            orderly = await integrity.opened(self.database)
            opened.push_async_callback(integrity.closing, self.database)
            opened.push_async_callback(self._leave)
            await self.database.set(**self._early.values)
            self._revoked = Revocations(self.database)
            self._departed = Departed(self.database)
            self._ca = stored_ca(self.settings, self.database)
            self._contacts = ContactBook(self.database)
            self._decisions = Decisions(self._contacts, self._broker, self._own_side, self._on_decided)
            self._broker.attach(self.database)
            opened.callback(self._broker.detach)
            opened.callback(self._deliveries.see_anew)
            watch = NetworkWatch(lambda slept: recover(slept, self._membership, self._peers))
            for name, work in (("upkeep", self._keep_tidy), ("network", watch.run)):
                opened.callback(asyncio.create_task(supervise(name, work)).cancel)
            if not orderly:
                checking = asyncio.create_task(self._check())
                opened.callback(checking.cancel)
            self._search = Search(self.database, self._broker)
            opened.push_async_callback(self._search.close)
            indexing = asyncio.create_task(supervise("search_index", self._search.run))
            opened.callback(indexing.cancel)
            self._expiring = Expiring(self.database, self._messages_changed)
            expiring = asyncio.create_task(supervise("expiring", self._expiring.run))
            opened.callback(expiring.cancel)
            await self._join(required=False)
            self._unlocked = opened.pop_all()

    async def _lock(self) -> None:
        """Closes all that the store's being open allows, and the store."""
        unlocked, self._unlocked = self._unlocked, AsyncExitStack()
        await unlocked.aclose()

    async def _check(self) -> None:
        """After a crash: the full check, while everything else goes on."""
        self.damage = await integrity.check(self.database)

    async def _keep_tidy(self) -> None:
        """Keeps the event log and the list of revoked keys from growing for ever."""
        while True:
            await self.database.write(_forget)
            await asyncio.sleep(_TIDY_EVERY)

    def _messages_changed(self, contact: int) -> None:
        """Something happened to the messages of a conversation: tells followers, and wakes the courier."""
        self._deliveries.see_anew(contact)
        self._broker.wake()
        if self._peers is not None:
            self._peers.wake(contact)

    async def depart(self) -> None:
        """Tells managers that this node stops, so that its user is shown offline; a second at most. Then close it."""
        if self._membership is not None:
            await self._membership.leave()

    async def _leave(self) -> None:
        async with AsyncExitStack() as parts:
            if self._client is not None:
                parts.push_async_callback(self._client.close)
            parts.push_async_callback(self._leave_peers)
            if self._membership is not None:
                parts.push_async_callback(self._membership.close)
        self._membership = self._client = None

    async def _leave_peers(self) -> None:
        peers, self._peers = self._peers, None
        if peers is not None:
            await peers.close()
            self._port.refuse()
        self._online.clear()

    @property
    def database(self) -> Database:
        """The store's database.

        Raises:
            NotLoggedIn: the store is locked.
        """
        return self._store.database

    # --- finding the organisation ---

    async def _settle_early(self) -> None:
        """Settles whom to trust before anybody logs in, so that an unknown CA is asked about at the start."""
        urls = list(self.settings.managers)
        try:
            _, self._ca = await settle_ca(self.settings, self._early, urls, self._ca, self._ask)
        except Unavailable:
            log.info("ca_not_fetched_yet")

    async def _join(self, *, required: bool) -> Membership | None:
        """Settles whom to trust and how to reach the managers; once settled, gives what there is.

        Without a manager in reach that can wait until somebody logs in, unless ``required``.
        """
        async with self._joining:
            if self._membership is None:
                given = given_managers(self.settings, self.database)
                urls = list(dict.fromkeys((*given, *known_managers(self.database))))
                try:
                    urls, self._ca = await settle_ca(self.settings, self.database, urls, self._ca, self._ask)
                except Unavailable:
                    if required:
                        raise
                    return None
                self._client = ManagerClient(self._ca)
                choice = ManagerChoice(given, urls, self._rng)
                link = ManagerLink(self._client, self._find, choice, self._rng, home_site(self.database))
                key = await accounts.device_key(self.database)
                self._membership = Membership(self.database, key, link, self, where=self._own_place(link))
                await self._membership.resume()
            return self._membership

    async def _joined(self) -> Membership:
        member = await self._join(required=True)
        assert member is not None  # noqa: S101 - required
        return member

    @property
    def _member(self) -> Membership:
        if self._membership is None:
            raise NotLoggedIn
        return self._membership

    async def _find(self) -> list[str]:
        """Managers that live and belong to our organisation, quickest first."""
        assert self._client is not None  # noqa: S101 - only the link made with it calls this
        return await finder(self.settings, self.database).find(self._client.probe)

    def _own_place(self, link: ManagerLink) -> OwnPlace:
        last = last_address(self.database)
        return OwnPlace(
            advertise=self._advertise,
            host=self.settings.host,
            port=lambda: self.peer_port,
            managers=lambda: link.urls,
            people=lambda: (contact.address for contact in self._contacts if contact.address is not None),
            last=last.host if last else None,
        )

    # --- who and where ---

    @property
    def node_id(self) -> str:
        """A short public name of this data directory."""
        return self._store.node_id

    @property
    def peer_port(self) -> int:
        """The port on which other nodes reach this one."""
        return self._port.number

    @property
    def account(self) -> Account | None:
        """The account of the open store; None before the first log-in, and while the store is locked."""
        if self._membership is not None:
            return self._membership.account
        return accounts.load(self.database) if self._store.state == "open" else None

    @property
    def username(self) -> str | None:
        """The account's name, as :attr:`account`."""
        account = self.account
        return account.username if account else None

    @property
    def user_id(self) -> str | None:
        """The account's id, as :attr:`account`."""
        account = self.account
        return account.user_id if account else None

    @property
    def account_state(self) -> AccountState:
        """See :data:`telegraph.protocol.node_api.AccountState`."""
        if self._store.state == "locked":
            return "locked"
        account = self.account
        if account is None:
            return "none"
        if self._membership is not None and self._membership.online:
            return "online"
        return "offline" if self._peers is not None else "ended"

    @property
    def managers(self) -> list[str]:
        """The managers known, the current one first."""
        return self._membership.managers if self._membership else list(self.settings.managers)

    @property
    def peer_address(self) -> str | None:
        """Where this node says that it is, HOST:PORT; None before that is known."""
        own = self._membership.own if self._membership else None
        signed = own.signed if own else None
        return str(Address(signed.host, signed.port)) if signed else None

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
            key=self._member.key.public,
            database=self.database,
            contacts=self._contacts,
            broker=self._broker,
            find_user=self._member.find_user,
            learn=self._learn,
            own=self._member.own,
            revoked=self._revoked,
            managers_away=lambda: not self._member.online,
            on_marked_offline=self._member.marked_offline,
            rng=self._rng,
            deliveries=self._deliveries,
        )
        await self._peers.start()

    def _credentials(self, account: Account) -> Credentials:
        return Credentials(account.certificate or "", self._member.key.private_pem, account.ca or "")

    def certificate_renewed(self, account: Account) -> None:
        """Shows the new certificate from the next connection on."""
        if self._peers is not None:
            self._endpoint.replace_credentials(self._credentials(account))

    async def logged_out(self, reason: str, at: str = "") -> None:
        """Speaks with nobody any more; what is stored can still be read."""
        await self._leave_peers()
        self._broker.publish(AccountChanged(self.account_state, self.username, reason, at))

    async def key_given_up(self) -> None:
        """Speaks with nobody under this device's key any more."""
        await self._leave_peers()

    def has_moved_here(self) -> None:
        """Tells followers that the session moved to this device."""
        self._broker.publish(AccountChanged(self.account_state, self.username, "moved_here"))

    def connection_changed(self) -> None:
        """Tells followers."""
        self._broker.publish(AccountChanged(self.account_state, self.username))

    def watched(self) -> list[str]:
        """Everybody this node has talked with, and its own user, whose name a heal between sites may change."""
        return list({*([self.user_id] if self.user_id else []), *(contact.user_id for contact in self._contacts)})

    async def user_changed(self, user: User) -> None:
        """Takes over a new address or key, tells followers of comings and goings, and tries again at once."""
        if user.user_id == self.user_id:
            await self._named(user)
            return
        contact = self._contacts.of_user(user.user_id)
        if contact is None or self._peers is None:
            return
        if is_news(contact, user):
            try:
                contact = await self._peers.learn(user)
            except NameHeld as refusal:
                log.warning("name_not_taken_over", contact=contact.user_id, code=refusal.code)
        online = user.status == "online"
        if self._online.get(user.user_id) != (online, user.last_seen):
            before = self._online.get(user.user_id)
            self._online[user.user_id] = (online, user.last_seen)
            if (before is None or before[0] != online) and not contact.blocked:
                self._broker.publish(PresenceChanged(contact.username, online, user.user_id, user.last_seen))
        if online:
            self._peers.hurry(contact.id)

    async def _named(self, user: User) -> None:
        """The directory says how this node's own user is called, and whether every site has confirmed that."""
        before = self.username
        if not await self._member.named(user):
            return
        if self._peers is not None:
            self._peers.username = user.username
        reason = "renamed" if before != user.username else "confirmed"
        self._broker.publish(AccountChanged(self.account_state, self.username, reason))

    async def _learn(self, user: User) -> Contact:
        """Pins or updates somebody as the directory knows them; from then on we hear of their comings and goings."""
        new = self._contacts.of_user(user.user_id) is None
        contact = await self._contacts.learn(user)
        self._broker.wake()  # a key that changed is an entry in the conversation
        if new:
            self._online[user.user_id] = (user.status == "online", user.last_seen)
            await self._member.watch([user.user_id])
        return contact

    def _own_side(self) -> tuple[str, bytes]:
        """This end as safety numbers take it: user id and device key."""
        account = self.account
        if account is None:
            raise NotLoggedIn
        return account.user_id, self._member.key.public

    async def _on_decided(self, before: Contact, after: Contact) -> None:
        if self._peers is not None:
            await self._peers.decided(before, after)


def _forget(connection: sqlite3.Connection) -> None:
    event_log.forget(connection)
    forget_expired(connection)
