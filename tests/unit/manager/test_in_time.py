"""Every call of a manager in a group is answered in time, whatever of the directory hangs; in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import httpx
import pytest
from tests.unit.manager.conftest import PASSWORD, House, core_of

from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Delete, Entry, Put, Snapshot, Unchanged
from telegraph.directory.quorum import ANSWERED_WITHIN, Quorum, busy_elsewhere, waiting_until
from telegraph.errors import FateUnknown
from telegraph.manager.api.application import Application
from telegraph.manager.api.events import Events
from telegraph.node.keys import DeviceKey
from telegraph.testing.virtual_time import run

KEY = DeviceKey.create()
NEW = {"username": "dave", "password": PASSWORD, "ip": "10.0.0.1", "port": 1}

WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/register", NEW),
    ("POST", "/login", {**NEW, "username": "bob"}),
    ("POST", "/password", {"old": PASSWORD, "new": "battery staple"}),
    ("POST", "/logout", None),
    ("POST", "/certificate", {"csr": KEY.csr()}),
    ("PUT", "/users/reconnect/10.0.0.2/alice", {"port": 2}),
    ("DELETE", "/account", {"password": PASSWORD}),
    ("DELETE", "/sessions/{other}", None),
    ("PUT", "/settings", {"last_seen": False}),
]
READS: list[tuple[str, str, Any]] = [("GET", "/sessions", None), ("GET", "/settings", None)]
LOOK_UPS = ["/users/bob", "/users?query=b", "/peers"]


class Hanging(MemoryDirectory):
    """A directory of which some parts take for ever, as long as they are told to; a commit is done all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.reads_hang = self.commits_hang = False
        self.asked = 0

    async def _exact(self, *, hangs: bool) -> None:
        self.asked += 1
        if hangs:
            await asyncio.Event().wait()

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        if not stale:
            await self._exact(hangs=self.reads_hang)
        return await super().get(key, stale=stale)

    async def scan(self, prefix: str, *, limit: int = 0, stale: bool = False) -> Snapshot:
        if not stale:
            await self._exact(hangs=self.reads_hang)
        return await super().scan(prefix, limit=limit, stale=stale)

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        done = await super().commit(conditions, writes)
        await self._exact(hangs=self.reads_hang)
        if self.commits_hang:  # as etcd's client does
            await asyncio.sleep(waiting_until() - now())
            raise FateUnknown
        return done


class Site:
    """A manager of a group, alice who is online at it, and bob."""

    def __init__(self) -> None:
        self.directory, self.quorum = Hanging(), Quorum()
        self.house = House(directory=self.directory, quorum=self.quorum)
        self.house.passwords.close()
        self.hashing = 0.0
        self.house.passwords._run = self._hash  # type: ignore[method-assign]
        self.core = core_of(self.house)
        transport = httpx.ASGITransport(at_once(Application(self.core)), client=("127.0.0.1", 4000))
        self.web = httpx.AsyncClient(transport=transport, base_url="https://manager")
        self.other = ""

    async def _hash(self, work: Callable[[], Any]) -> Any:
        """Bcrypt without threads, for which virtual time does not wait."""
        with busy_elsewhere():
            await asyncio.sleep(self.hashing)
            return work()

    async def begin(self) -> None:
        await self.house.register("bob")
        await self.house.register("alice")
        plain = await self.house.caller((await self.house.log_in("alice")).token)
        self.other = plain.token_hash[:16]
        self.token = (await self.house.log_in("alice", key=KEY)).token
        self.web.headers["Authorization"] = f"Bearer {self.token}"
        assert (await self.beat()).status_code == 200

    async def beat(self) -> httpx.Response:
        return await self.web.post("/heartbeat", json={"username": "alice"})

    async def ask(self, method: str, path: str, body: Any) -> tuple[httpx.Response, float]:
        """The answer, and how long it took."""
        begun = now()
        answer = await self.web.request(method, path.format(other=self.other), json=body)
        return answer, now() - begun


def at_once(app: Any) -> Any:
    """Hands over short bodies in one piece, as uvicorn does."""

    async def joining(scope: Any, receive: Any, send: Any) -> None:
        messages = [await receive()]
        if scope["headers"] and (b"transfer-encoding", b"chunked") not in scope["headers"]:
            while messages[-1]["more_body"]:
                messages.append(await receive())
            body = b"".join(message["body"] for message in messages)
            messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def replaying() -> Any:
            return messages.pop(0) if messages else await receive()

        await app(scope, replaying, send)

    return joining


def now() -> float:
    return asyncio.get_running_loop().time()


def told(story: Callable[[Site], Awaitable[None]]) -> None:
    async def live() -> None:
        site = Site()
        await site.begin()
        await story(site)
        await site.web.aclose()

    run(live())


