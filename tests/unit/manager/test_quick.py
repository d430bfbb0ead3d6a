"""The shorter way answers as Litestar does, or leaves the answer to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.unit.manager.conftest import core_of

from telegraph.errors import Busy, FateUnknown
from telegraph.manager.api.application import Application, rest_application
from telegraph.manager.api.quick import Quick

if TYPE_CHECKING:
    from tests.unit.manager.conftest import House

JSON = (b"content-type", b"application/json")
BODY = b'{"username":"Alice"}'


def scope(method: str, path: str, *headers: tuple[bytes, bytes]) -> Any:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(errors="replace"),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": list(headers),
        "client": ("192.0.2.1", 5),
        "server": ("192.0.2.2", 8000),
        "state": {},
    }


async def answer(app: Any, asked: Any, body: bytes = b"", pieces: int = 1) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of an answer."""
    size = -(-len(body) // pieces) or 1
    parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    left = [{"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts]
    sent: list[Any] = []

    async def receive() -> Any:
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(asked, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent[1:])


@pytest.fixture
async def token(house: House) -> bytes:
    await house.register("Alice")
    await house.register("bob")
    return (await house.log_in("alice")).token.encode()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each request that could be was answered by the shorter way."""
    taken: list[bool] = []
    look_up, heartbeat, register = Quick.look_up, Quick.heartbeat, Quick.register

    async def noted_look_up(self: Quick, scope: Any) -> bytes | None:
        found = await look_up(self, scope)
        taken.append(found is not None)
        return found

    async def noted_heartbeat(self: Quick, scope: Any, receive: Any) -> Any:
        found = await heartbeat(self, scope, receive)
        taken.append(found[0] is not None)
        return found

    async def noted_register(self: Quick, scope: Any, receive: Any) -> Any:
        taken.append(True)
        found = await register(self, scope, receive)
        taken[-1] = found[0] is not None
        return found

    monkeypatch.setattr(Quick, "look_up", noted_look_up)
    monkeypatch.setattr(Quick, "register", noted_register)
    monkeypatch.setattr(Quick, "heartbeat", noted_heartbeat)
    return taken


async def same(house: House, asked: Any, body: bytes = b"", pieces: int = 1) -> tuple[int, bytes]:
    """Asks the whole application and Litestar alone; both must say the same."""
    core = core_of(house)
    ours = await answer(Application(core), {**asked, "headers": list(asked["headers"])}, body, pieces)
    theirs = await answer(rest_application(core), asked, body, pieces)
    assert ours == theirs
    return ours[0], ours[2]


@pytest.mark.parametrize(
    ("path", "more", "status", "shorter"),
    [
        ("/users/bob", [], 200, True),
        ("/users/BOB", [(b"accept", b"text/html"), (b"user-agent", b"x")], 200, True),
        ("/users/carol", [], 404, False),
        ("/users/\udcff", [], 404, False),
        ("/users/", [], 200, False),
        ("/users/bob/", [], 200, False),
        ("/users/bob/x", [], 404, False),
        ("/users/reconnect/10.0.0.1/bob", [], 405, False),
        ("/users/bob", [JSON, (b"content-length", b"2")], 200, False),
        ("/users/bob", [(b"content-type", b"text/plain"), (b"content-length", b"2")], 415, False),
        ("/users/bob", [(b"accept-language", b"en," * 100)], 200, False),
    ],
)
async def test_a_look_up(
    house: House,
    token: bytes,
    quick: list[bool],
    path: str,
    more: list[tuple[bytes, bytes]],
    status: int,
    *,
    shorter: bool,
) -> None:
    got, _ = await same(house, scope("GET", path, (b"authorization", b"Bearer " + token), *more))
    assert (got, quick) == (status, [shorter])


@pytest.mark.parametrize("language", [b"", b"en", b"es;q=0.5, en;q=0.7", b"\xff"])
async def test_a_heartbeat_in_either_language(house: House, token: bytes, quick: list[bool], language: bytes) -> None:
    asked = scope(
        *("POST", "/heartbeat"),
        (b"authorization", b"bearer " + token),
        JSON,
        (b"content-length", b"%d" % len(BODY)),
        (b"accept-language", language),
    )
    assert (await same(house, asked, BODY))[0] == 200
    assert quick == [True]


@pytest.mark.parametrize(
    ("body", "status", "shorter"),
    [
        (b'{"username":"ALICE"}', 200, True),
        (b'{"username":"bob"}', 403, False),
        (b'{"username":7}', 400, False),
        (b'{"username":', 400, False),
        (b"", 400, False),
        (b'{"username":"\xff"}', 400, False),
        (b"[" * 900, 400, False),
        (b'{"username":"alice","more":"' + b"x" * 2000 + b'"}', 200, False),
    ],
)
async def test_bodies_of_heartbeats(
    house: House, token: bytes, quick: list[bool], body: bytes, status: int, *, shorter: bool
) -> None:
    length = (b"content-length", b"%d" % len(body))
    asked = scope("POST", "/heartbeat", (b"authorization", b"Bearer " + token), JSON, length)
    assert (await same(house, asked, body))[0] == status
    assert quick == [shorter]


async def test_a_body_that_comes_in_pieces_is_left_to_litestar_whole(
    house: House, token: bytes, quick: list[bool]
) -> None:
    length = (b"content-length", b"%d" % len(BODY))
    asked = scope("POST", "/heartbeat", (b"authorization", b"Bearer " + token), JSON, length)
    assert (await same(house, asked, BODY, pieces=3))[0] == 200
    assert quick == [False]


@pytest.mark.parametrize("headers", [[], [(b"authorization", b"Bearer x")], [(b"authorization", b"Basic x")]])
async def test_without_a_session_it_is_401(
    house: House, token: bytes, quick: list[bool], headers: list[tuple[bytes, bytes]]
) -> None:
    assert token
    length = (b"content-length", b"%d" % len(BODY))
    assert (await same(house, scope("GET", "/users/bob", *headers)))[0] == 401
    assert (await same(house, scope("POST", "/heartbeat", JSON, length, *headers), BODY))[0] == 401
    assert quick == [False, False]


async def test_two_tokens_are_left_to_litestar(house: House, token: bytes, quick: list[bool]) -> None:
    twice = [(b"authorization", b"Bearer " + token), (b"authorization", b"Bearer x")]
    await same(house, scope("GET", "/users/bob", *twice))
    assert quick == [False]


async def test_both_ways_are_counted_under_the_same_route(house: House, token: bytes) -> None:
    core = core_of(house)
    app = Application(core)
    for path in ("/users/bob", "/users/carol"):
        await answer(app, scope("GET", path, (b"authorization", b"Bearer " + token)))
    text = core.metrics.text().decode()
    for status in (200, 404):
        labels = f'method="GET",route="/users/{{username}}",status="{status}"'
        assert f"telegraph_manager_http_requests_total{{{labels}}} 1.0" in text


async def test_a_heartbeat_keeps_the_user_online(house: House, token: bytes) -> None:
    app = Application(core_of(house))
    length = (b"content-length", b"%d" % len(BODY))
    for _ in range(3):
        house.clock.forward(20)
        await answer(app, scope("POST", "/heartbeat", (b"authorization", b"Bearer " + token), JSON, length), BODY)
    assert len(house.live.due(house.clock())) == 0


# --- registrations ---

CAROL = {"username": "Carol", "password": "a long password", "ip": "10.0.0.3", "port": 8000}


def registering(body: bytes, *more: tuple[bytes, bytes]) -> Any:
    return scope("POST", "/register", JSON, (b"content-length", b"%d" % len(body)), *more)


@pytest.mark.parametrize("language", [b"", b"en"])
async def test_a_registration_that_is_repeated_is_answered_alike(
    house: House, quick: list[bool], language: bytes
) -> None:
    body = msgspec.json.encode({**CAROL, "request_id": "r" * 16})
    status, said = await same(house, registering(body, (b"accept-language", language)), body)
    assert (status, quick) == (201, [True])
    assert (await house.people.find("carol")).user_id == msgspec.json.decode(said)["user_id"]


@pytest.mark.parametrize(
    ("changes", "status", "shorter"),
    [
        ({"username": "ALICE"}, 409, True),
        ({"username": "a b"}, 400, True),
        ({"password": "short"}, 400, True),
        ({"ip": "nowhere/at all"}, 400, True),
        ({"port": "8000"}, 400, False),
        ({"port": 0}, 400, False),
        ({"password": "x" * 2000}, 400, False),
    ],
)
async def test_what_is_wrong_with_a_registration_is_answered_alike(
    house: House, token: bytes, quick: list[bool], changes: dict[str, object], status: int, *, shorter: bool
) -> None:
    assert token
    body = msgspec.json.encode({**CAROL, **changes})
    before = await house.content()
    assert (await same(house, registering(body), body))[0] == status
    assert (await house.content(), quick) == (before, [shorter])


async def test_a_registration_in_pieces_is_left_to_litestar_whole(house: House, quick: list[bool]) -> None:
    body = msgspec.json.encode({**CAROL, "request_id": "r" * 16})
    assert (await same(house, registering(body), body, pieces=3))[0] == 201
    assert quick == [False]


@pytest.mark.parametrize("problem", [FateUnknown(retry_after=1), Busy(retry_after=2), ZeroDivisionError()])
async def test_a_registration_that_fails_is_tried_once(
    house: House, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    tried = []

    async def fail(request: object) -> None:
        tried.append(request)
        raise problem

    monkeypatch.setattr(house.accounts, "register", fail)
    body = msgspec.json.encode(CAROL)
    await same(house, registering(body), body)
    assert len(tried) == 2  # by each of both ways


async def test_registrations_are_counted_whatever_becomes_of_them(house: House) -> None:
    core = core_of(house)
    body = msgspec.json.encode(CAROL)
    for _ in range(2):
        await answer(Application(core), registering(body), body)
    text = core.metrics.text().decode()
    for status in (201, 409):
        labels = f'method="POST",route="/register",status="{status}"'
        assert f"telegraph_manager_http_requests_total{{{labels}}} 1.0" in text
