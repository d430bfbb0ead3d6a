"""A manager's inside without sockets, with a clock that the test moves."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from telegraph.directory.guarded import GuardedDirectory
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Directory
from telegraph.directory.quorum import Quorum
from telegraph.directory.records import Presence
from telegraph.manager.accounts import Accounts, AccountSettings, LoggedInUser
from telegraph.manager.api.application import Application
from telegraph.manager.attending import Attending
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.care import Care
from telegraph.manager.core import Core
from telegraph.manager.endings import Ended
from telegraph.manager.feed import Feed
from telegraph.manager.gate import Gate
from telegraph.manager.invites import Registration
from telegraph.manager.look_ups import LookUps
from telegraph.manager.metrics import Metrics
from telegraph.manager.moment import Moment
from telegraph.manager.passwords import Passwords
from telegraph.manager.people import People
from telegraph.manager.ratelimit import FailureLimit
from telegraph.manager.reaching import Reaching
from telegraph.manager.revocations import RevokedKeys
from telegraph.manager.roster import Roster
from telegraph.manager.sessions import Caller, find_caller
from telegraph.manager.settings import ManagerSettings
from telegraph.manager.streams import Hub
from telegraph.manager.sweep import give_up_silent
from telegraph.node.keys import DeviceKey
from telegraph.protocol.addresses import Address
from telegraph.protocol.manager_api import LoginRequest, RegisterRequest

PASSWORD = "correct horse"
OFFLINE_AFTER = 30.0


@dataclass
class Watch:
    """A clock: call it for the time, wind it forward."""

    mono: float = 1000.0
    wall: float = 1_900_000_000.0

    def __call__(self) -> Moment:
        return Moment(self.mono, self.wall)

    def forward(self, seconds: float) -> None:
        self.mono += seconds
        self.wall += seconds


@dataclass
class House:
    """The parts of a manager that need no socket, over a directory in memory."""

    directory: MemoryDirectory = field(default_factory=MemoryDirectory)
    registration: Registration = "open"
    failures: int = 20
    clock: Watch = field(default_factory=Watch)
    ended: list[Ended] = field(default_factory=list)
    name: str = "one"
    alone: bool = True
    site: str = ""
    quorum: Quorum | None = None
    expired: list[tuple[str, str]] = field(default_factory=list)
    tried: list[tuple[str, str]] = field(default_factory=list)
    answering: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.reached: Directory = self.directory if self.quorum is None else GuardedDirectory(self.directory)
        self.ca = CertificateAuthority.create("Testing", self.clock().utc)
        self.attending = Attending(
            self.reached,
            self.name,
            OFFLINE_AFTER,
            self.clock,
            self.note_expired,
            alone=self.alone,
            site=self.site,
        )
        self.locks, self.attendance = self.attending.locks, self.attending.attendance
        self.live = self.attendance.live
        self.passwords = Passwords(4)
        self.people = People(self.reached, self.live, self.attendance.roll)
        limit = FailureLimit(self.failures)
        self.accounts = Accounts(
            self.reached,
            self.attendance,
            self.locks,
            self.passwords,
            limit,
            self.ca,
            self.clock,
            AccountSettings(self.registration, timedelta(days=30)),
        )
        self.accounts.on_ended = self.ended.append
        gate, lifetime = Gate(self.passwords, limit, self.clock), timedelta(days=30)
        self.care = Care(self.reached, self.attendance, self.locks, gate, self.clock, lifetime, self.ended.append)
        self.revoked = RevokedKeys(self.reached)

    async def try_it(self, address: Address, user_id: str) -> bool:
        """Whether somebody's node answers: only where ``answering`` says so."""
        self.tried.append((str(address), user_id))
        return str(address) in self.answering

    async def note_expired(self, user_id: str, known: Presence) -> None:
        """Whom the leader's sweep would tell."""
        self.expired.append((user_id, known.host))

    async def sweep(self) -> int:
        """What the silence leads to by now, with this manager as the leader: how many were marked offline."""
        await give_up_silent(self.attendance, self.clock)
        await self.attendance.load()
        self.attending.sweep.begin()
        return await self.attending.sweep.once(())

    async def register(self, name: str, password: str = PASSWORD, **more: str | None) -> str:
        """The user id of a new account."""
        request = RegisterRequest(username=name, password=password, ip="10.0.0.1", port=8000, **more)
        return (await self.accounts.register(request)).user_id

    async def log_in(
        self,
        name: str,
        password: str = PASSWORD,
        *,
        key: DeviceKey | None = None,
        host: str = "10.0.0.2",
        remote: str = "192.0.2.1",
        counter: int | None = None,
        signature: str | None = None,
    ) -> LoggedInUser:
        request = LoginRequest(
            username=name,
            password=password,
            ip=host,
            port=8001,
            csr=key.csr() if key else None,
            counter=counter,
            signature=signature,
        )
        return await self.accounts.log_in(request, remote)

    async def caller(self, token: str) -> Caller:
        return await find_caller(self.directory, token)

    async def join(self, name: str, *, key: DeviceKey | None = None) -> Caller:
        """Registers and logs in."""
        await self.register(name)
        return await self.caller((await self.log_in(name, key=key)).token)

    async def feed(self, hub: Hub) -> Feed:
        """What tells streams of changes from now on."""
        now = (await self.directory.scan("")).revision
        return Feed(self.directory, self.people, self.attendance, hub, self.revoked, now)

    async def content(self) -> dict[str, bytes]:
        """Everything that is stored."""
        return {entry.key: entry.value for entry in (await self.directory.scan("")).entries}


@pytest.fixture
def clock() -> Watch:
    return Watch()


@pytest.fixture
async def make_house() -> AsyncIterator[type[House]]:
    """Houses with other settings; their threads end with the test."""
    made: list[House] = []

    class Tracked(House):
        def __post_init__(self) -> None:
            super().__post_init__()
            made.append(self)

    yield Tracked
    for each in made:
        each.passwords.close()
        await each.directory.close()


@pytest.fixture
def house(make_house: type[House]) -> House:
    return make_house()


def core_of(house: House, *, metrics_token: str | None = None) -> Core:
    """The house behind the API."""
    return Core(
        settings=ManagerSettings(data=Path("/nonexistent"), site="main", metrics_token=metrics_token),
        directory=house.reached,
        recent=house.reached,
        accounts=house.accounts,
        care=house.care,
        revoked=house.revoked,
        attendance=house.attendance,
        people=house.people,
        look_ups=LookUps(
            house.reached,
            lambda reads: People(reads, house.live, house.attendance.roll),
            lost=lambda: house.quorum is not None and house.quorum.lost,
        ),
        hub=(hub := Hub()),
        roster=Roster(hub, "https://127.0.0.1:8000"),
        metrics=Metrics(),
        reaching=Reaching(house.people, house.try_it, house.clock),
        ca_pem=house.ca.pem,
        url="https://127.0.0.1:8000",
        quorum=house.quorum,
    )


@pytest.fixture
def core(house: House) -> Core:
    return core_of(house)


@pytest.fixture
async def web(core: Core) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the API without a socket; the caller's address is on loopback."""
    transport = httpx.ASGITransport(Application(core), client=("127.0.0.1", 4000))
    async with httpx.AsyncClient(transport=transport, base_url="https://manager") as client:
        yield client