def assert_refused(answer: httpx.Response, code: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (503, code)
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["message"]


@pytest.mark.parametrize(("method", "path", "body"), [*WRITES, *READS])
def test_where_nothing_answers_each_call_is_refused_in_time_and_nothing_is_done(
    method: str, path: str, body: Any
) -> None:
    async def story(site: Site) -> None:
        before = (await site.directory.scan("")).entries
        site.directory.reads_hang = True
        answer, took = await site.ask(method, path, body)
        assert_refused(answer, "fate_unknown" if path == "/register" else "directory_slow")
        assert took <= ANSWERED_WITHIN
        if path != "/register":  # which reads nothing that takes a quorum before it writes
            site.directory.reads_hang = False
            assert (await site.directory.scan("")).entries == before

    told(story)


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_write_whose_answer_does_not_come_is_of_unknown_fate(method: str, path: str, body: Any) -> None:
    async def story(site: Site) -> None:
        before = (await site.directory.scan("")).revision
        site.directory.commits_hang = True
        answer, took = await site.ask(method, path, body)
        if path == "/register":  # whose own random id is found
            assert answer.status_code == 201
        else:
            assert_refused(answer, "fate_unknown")
        assert took <= ANSWERED_WITHIN
        assert (await site.directory.scan("")).revision == before + 1

    told(story)


@pytest.mark.parametrize(("method", "path", "body"), [*WRITES, *READS])
def test_while_the_quorum_is_known_to_be_lost_nothing_is_even_tried(method: str, path: str, body: Any) -> None:
    async def story(site: Site) -> None:
        site.directory.reads_hang = True
        site.quorum.is_there(False)
        site.directory.asked, site.hashing = 0, 5
        answer, took = await site.ask(method, path, body)
        assert_refused(answer, "no_quorum")
        assert (took, site.directory.asked) == (0, 0)
        site.directory.reads_hang, site.hashing = False, 0
        site.quorum.is_there(True)
        answer, _ = await site.ask(method, path, body)
        assert answer.status_code in (200, 201)

    told(story)


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("path", LOOK_UPS)
def test_look_ups_go_on_at_once_or_nearly(path: str, lost: bool) -> None:
    async def story(site: Site) -> None:
        site.directory.reads_hang = True
        site.quorum.is_there(not lost)
        answer, took = await site.ask("GET", path, None)
        found = answer.json()["message"]
        assert (answer.status_code, (found if isinstance(found, dict) else found[0])["stale"]) == (200, True)
        assert took == (0 if lost else pytest.approx(0.4))

    told(story)


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("odd", [False, True])
def test_a_heartbeat_of_who_is_here_is_answered_at_once_or_nearly(lost: bool, odd: bool) -> None:
    async def story(site: Site) -> None:
        site.directory.reads_hang = True
        site.quorum.is_there(not lost)
        if odd:  # so that Litestar answers it
            site.web.headers["Accept-Language"] = "en," * 100
        site.house.attendance.uses.forget((await _alice(site)).token_hash)  # and it is time to note its use
        begun = now()
        assert (await site.beat()).status_code == 200
        assert now() - begun == (0 if lost else pytest.approx(0.8))

    told(story)


async def _alice(site: Site) -> Any:
    return site.house.attendance.last_caller(site.token)


@pytest.mark.parametrize("lost", [False, True])
def test_a_heartbeat_of_whom_nobody_knows_here_is_refused_in_time(lost: bool) -> None:
    async def story(site: Site) -> None:
        site.house.attendance.forget_callers()
        site.directory.reads_hang = True
        site.quorum.is_there(not lost)
        begun = now()
        assert_refused(await site.beat(), "no_quorum" if lost else "directory_slow")
        assert now() - begun == (0 if lost else pytest.approx(ANSWERED_WITHIN, abs=0.05))

    told(story)


def test_a_heartbeat_of_who_went_offline_is_refused_in_time() -> None:
    async def story(site: Site) -> None:
        alice = await _alice(site)
        site.house.live.leave(alice.user_id)
        site.directory.reads_hang = True
        begun = now()
        assert_refused(await site.beat(), "directory_slow")
        assert now() - begun <= ANSWERED_WITHIN

    told(story)


def test_waiting_for_bcrypt_takes_no_time_of_the_budget() -> None:
    async def story(site: Site) -> None:
        site.hashing = 10
        answer, took = await site.ask("POST", "/password", {"old": PASSWORD, "new": "battery staple"})
        assert (answer.status_code, took) == (200, 20)

    told(story)


def test_who_waits_for_bcrypt_is_refused_as_soon_as_the_quorum_is_known_to_be_lost() -> None:
    async def story(site: Site) -> None:
        site.hashing = 10
        asyncio.get_running_loop().call_later(2, site.quorum.is_there, False)
        answer, took = await site.ask("POST", "/register", NEW)
        assert_refused(answer, "no_quorum")
        assert took == 2

    told(story)


def test_a_body_that_is_long_on_its_way_takes_no_time_of_the_budget() -> None:
    async def story(site: Site) -> None:
        async def slowly() -> AsyncIterator[bytes]:
            for piece in (b'{"old": "correct horse", ', b'"new": "battery staple"}'):
                await asyncio.sleep(5)
                yield piece

        headers = {"Content-Type": "application/json"}
        answer = await site.web.post("/password", content=slowly(), headers=headers)
        assert answer.status_code == 200

    told(story)


def test_whoever_waits_for_another_call_of_the_same_user_is_answered_in_time() -> None:
    async def story(site: Site) -> None:
        async with site.house.locks.of((await _alice(site)).user_id):
            answer, took = await site.ask("PUT", "/settings", {"last_seen": False})
        assert_refused(answer, "directory_slow")
        assert took == pytest.approx(ANSWERED_WITHIN, abs=0.05)

    told(story)


def test_a_stream_is_refused_in_time_and_so_is_its_heartbeat() -> None:
    async def story(site: Site) -> None:
        site.directory.reads_hang = True
        begun = now()
        assert (await _open(site))["status"] == 503
        assert now() - begun <= ANSWERED_WITHIN
        site.quorum.is_there(False)
        begun = now()
        assert (await _open(site))["status"] == 503
        assert now() == begun

    told(story)


async def _open(site: Site) -> Any:
    """The first thing that is said to who wants to open an event stream."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {site.token}".encode())]
    await Events(site.core)({"type": "websocket", "path": "/events", "headers": headers}, receive, send)  # type: ignore[arg-type]
    return sent[0]
