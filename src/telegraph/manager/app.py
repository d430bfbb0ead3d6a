"""A manager as a whole: puts the parts together, starts and stops them."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import msgspec
import structlog

from telegraph.directory import records
from telegraph.directory.port import Reads
from telegraph.directory.quorum import Quorum
from telegraph.directory.records import Presence
from telegraph.manager.accounts import Accounts, AccountSettings
from telegraph.manager.api.application import Application
from telegraph.manager.attending import Attending
from telegraph.manager.background import keep_running
from telegraph.manager.ca import CA_FILE, CertificateAuthority
from telegraph.manager.care import Care
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster.opening import Opened, open_directory
from telegraph.manager.cluster.place import Place
from telegraph.manager.core import Core
from telegraph.manager.endings import Ended
from telegraph.manager.feed import Feed
from telegraph.manager.gate import Gate
from telegraph.manager.invites import store_registration
from telegraph.manager.jobs import Fence, Job, Jobs
from telegraph.manager.look_ups import LookUps
from telegraph.manager.metrics import Metrics
from telegraph.manager.notify import Notifier, Reason
from telegraph.manager.passwords import Passwords
from telegraph.manager.people import People, nowhere
from telegraph.manager.places import (
    ENDPOINT_FILE,
    advertised,
    certificate_hosts,
    load_or_create_id,
    outward_address,
    url_of,
)
from telegraph.manager.ratelimit import FailureLimit
from telegraph.manager.reaching import Reaching
from telegraph.manager.readiness import Readiness
from telegraph.manager.responder import bind, respond
from telegraph.manager.revocations import RevokedKeys
from telegraph.manager.roster import Roster
from telegraph.manager.server import Identity, renew_at, server_context
from telegraph.manager.settings import ManagerSettings
from telegraph.manager.sites.applying import Applier
from telegraph.manager.sites.exchange import Exchange
from telegraph.manager.sites.reserving import Reserving
from telegraph.manager.sites.telling import claims_among, places_in, site_states
from telegraph.manager.sites.unsettled import Unsettled
from telegraph.manager.streams import Hub
from telegraph.peer.credentials import Credentials, renew
from telegraph.protocol.addresses import Address
from telegraph.protocol.discovery import Active
from telegraph.protocol.manager_events import SessionEnded
from telegraph.protocol.sites import PATH_RESERVE
from telegraph.protocol.version import __version__
from telegraph.rest.server import Server
from telegraph.storage.datadir import DataDirectory, write_private

if TYPE_CHECKING:  # what speaks with etcd costs memory that a single manager need not have
    from telegraph.manager.cluster.members import Members

log = structlog.get_logger(__name__)

PING_EVERY: Final = 20.0
"""Seconds between two pings on an event stream. Nodes send a heartbeat more often, and notice first: with thousands of
streams most of the work would be pings."""

_LONGEST_SLEEP: Final = 3600.0
"""Seconds between looks at the wall clock, which a suspended machine finds far ahead."""

_TIDY_EVERY: Final = 3600.0
"""Seconds between two searches for revocations that no certificate outlives."""


class Manager:
    """One identity manager. Use it as an async context manager, or :meth:`start` and :meth:`stop` it.

    Attributes (after the start):
        url: how nodes are to call it.
        port: its TCP port.
        udp_port: its UDP port.
        ca_path: the organisation's CA certificate file.
        fingerprint: the CA's SHA-256, 64 hex digits.
    """

    url: str
    port: int
    udp_port: int
    ca_path: Path
    fingerprint: str

    def __init__(self, settings: ManagerSettings) -> None:
        self.settings = settings
        self._clock = read_clock
        self._running = contextlib.AsyncExitStack()
        self._stopping = asyncio.Event()

    # --- life ---

    async def start(self) -> None:
        """Starts; returns when it answers. Whatever fails, nothing is left behind.

        Raises:
            CannotStart: see its subclasses.
            IllegalAddress: what is to be advertised is no address.
        """
        self.settings.check()
        async with contextlib.AsyncExitStack() as starting:
            await self._start(starting)
            self._running = starting.pop_all()
        log.info("manager_started", url=self.url, udp_port=self.udp_port)

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        data, manager_id = self._claim(stack)
        listening, answering = self._bind(stack)
        opened = await open_directory(self._place(manager_id, listening), stack)
        directory, ca = opened.directory, opened.ca
        self.settings = msgspec.structs.replace(self.settings, site=opened.site_name(self.settings.site))
        self.ca_path, self.fingerprint = data / CA_FILE, ca.fingerprint
        identity = Identity(ca, manager_id, certificate_hosts(self.settings), self.settings.certificate_lifetime)
        credentials = opened.credentials or identity.issue(self._clock().utc)
        self._notifier = Notifier(credentials)
        stack.push_async_callback(self._notifier.close)
        await opened.loaded(lambda: store_registration(directory, self.settings.registration))
        attending = await self._attend(opened, manager_id, stack)
        exchange = await self._exchange(opened, attending, credentials, stack)
        core = self._core = self._assemble(opened, attending, exchange, stack)
        context = None if self.settings.insecure_http else server_context(credentials)
        after = (await opened.loaded(lambda: directory.scan(records.REGISTRATION))).revision
        await opened.loaded(core.revoked.load)  # after that: what both tell is told once, and nothing is left out
        feed = Feed(directory, core.people, core.attendance, core.hub, core.revoked, after)
        self._in_background(stack, "feed", feed.follow)
        for name, work in attending.tasks().items():
            self._in_background(stack, name, work)
        self._in_background(stack, "jobs", self._jobs(core, attending, opened).run)
        self._in_background(stack, "certificate", lambda: self._keep_certificate(identity, credentials, context))
        if exchange is not None:
            self._tell_of_sites(exchange, feed)
            for name, work in {**exchange.tasks(), "site-users": feed.keep_looking}.items():
                self._in_background(stack, name, work)
        if opened.group is not None and opened.quorum is not None:
            self._follow_group(stack, core, opened.group.members)
            self._watch_quorum(stack, core, opened.quorum)
            self._in_background(stack, "leaving", self._stop_when(opened.group.left))
        responder = await respond(answering, self._active(ca))
        stack.callback(responder.close)
        await self._serve(stack, Server(Application(core), context, PING_EVERY), listening)
        write_private(data / ENDPOINT_FILE, self.url + "\n")
        stack.callback((data / ENDPOINT_FILE).unlink, missing_ok=True)

    def _tell_of_sites(self, exchange: Exchange, feed: Feed) -> None:
        """Nodes hear which other sites there are, and of whom nothing new is known while one is cut off."""

        def changed(name: str) -> None:
            self._core.roster.sites_are(exchange.own.name, site_states(exchange.sites))
            feed.look_again(name)

        exchange.sites.on_change = changed
        self._core.roster.sites_are(exchange.own.name, site_states(exchange.sites))

    def _follow_group(self, stack: contextlib.AsyncExitStack, core: Core, members: "Members") -> None:
        """Nodes hear which managers there are."""
        members.listen(lambda _managers: core.roster.managers_are(members.urls))
        core.roster.managers_are(members.urls)
        self._in_background(stack, "managers", members.follow)

    def _watch_quorum(self, stack: contextlib.AsyncExitStack, core: Core, quorum: Quorum) -> None:
        """Calls are refused at once while the quorum is lost, and nodes hear that this manager cannot do its work."""

        def tell(ready: bool) -> None:
            quorum.is_there(ready)
            core.roster.set_ready(ready)

        self._in_background(stack, "readiness", Readiness(core.directory, tell).watch)

    async def stop(self) -> None:
        """Stops; what was acknowledged is on disk. May be called again."""
        self._stopping.set()
        await self._running.aclose()

    async def serve_forever(self) -> None:
        """Returns when somebody called :meth:`request_stop` or :meth:`stop`."""
        await self._stopping.wait()

    def request_stop(self) -> None:
        """Lets :meth:`serve_forever` return."""
        self._stopping.set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # --- parts ---

    def _claim(self, stack: contextlib.AsyncExitStack) -> tuple[Path, str]:
        claim = DataDirectory(self.settings.data)
        stack.callback(claim.release)
        return self.settings.data, load_or_create_id(self.settings.data)

    def _place(self, manager_id: str, listening: socket.socket) -> Place:
        where = advertised(self.settings, self.port)
        host = where.host if where else outward_address()
        return Place(self.settings, manager_id, self.url, host, listening.getsockname()[0], listening, self._clock)

    def _bind(self, stack: contextlib.AsyncExitStack) -> tuple[socket.socket, socket.socket]:
        listening = bind(socket.SOCK_STREAM, self.settings.host, self.settings.port, "--port")
        stack.callback(listening.close)
        answering = bind(socket.SOCK_DGRAM, self.settings.host, self.settings.udp_port, "--udp-port")
        stack.callback(answering.close)
        self.port, self.udp_port = listening.getsockname()[1], answering.getsockname()[1]
        self.url = url_of(self.settings, self.port)
        return listening, answering

    async def _attend(self, opened: Opened, manager_id: str, stack: contextlib.AsyncExitStack) -> Attending:
        after, alone = self.settings.offline_after, opened.group is None
        site = self.settings.site
        attending = Attending(opened.directory, manager_id, after, self._clock, self._expired, alone=alone, site=site)
        stack.push_async_callback(attending.end)
        await opened.loaded(attending.begin)
        return attending

    async def _exchange(
        self, opened: Opened, attending: Attending, credentials: Credentials, stack: contextlib.AsyncExitStack
    ) -> Exchange | None:
        """What other sites' managers call, from now on."""
        if opened.group is None or opened.site is None:
            return None
        member = opened.group.running.member
        sock = bind(socket.SOCK_STREAM, member.listen, member.exchange_port, "--etcd-port")
        stack.callback(sock.close)
        home, lifetime = attending.attendance.itself.home, self.settings.certificate_lifetime
        applier = Applier(opened.directory, home, self._clock, lifetime)
        members = opened.group.members
        reserving = Reserving(opened.directory, home, applier)
        exchange = Exchange(opened.directory, opened.site, members, credentials, applier.apply, self._clock)
        stack.push_async_callback(exchange.close)
        exchange.serve(PATH_RESERVE, lambda asked: reserving.answer(asked.body))
        await opened.loaded(exchange.sites.load)
        await exchange.start(sock)
        return exchange

    def _assemble(
        self, opened: Opened, attending: Attending, exchange: Exchange | None, stack: contextlib.AsyncExitStack
    ) -> Core:
        directory, ca = opened.directory, opened.ca
        settings, locks, attendance = self.settings, attending.locks, attending.attendance
        passwords, failures = Passwords(settings.bcrypt_cost), FailureLimit(settings.login_failures_per_minute)
        stack.callback(passwords.close)
        accounts = Accounts(
            directory,
            attendance,
            locks,
            passwords,
            failures,
            ca,
            self._clock,
            AccountSettings(settings.registration, settings.certificate_lifetime),
        )
        accounts.on_ended = self._ended
        if exchange is not None:
            accounts.claims = claims_among(exchange, directory, attendance.itself.home, self._clock)
        gate = Gate(passwords, failures, self._clock)
        care = Care(directory, attendance, locks, gate, self._clock, settings.certificate_lifetime, self._ended)
        hub, metrics = Hub(), Metrics()
        roster = Roster(hub, self.url)
        metrics.watch("users_online", "Users who are online", attendance.count_online)
        sites = None if exchange is None else exchange.sites
        metrics.watch("other_sites", "Other sites of the organisation", lambda: len(sites.others) if sites else 0)
        metrics.watch("other_sites_heard", "Other sites that are heard", lambda: len(sites.heard) if sites else 0)
        metrics.watch("event_streams", "Open event streams", lambda: len(hub))

        quorum = opened.quorum

        def lost() -> bool:
            return quorum is not None and quorum.lost

        def view(reads: Reads) -> People:
            where = nowhere if exchange is None else places_in(exchange.sites)
            return People(reads, attendance.live, attendance.roll, where)

        return Core(
            settings=settings,
            directory=directory,
            recent=directory.recent,
            accounts=accounts,
            care=care,
            revoked=RevokedKeys(directory),
            attendance=attendance,
            people=view(directory.recent),
            look_ups=LookUps(directory, view, directory.recent, lost),
            hub=hub,
            roster=roster,
            metrics=metrics,
            reaching=Reaching(view(directory.recent), self._notifier.reaches, self._clock),
            ca_pem=ca.pem,
            url=self.url,
            group=opened.group,
            exchange=exchange,
            quorum=quorum,
        )

    def _active(self, ca: CertificateAuthority) -> Active:
        """The full answer to discovery; without a known address of its own, the asker uses the one that answered."""
        where = advertised(self.settings, self.port)
        url = self.url if where else ""
        return Active("active", self.port, site=self.settings.site, url=url, ca=ca.fingerprint, version=__version__)

    async def _serve(self, stack: contextlib.AsyncExitStack, server: Server, listening: socket.socket) -> None:
        serving = await server.start(listening)
        stack.push_async_callback(server.stop, serving)
        serving.add_done_callback(lambda _task: self._stopping.set())

    def _in_background(self, stack: contextlib.AsyncExitStack, name: str, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(keep_running(name, work))

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        stack.push_async_callback(end)

    def _stop_when(self, over: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def wait() -> None:
            await over()
            self._stopping.set()
            await asyncio.Event().wait()  # until it is cancelled

        return wait

    def _jobs(self, core: Core, attending: Attending, opened: Opened) -> Jobs:
        jobs = {
            "sweep": attending.sweep.run,
            "tidy": lambda fence: self._keep_tidy(core.revoked, fence),
            **({} if core.exchange is None else self._jobs_of_sites(core.exchange, core, attending)),
        }
        made = Jobs(jobs, opened.directory, None if opened.group is None else self.url)
        core.metrics.watch("leader", "Whether this manager does the jobs of the leader", lambda: made.is_leader)
        return made

    def _jobs_of_sites(self, exchange: Exchange, core: Core, attending: Attending) -> dict[str, Job]:
        home = attending.attendance.itself.home
        unsettled = Unsettled(core.directory, home, core.accounts.claims, self._clock, exchange.sites.all_heard)
        return {"exchange": exchange.lead, "names": unsettled.run}

    async def _keep_tidy(self, revoked: RevokedKeys, fence: Fence) -> None:
        while True:
            count = await revoked.forget_expired(self._clock(), fence)
            if count:
                log.info("expired_forgotten", count=count)
            await asyncio.sleep(_TIDY_EVERY)

    async def _keep_certificate(
        self, identity: Identity, credentials: Credentials, context: ssl.SSLContext | None
    ) -> None:
        """Issues the manager's certificate anew in time; connections that are open go on under the old one."""
        while True:
            left = (renew_at(credentials) - self._clock().utc).total_seconds()
            if left > 0:
                await asyncio.sleep(min(left, _LONGEST_SLEEP))
                continue
            credentials = identity.issue(self._clock().utc)
            if context is not None:
                renew(context, credentials)
            self._notifier.replace_credentials(credentials)
            if self._core.exchange is not None:
                self._core.exchange.replace_credentials(credentials)
            log.info("certificate_renewed")

    # --- telling nodes ---

    def _ended(self, ended: Ended) -> None:
        farewell = SessionEnded(ended.reason, ended.at)
        with_stream = {token_hash for token_hash in ended.token_hashes if self._core.hub.end(token_hash, farewell)}
        if ended.device is not None and ended.device_hash not in with_stream:
            self._disconnect(ended.device, ended.user_id, ended.username, "session_ended")

    async def _expired(self, user_id: str, known: Presence) -> None:
        self._core.metrics.marked_offline.inc()
        user = await self._core.people.by_id(user_id)
        if user is not None and user.device_key is not None:  # without a device there is no node to be told
            self._disconnect(Address(known.host, known.port), user_id, user.username, "inactive")

    def _disconnect(self, address: Address, user_id: str, username: str, reason: Reason) -> None:
        telling = self._notifier.tell(address, user_id, username, reason)
        if telling is not None:
            telling.add_done_callback(self._count_disconnect)

    def _count_disconnect(self, telling: "asyncio.Task[bool]") -> None:
        if not telling.cancelled():
            self._core.metrics.disconnects.labels(str(telling.result()).lower()).inc()
