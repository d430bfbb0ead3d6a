"""The local API of a real node, as a page, a program and an attacker meet it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from telegraph.testing.processes import PASSWORD, RealTelegraph


class Caller:
    """Somebody who speaks HTTP to alice's node."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None) -> None:
        self._session = session
        self.url = url
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def __call__(self, method: str, path: str, *, body: Any = None, **headers: str) -> tuple[int, Any]:
        everything = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        data = None if body is None else _in_pieces(json.dumps(body).encode())
        everything["Content-Type"] = "application/json"
        async with self._session.request(method, f"{self.url}/api/v1{path}", data=data, headers=everything) as answer:
            return answer.status, await answer.json()

    async def events(
        self, cursor: int | None = None, headers: dict[str, str] | None = None
    ) -> aiohttp.ClientWebSocketResponse:
        query = "" if cursor is None else f"?cursor={cursor}"
        return await self._session.ws_connect(
            f"{self.url}/api/v1/events{query}", headers=self.headers | (headers or {})
        )


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65536):
        yield body[start : start + 65536]


async def next_of(stream: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            event: dict[str, Any] = json.loads(await stream.receive_str())
            if event["type"] == kind:
                return event


async def test_a_program_with_the_token_sees_messages_and_ticks_as_they_come(org: RealTelegraph) -> None:
    org.join("alice")
    org.join("bob")
    async with aiohttp.ClientSession() as session:
        alice = Caller(session, org.api("alice"), org.token("alice"))
        bob = Caller(session, org.api("bob"), org.token("bob"))
        stream = await bob.events()

        status, sent = await alice("POST", "/messages", body={"to": "bob", "text": "hello"})
        assert (status, sent["state"]) == (201, "pending")
        event = await next_of(stream, "message")
        assert event["message"]["text"] == "hello"
        assert event["message"]["from"] == "alice"

        cursor = event["cursor"]
        await stream.close()
        await alice("POST", "/messages", body={"to": "bob", "text": "while you were away"})
        resumed = await bob.events(cursor)
        assert (await next_of(resumed, "message"))["message"]["text"] == "while you were away"

        ticks = await alice.events(0)
        assert await bob("POST", "/conversations/alice/read") == (200, {"marked": 2})
        while (await next_of(ticks, "state"))["message"]["state"] != "read":
            pass

        _, overview = await bob("GET", "/conversations")
        [conversation] = overview["conversations"]
        assert (conversation["user"], conversation["unread"], conversation["status"]) == ("alice", 0, "online")


async def test_what_is_handed_in_again_after_a_crash_is_sent_once(org: RealTelegraph) -> None:
    org.join("alice")
    message = {"to": "alice", "text": "hello", "request_id": "f3b4a1c2-9d6e-4c11-8a52-77aa10c0ffee"}
    async with aiohttp.ClientSession() as session:
        alice = Caller(session, org.api("alice"), org.token("alice"))
        _, first = await alice("POST", "/messages", body=message)
        assert (await alice("PUT", "/conversations/alice/draft", body={"text": "half a thought"}))[0] == 200

        org.nodes["alice"].kill()
        org.start("alice")

        alice = Caller(session, org.api("alice"), org.token("alice"))
        assert await alice("POST", "/messages", body=message) == (201, first)
        other = await alice("POST", "/messages", body={**message, "text": "something else"})
        assert (other[0], other[1]["error"]) == (409, "request_id_used")
        assert len((await alice("GET", "/conversations/alice/messages"))[1]["messages"]) == 1
        assert [draft["text"] for draft in (await alice("GET", "/drafts"))[1]["drafts"]] == ["half a thought"]


async def test_presence_is_told_when_somebody_leaves(org: RealTelegraph) -> None:
    org.join("alice")
    org.join("bob")
    async with aiohttp.ClientSession() as session:
        alice = Caller(session, org.api("alice"), org.token("alice"))
        bob = Caller(session, org.api("bob"), org.token("bob"))
        await alice("POST", "/messages", body={"to": "bob", "text": "hello"})
        stream = await alice.events()
        assert (await next_of(stream, "presence"))["status"] == "online"

        await bob("DELETE", "/session")

        assert (await next_of(stream, "presence"))["status"] == "offline"


async def test_a_browser_trades_the_token_for_a_cookie_and_logs_in_by_password(org: RealTelegraph) -> None:
    org.join("alice")
    jar = aiohttp.CookieJar(unsafe=True)  # loopback is an IP address
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        page = Caller(session, org.api("alice"), None)
        assert (await page("GET", "/status"))[0] == 401
        assert (await page("POST", "/browser", body={"token": "guess"}))[1]["error"] == "wrong_api_token"
        assert (await page("POST", "/browser", body={"token": org.token("alice")}))[0] == 200
        assert (await page("GET", "/status"))[1]["username"] == "alice"

        jar.clear()
        assert (await page("GET", "/status"))[0] == 401
        wrong = await page("POST", "/session", body={"username": "alice", "password": "not the password"})
        assert (wrong[0], wrong[1]["error"]) == (401, "wrong_credentials")
        assert (await page("POST", "/session", body={"username": "alice", "password": PASSWORD}))[0] == 200
        assert (await page("GET", "/status"))[1]["account"] in ("online", "offline")


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}])
async def test_another_web_site_reaches_nothing(org: RealTelegraph, headers: dict[str, str]) -> None:
    org.join("alice")
    async with aiohttp.ClientSession() as session:
        alice = Caller(session, org.api("alice"), org.token("alice"))

        status, answer = await alice("GET", "/status", **headers)
        posted, _ = await alice("POST", "/messages", body={"to": "alice", "text": "x"}, **headers)
        assert (status, answer["error"], posted) == (403, "foreign_origin", 403)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await alice.events(headers=headers)


