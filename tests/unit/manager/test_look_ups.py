"""Looking people up while the directory has no quorum: what is known is told and marked; nothing wrong is said."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.unit.manager.conftest import House, core_of

from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Entry, Snapshot
from telegraph.errors import NoQuorum
from telegraph.manager import look_ups
from telegraph.manager.api import quick
from telegraph.manager.api.application import Application


class Cut(MemoryDirectory):
    """A directory that loses its quorum: what is not stale fails, or takes for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = self.slow = False

    async def _exact(self) -> None:
        if self.slow:
            await asyncio.Event().wait()
        if self.lost:
            raise NoQuorum(retry_after=1)

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        if not stale:
            await self._exact()
        return await super().get(key, stale=stale)

    async def scan(self, prefix: str, *, limit: int = 0, stale: bool = False) -> Snapshot:
        if not stale:
            await self._exact()
        return await super().scan(prefix, limit=limit, stale=stale)

    async def commit(self, *transaction: object) -> int | None:
        await self._exact()
        return await super().commit(*transaction)  # type: ignore[arg-type]


@pytest.fixture
def cut() -> Cut:
    return Cut()


@pytest.fixture
def site(make_house: type[House], cut: Cut) -> House:
    return make_house(directory=cut)


@pytest.fixture
async def web(site: House) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=Application(core_of(site)))
    async with httpx.AsyncClient(transport=transport, base_url="http://manager") as client:
        await site.register("bob")
        await site.register("alice")
        client.headers["Authorization"] = f"Bearer {(await site.log_in('alice')).token}"
        client.headers["Accept-Language"] = "en"
        yield client


LOST = pytest.mark.parametrize("how", ["lost", "slow"])


def lose(cut: Cut, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_ups, "FRESH_WITHIN", 0.01)
    monkeypatch.setattr(quick, "FRESH_WITHIN", 0.01)
    setattr(cut, how, True)


@LOST
async def test_a_known_name_is_told_and_marked(
    web: httpx.AsyncClient, cut: Cut, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (await web.get("/users/bob")).json()["message"]
    assert before["stale"] is False
    lose(cut, how, monkeypatch)
    answer = await web.get("/users/bob")
    assert answer.status_code == 200
    assert answer.json()["message"] == {**before, "stale": True}


@LOST
@pytest.mark.parametrize(("path", "names"), [("/peers", ["alice"]), ("/users?query=b", ["bob"])])
async def test_lists_are_marked_too(
    web: httpx.AsyncClient, cut: Cut, how: str, path: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(cut, how, monkeypatch)
    found = (await web.get(path)).json()["message"]
    assert [(user["username"], user["stale"]) for user in found] == [(name, True) for name in names]


async def test_a_name_that_is_not_known_here_is_not_said_not_to_exist(
    web: httpx.AsyncClient, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await web.get("/users/carol")).status_code == 404
    lose(cut, "lost", monkeypatch)
    answer = await web.get("/users/carol")
    assert (answer.status_code, answer.json()["error"]) == (503, "no_quorum")
    assert int(answer.headers["Retry-After"]) >= 1


async def test_a_session_that_is_not_known_here_is_not_said_to_have_ended(
    web: httpx.AsyncClient, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.headers["Authorization"] = "Bearer " + "0" * 32 + "." + "A" * 43
    assert (await web.get("/users/bob")).status_code == 401
    lose(cut, "lost", monkeypatch)
    assert (await web.get("/users/bob")).status_code == 503


async def test_no_session_at_all_is_refused_with_or_without_a_quorum(
    web: httpx.AsyncClient, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    del web.headers["Authorization"]
    lose(cut, "lost", monkeypatch)
    assert (await web.get("/users/bob")).status_code == 401


CALLS = [
    ("POST", "/register", {"username": "dave", "password": "correct horse", "ip": "10.0.0.1", "port": 1}),
    ("POST", "/login", {"username": "alice", "password": "correct horse", "ip": "10.0.0.1", "port": 1}),
    ("POST", "/password", {"old": "correct horse", "new": "battery staple"}),
    ("POST", "/logout", None),
    ("PUT", "/users/reconnect/10.0.0.2/alice", {"port": 2}),
    ("DELETE", "/account", {"password": "correct horse"}),
    ("GET", "/sessions", None),
    ("GET", "/settings", None),
    ("PUT", "/settings", {"last_seen": False}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
async def test_what_needs_a_quorum_says_so_when_to_try_again_and_changes_nothing(
    web: httpx.AsyncClient, cut: Cut, method: str, path: str, body: object
) -> None:
    before = await cut.scan("")
    cut.lost = True
    answer = await web.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]) == (503, "no_quorum")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "managers" in answer.json()["message"]
    cut.lost = False
    assert (await cut.scan("")).entries == before.entries


async def test_readiness_tells_the_truth_and_the_process_lives_all_the_same(web: httpx.AsyncClient, cut: Cut) -> None:
    assert (await web.get("/readyz")).status_code == 200
    cut.lost = True
    answer = await web.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"directory": "no_quorum"})
    assert (await web.get("/livez")).status_code == 200


async def test_a_look_up_of_somebody_who_was_offline_is_answered_though_the_caller_cannot_be_put_online(
    web: httpx.AsyncClient, site: House, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.attendance.leave(await site.caller(web.headers["Authorization"].removeprefix("Bearer ")))
    monkeypatch.setattr(Cut, "commit", _lost)
    answer = await web.get("/users/bob")
    assert (answer.status_code, answer.json()["message"]["stale"]) == (200, False)
    assert cut is site.directory


async def _lost(*_: object) -> int | None:
    raise NoQuorum
