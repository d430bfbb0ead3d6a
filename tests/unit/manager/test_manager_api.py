from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from telegraph.errors import TelegraphError
from telegraph.manager.api.application import Application
from telegraph.node.keys import DeviceKey
from telegraph.protocol.identity import key_fingerprint
from telegraph.rest.openapi import page

if TYPE_CHECKING:
    from tests.unit.manager.conftest import House

    from telegraph.manager.core import Core

PASSWORD = "correct horse"
ALICE = {"username": "alice", "password": PASSWORD, "ip": "10.0.0.7", "port": 8000}


async def session(web: httpx.AsyncClient, name: str = "alice", **more: str) -> dict[str, str]:
    """Registers, logs in: the headers of a session."""
    body = {**ALICE, "username": name}
    await web.post("/register", json=body)
    answer = await web.post("/login", json={**body, **more})
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def error(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error answer, whose shape is checked."""
    body = answer.json()
    assert set(body) == {"message", "status", "error"}
    assert body["status"] == answer.status_code
    assert body["message"].strip()
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, body["error"]


# --- the report's answers ---


async def test_register_answers_201(web: httpx.AsyncClient) -> None:
    answer = await web.post("/register", json=ALICE)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["message"], body["status"], body["username"]) == ("Registro exitoso", 201, "alice")
    assert not body["provisional"]


async def test_login_answers_as_in_table_1_with_what_a_node_needs(web: httpx.AsyncClient, house: House) -> None:
    await web.post("/register", json=ALICE)
    answer = await web.post("/login", json={**ALICE, "csr": DeviceKey.create().csr()})
    body = answer.json()
    assert (answer.status_code, body["message"], body["status"]) == (200, "Login exitoso", 200)
    assert body["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert body["ca"] == house.ca.pem
    assert (body["heartbeat_interval"], body["offline_after"], body["site"]) == (10.0, 30.0, "main")
    assert body["managers"] == ["https://127.0.0.1:8000"]
    assert body["token"].startswith(body["user_id"] + ".")


async def test_a_user_is_shown_as_in_section_5_1(web: httpx.AsyncClient) -> None:
    headers = await session(web)
    body = (await web.get("/users/alice", headers=headers)).json()
    assert body["status"] == 200
    assert {"username": "alice", "ip": "10.0.0.7", "port": 8000, "status": "online"}.items() <= body["message"].items()
    assert body["message"]["last_seen"].endswith("Z")
    assert "password" not in str(body)


async def test_the_other_calls_answer_as_documented(web: httpx.AsyncClient) -> None:
    headers = await session(web)
    beat = await web.post("/heartbeat", json={"username": "alice"}, headers=headers)
    assert beat.json() == {"message": "heartbeat recibido", "status": 200}
    moved = await web.put("/users/reconnect/10.0.0.9/alice", headers=headers)
    assert moved.json() == {"message": "IP actualizada exitosamente", "status": 200}
    changed = await web.post("/password", json={"old": PASSWORD, "new": "battery staple"}, headers=headers)
    assert (changed.status_code, changed.json()["status"]) == (200, 200)
    peers = (await web.get("/peers", headers=headers)).json()
    assert [(user["username"], user["ip"]) for user in peers["message"]] == [("alice", "10.0.0.9")]
    left = await web.post("/logout", headers=headers)
    assert (left.status_code, left.json()["status"]) == (200, 200)
    assert error(await web.get("/users/alice", headers=headers)) == (401, "not_logged_in")


async def test_sentences_are_spanish_unless_english_is_liked_better(web: httpx.AsyncClient) -> None:
    headers = await session(web)
    english = {**headers, "Accept-Language": "en"}
    beat = await web.post("/heartbeat", json={"username": "alice"}, headers=english)
    assert beat.json()["message"] == "heartbeat received"
    assert "Nobody here" in (await web.get("/users/bob", headers=english)).json()["message"]
    assert "Aquí nadie" in (await web.get("/users/bob", headers=headers)).json()["message"]


async def test_search_takes_the_beginning_of_a_name(web: httpx.AsyncClient) -> None:
    headers = await session(web)
    await session(web, "alicia")
    found = (await web.get("/users", params={"query": "ALIC"}, headers=headers)).json()["message"]
    assert [user["username"] for user in found] == ["alice", "alicia"]
    assert (await web.get("/users", params={"query": "z"}, headers=headers)).json()["message"] == []


# --- who may do what ---

CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/users/alice", None),
    ("GET", "/users", None),
    ("GET", "/peers", None),
    ("POST", "/heartbeat", {"username": "alice"}),
    ("PUT", "/users/reconnect/10.0.0.9/alice", {}),
    ("POST", "/password", {"old": PASSWORD, "new": "battery staple"}),
    ("POST", "/logout", None),
    ("POST", "/certificate", {"csr": "x"}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer x", "Basic YWxpY2U6eA==", "Bearer " + "0" * 32 + "." + "A" * 43]
)
async def test_without_a_session_nothing_happens(
    web: httpx.AsyncClient, house: House, method: str, path: str, body: Any, authorization: str | None
) -> None:
    await session(web)
    before = await house.content()
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await web.request(method, path, json=body, headers=headers)
    assert error(answer) == (401, "not_logged_in")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert await house.content() == before


async def test_a_missing_session_is_said_before_anything_about_the_body(web: httpx.AsyncClient) -> None:
    answer = await web.post("/heartbeat", content=b"{", headers={"Content-Type": "application/json"})
    assert error(answer) == (401, "not_logged_in")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/heartbeat", {"username": "bob"}), ("PUT", "/users/reconnect/10.6.6.6/bob", None)],
)
async def test_a_session_cannot_act_for_another_user(
    web: httpx.AsyncClient, house: House, method: str, path: str, body: Any
) -> None:
    await session(web, "bob")
    headers = await session(web)
    before = await house.content()
    assert error(await web.request(method, path, json=body, headers=headers)) == (403, "foreign_session")
    assert await house.content() == before


# --- bad input ---


@pytest.mark.parametrize("path", ["/register", "/login"])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "malformed_body")),
        (b"{", (400, "malformed_body")),
        (b"null", (400, "malformed_body")),
        (b"[]", (400, "malformed_body")),
        (b"\xff\xfe", (400, "malformed_body")),
        (b"[" * 100_000, (400, "malformed_body")),
        (b'{"username": "x"}', (400, "malformed_body")),
        (b'{"username": 1, "password": "correct horse", "ip": "10.0.0.1", "port": 1}', (400, "malformed_body")),
        (b'{"username": "x", "password": "correct horse", "ip": "10.0.0.1", "port": "1"}', (400, "malformed_body")),
        (b'{"username": "x", "password": "correct horse", "ip": "10.0.0.1", "port": 0}', (400, "malformed_body")),
        (b'{"username": "x", "password": "correct horse", "ip": "10.0.0.1", "port": 1e400}', (400, "malformed_body")),
        (
            b'{"username": "x", "password": "correct horse", "ip": "10.0.0.1", "port": ' + b"9" * 4000 + b"}",
            (400, "malformed_body"),
        ),
        (
            b'{"username": "\\ud800", "password": "correct horse", "ip": "10.0.0.1", "port": 1}',
            (400, "malformed_body"),
        ),
        (
            b'{"username": "' + b"x" * 300 + b'", "password": "correct horse", "ip": "10.0.0.1", "port": 1}',
            (400, "malformed_body"),
        ),
        (b'{"username": "x", "password": "correct horse", "ip": "0.0.0.0", "port": 1}', (400, "illegal_address")),
        (
            b'{"username": "x", "password": "' + b"y" * 73 + b'", "ip": "10.0.0.1", "port": 1}',
            (400, "illegal_password"),
        ),
        (
            b'{"username": "x", "password": "nul\\u0000nul0", "ip": "10.0.0.1", "port": 1}',
            (400, "illegal_password"),
        ),
        (b" " * (1024 * 1024 + 1), (413, "body_too_large")),
    ],
)
async def test_bad_bodies_get_a_sentence_and_change_nothing(
    web: httpx.AsyncClient, house: House, path: str, body: bytes, expected: tuple[int, str]
) -> None:
    answer = await web.post(path, content=body, headers={"Content-Type": "application/json"})
    assert error(answer) == expected
    assert await house.content() == {}


@pytest.mark.parametrize(
    ("name", "shown"),
    [("", "illegal_name"), ("a\0", "illegal_name"), ("a b", "illegal_name"), ("x" * 65, "illegal_name")],
)
async def test_an_illegal_name_is_refused(web: httpx.AsyncClient, house: House, name: str, shown: str) -> None:
    assert error(await web.post("/register", json={**ALICE, "username": name})) == (400, shown)
    assert await house.content() == {}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/msgpack"])
async def test_a_body_that_calls_itself_something_else_is_refused(web: httpx.AsyncClient, kind: str) -> None:
    answer = await web.post("/register", content=b"x", headers={"Content-Type": kind})
    assert error(answer) == (415, "unsupported_media")


async def test_a_charset_does_no_harm(web: httpx.AsyncClient) -> None:
    answer = await web.post("/register", json=ALICE, headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert answer.status_code == 201


@pytest.mark.parametrize("path", ["/nothing", "/users/alice/more", "/register/", "/%00", "/schema/nothing.json"])
async def test_an_unknown_path_is_said_so(web: httpx.AsyncClient, path: str) -> None:
    answer = await web.get(path)
    assert answer.status_code in (404, 405)


async def test_a_wrong_method_is_said_with_the_right_ones(web: httpx.AsyncClient) -> None:
    answer = await web.get("/register")
    assert error(answer) == (405, "wrong_method")
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("query", ["x" * 257, "x" * 60_000])
async def test_a_query_that_is_too_long_is_refused(web: httpx.AsyncClient, query: str) -> None:
    headers = await session(web)
    assert error(await web.get("/users", params={"query": query}, headers=headers)) == (400, "illegal_query")


@pytest.mark.parametrize("name", ["%00", "%ff", "%F0%9F%98%80", "a" * 3000, "%ed%a0%80", "..%5c"])
async def test_a_strange_name_is_simply_unknown(web: httpx.AsyncClient, name: str) -> None:
    headers = await session(web)
    assert error(await web.get(f"/users/{name}", headers=headers)) == (404, "unknown_user")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"port": 70000}, (400, "malformed_body")),
        ({"counter": -1}, (400, "malformed_body")),
        ({"counter": 2**63}, (400, "malformed_body")),
        ({"counter": 1}, (409, "stale_counter")),
        ({"counter": 2**61, "signature": "AAAA"}, (403, "bad_signature")),
        ({"signature": "x"}, (403, "bad_signature")),
        ([], (400, "malformed_body")),
    ],
)
async def test_a_bad_move_changes_nothing(
    web: httpx.AsyncClient, house: House, body: Any, expected: tuple[int, str]
) -> None:
    headers = await session(web)
    before = await house.content()
    answer = await web.put("/users/reconnect/10.0.0.9/alice", json=body, headers=headers)
    assert error(answer) == expected
    assert error(await web.put("/users/reconnect/nowhere!/alice", headers=headers)) == (400, "illegal_address")
    assert await house.content() == before


async def test_too_many_failures_say_how_long_to_wait(web: httpx.AsyncClient) -> None:
    await web.post("/register", json=ALICE)
    for _ in range(20):
        assert error(await web.post("/login", json={**ALICE, "password": "wrong"})) == (401, "wrong_credentials")
    answer = await web.post("/login", json=ALICE)
    assert error(answer) == (429, "rate_limited")
    assert 0 < int(answer.headers["retry-after"]) <= 60


async def test_what_nobody_foresaw_is_answered_without_telling_what_it_was(
    core: Core, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def crash(_request: object) -> None:
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr(core.accounts, "register", crash)
    answer = await web.post("/register", json=ALICE)
    assert error(answer) == (500, TelegraphError.code)
    output = capsys.readouterr()
    assert "secret words" not in answer.text + output.out + output.err
    assert "ZeroDivisionError" in output.out


# --- for those who run it ---


async def test_health_and_ca_need_no_session(web: httpx.AsyncClient, house: House) -> None:
    assert (await web.get("/livez")).json()["status"] == 200
    assert (await web.get("/readyz")).json()["checks"] == {"directory": "ok"}
    ca = await web.get("/ca")
    assert ca.text == house.ca.pem
    assert ca.headers["content-type"].startswith("application/x-pem-file")


async def test_a_manager_without_directory_lives_but_is_not_ready(web: httpx.AsyncClient, house: House) -> None:
    headers = await session(web)
    await house.directory.close()
    assert (await web.get("/livez")).status_code == 200
    answer = await web.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, 503)
    assert answer.json()["checks"] == {"directory": "directory_unavailable"}
    assert error(await web.get("/peers", headers=headers)) == (503, "directory_unavailable")


async def test_metrics_count_requests_by_route_and_name_nobody(web: httpx.AsyncClient) -> None:
    headers = await session(web)
    await web.get("/users/alice", headers=headers)
    await web.get("/users/bob", headers=headers)
    await web.request("BREW", "/users/alice")
    text = (await web.get("/metrics")).text
    assert 'requests_total{method="GET",route="/users/{username}",status="200"} 1.0' in text
    assert 'requests_total{method="GET",route="/users/{username}",status="404"} 1.0' in text
    assert "alice" not in text
    assert "BREW" not in text


@pytest.mark.parametrize(
    ("client", "authorization", "status"),
    [
        ("127.0.0.1", "", 200),
        ("::1", "", 200),
        ("192.0.2.1", "", 403),
        ("192.0.2.1", "Bearer wrong", 403),
        ("192.0.2.1", "Bearer ñ", 403),
        ("192.0.2.1", "Bearer open sesame", 200),
    ],
)
async def test_metrics_are_for_this_machine_or_with_a_token(
    core: Core, client: str, authorization: str, status: int
) -> None:
    settings = msgspec.structs.replace(core.settings, metrics_token="open sesame")
    object.__setattr__(core, "settings", settings)
    transport = httpx.ASGITransport(Application(core), client=(client, 4000))
    async with httpx.AsyncClient(transport=transport, base_url="https://manager") as web:
        headers = [("authorization", authorization.encode("latin-1"))]
        answer = await web.get("/metrics", headers=[(name.encode(), value) for name, value in headers])
    assert answer.status_code == status


# --- an account and its owner ---


async def test_sessions_are_listed_and_ended_by_their_ids(web: httpx.AsyncClient, house: House) -> None:
    device = await session(web, csr=DeviceKey.create().csr())
    house.clock.forward(1)
    plain = await session(web)
    listed = (await web.get("/sessions", headers=plain)).json()
    assert listed["status"] == 200
    newest, oldest = listed["message"]
    assert (newest["kind"], newest["current"], newest["key"]) == ("plain", True, None)
    assert (oldest["kind"], oldest["current"], len(oldest["key"])) == ("device", False, 64)
    assert not any(headers["Authorization"].split()[1] in str(listed) for headers in (device, plain))
    ended = await web.delete(f"/sessions/{oldest['id']}", headers={**plain, "Accept-Language": "en"})
    assert ended.json() == {"message": "Session ended", "status": 200}
    assert error(await web.get("/peers", headers=device)) == (401, "not_logged_in")
    assert error(await web.delete(f"/sessions/{oldest['id']}", headers=plain)) == (404, "unknown_session")


async def test_ending_ones_own_session_is_a_log_out(web: httpx.AsyncClient, house: House) -> None:
    headers = await session(web, csr=DeviceKey.create().csr())
    (own,) = (await web.get("/sessions", headers=headers)).json()["message"]
    assert (await web.delete(f"/sessions/{own['id']}", headers=headers)).status_code == 200
    assert error(await web.get("/sessions", headers=headers)) == (401, "not_logged_in")
    assert [ended.reason for ended in house.ended] == ["logged_out"]


async def test_last_seen_is_switched_off_and_on(web: httpx.AsyncClient) -> None:
    headers = await session(web)
    assert (await web.get("/settings", headers=headers)).json() == {"message": {"last_seen": True}, "status": 200}
    off = await web.put("/settings", json={"last_seen": False}, headers=headers)
    assert off.json() == {"message": {"last_seen": False}, "status": 200}
    shown = (await web.get("/users/alice", headers=headers)).json()["message"]
    assert (shown["status"], shown["last_seen"]) == ("online", None)
    assert error(await web.put("/settings", json={"last_seen": "no"}, headers=headers)) == (400, "malformed_body")
    assert error(await web.put("/settings", json=[], headers=headers)) == (400, "malformed_body")


async def test_an_account_is_deleted_with_its_password_only(web: httpx.AsyncClient) -> None:
    headers, bob = await session(web), await session(web, "bob")
    wrong = await web.request("DELETE", "/account", json={"password": "wrong horse"}, headers=headers)
    assert error(wrong) == (401, "wrong_credentials")
    assert error(await web.request("DELETE", "/account", json={}, headers=headers)) == (400, "malformed_body")
    gone = await web.request("DELETE", "/account", json={"password": PASSWORD}, headers=headers)
    assert gone.json() == {"message": "Cuenta eliminada", "status": 200}
    assert error(await web.get("/users/alice", headers=bob)) == (404, "account_deleted")
    assert error(await web.post("/register", json=ALICE)) == (409, "name_taken")
    assert error(await web.post("/login", json=ALICE)) == (401, "wrong_credentials")


async def test_a_log_in_says_which_device_it_replaced_and_a_revoked_key_is_refused(web: httpx.AsyncClient) -> None:
    await web.post("/register", json=ALICE)
    keys = [DeviceKey.create(), DeviceKey.create()]
    said = [(await web.post("/login", json={**ALICE, "csr": key.csr()})).json() for key in keys]
    assert [answer["replaced"] for answer in said] == [None, key_fingerprint(keys[0].public)]
    again = await web.post("/login", json={**ALICE, "csr": keys[0].csr()})
    assert error(again) == (403, "revoked_key")


@pytest.mark.parametrize(
    "call", ["GET /sessions", "DELETE /sessions/0", "GET /settings", "PUT /settings", "DELETE /account"]
)
async def test_without_a_session_nothing_of_an_account_is_shown_or_changed(web: httpx.AsyncClient, call: str) -> None:
    method, path = call.split()
    assert error(await web.request(method, path, json={})) == (401, "not_logged_in")


# --- OpenAPI ---


async def test_every_call_is_described_with_its_errors(web: httpx.AsyncClient) -> None:
    described = (await web.get("/schema/openapi.json")).json()
    assert set(described["paths"]) == {
        "/register",
        "/login",
        "/password",
        "/logout",
        "/certificate",
        "/sessions",
        "/sessions/{session}",
        "/settings",
        "/account",
        "/users/{username}",
        "/users",
        "/peers",
        "/heartbeat",
        "/users/reconnect/{ip}/{username}",
        "/reachable",
        "/ca",
        "/livez",
        "/readyz",
        "/metrics",
        "/cluster/join",
        "/cluster/formation",
        "/cluster/site",
    }
    login = described["paths"]["/login"]["post"]
    assert {"200", "400", "401", "403", "409", "413", "415", "429", "503"} == set(login["responses"])
    for path, item in described["paths"].items():
        for operation in item.values():
            open_to_all = ("/register", "/ca", "/livez", "/readyz", "/metrics")
            other_secret = ("/login", "/cluster/join", "/cluster/formation", "/cluster/site")
            needs_session = path not in (*open_to_all, *other_secret)
            assert ("401" in operation["responses"]) == (needs_session or path in other_secret)
            assert bool(operation.get("security")) == needs_session
            for status, answer in operation["responses"].items():
                assert status < "400" or path == "/readyz" or "ErrorAnswer" in str(answer["content"])


async def test_bounds_are_described_as_they_are_checked(web: httpx.AsyncClient) -> None:
    described = (await web.get("/schema/openapi.json")).json()
    shapes = described["components"]["schemas"]
    counter = shapes["ReconnectRequest"]["properties"]["counter"]["anyOf"][0]
    assert (counter["minimum"], counter["maximum"]) == (0, 2**62)
    assert shapes["RegisterRequest"]["properties"]["port"]["minimum"] == 1
    assert described["paths"]["/users/reconnect/{ip}/{username}"]["put"]["requestBody"]["required"] is False
    assert described["components"]["securitySchemes"]["session"]["scheme"] == "bearer"


async def test_the_page_shows_every_call_and_fetches_nothing(web: httpx.AsyncClient) -> None:
    answer = await web.get("/schema")
    assert answer.headers["content-type"].startswith("text/html")
    assert "POST /register" in answer.text
    assert "<script" not in answer.text
    assert "http" not in answer.text.replace("https://", "").replace("HTTP", "") or "src=" not in answer.text
    assert (await web.get("/schema/openapi.json")).status_code == 200


def test_the_page_escapes_what_it_shows() -> None:
    described = {
        "info": {"title": "<b>", "version": "1", "description": "<i>"},
        "paths": {"/<x>": {"get": {"description": "<u>", "responses": {"200": {"description": "<s>"}}}}},
        "components": {"schemas": {"<Shape>": {"type": "object"}}},
    }
    shown = page(described)
    for piece in ("<b>1", "<i>", "<u>", "<s>", "<x>", "<Shape>"):
        assert piece not in shown