async def test_the_event_stream_needs_the_token_too(org: RealTelegraph) -> None:
    org.start("alice")
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await Caller(session, org.api("alice"), None).events()


@pytest.fixture
async def bad_input(shared_org: RealTelegraph) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(session, shared_org.api("alice"), shared_org.token("alice"))


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/organisation/look", {"address": "https://127.0.0.1:9"}, (404, "nobody_there")),
        ("POST", "/messages", {"to": "nobody", "text": "x"}, (404, "unknown_user")),
        ("POST", "/messages", {"to": "", "text": "x"}, (404, "unknown_user")),
        ("POST", "/messages", {"to": "..", "text": "x"}, (404, "unknown_user")),
        ("POST", "/messages", {"to": "bob/x", "text": "x"}, (404, "unknown_user")),
        ("POST", "/messages", {"to": "bob", "text": ""}, (400, "illegal_text")),
        ("POST", "/messages", {"to": "bob", "text": "é" * 40_000}, (400, "illegal_text")),
        ("POST", "/messages", {"to": "bob", "text": "x", "reply_to": "1"}, (404, "unknown_message")),
        ("POST", "/messages", {"to": "bob"}, (400, "malformed_body")),
        ("POST", "/messages", {"to": ["bob"], "text": "x"}, (400, "malformed_body")),
        ("POST", "/messages", ["x"], (400, "malformed_body")),
        ("POST", "/messages", {"to": "bob", "text": "x" * 1_100_000}, (413, "body_too_large")),
        ("GET", "/conversations/bob/messages?limit=0", None, (400, "illegal_query")),
        ("GET", "/conversations/bob/messages?limit=x", None, (400, "illegal_query")),
        ("GET", "/conversations/bob/messages?before=x", None, (404, "unknown_message")),
        ("GET", "/conversations/nobody/messages", None, (404, "unknown_user")),
        ("POST", "/account", {"username": "carol", "password": PASSWORD}, (409, "other_account")),
        ("POST", "/account", {"username": "a b", "password": PASSWORD}, (400, "illegal_name")),
        ("POST", "/account", {"username": "alice", "password": "short"}, (400, "illegal_password")),
        ("GET", "/nothing", None, (404, "unknown_path")),
        ("PUT", "/status", None, (405, "wrong_method")),
    ],
)
async def test_bad_input_is_refused_with_a_sentence_and_changes_nothing(
    bad_input: Caller, method: str, path: str, body: Any, expected: tuple[int, str]
) -> None:
    status, answer = await bad_input(method, path, body=body, Accept_Language="en")

    assert (status, answer["error"]) == expected
    assert answer["status"] == status
    assert answer["message"].endswith((".", "available", "again"))
    assert (await bad_input("GET", "/conversations"))[1] == {"conversations": []}
