"""What the client makes of answers that no real node gives."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from telegraph.cli.client import NodeApi
from telegraph.errors import FateUnknown, NodeAway, RateLimited, RemoteError, Unavailable
from telegraph.protocol.node_api import ENDPOINT_FILE, TOKEN_FILE, AccountEvent, MessageEvent

if TYPE_CHECKING:
    from tests.unit.cli.conftest import FakeNode

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Odd = Callable[[Answer], Awaitable[NodeApi]]


@pytest.fixture
async def odd(data: Path) -> AsyncIterator[Odd]:
    """A client of a server that answers everything in one odd way."""
    closing: list[Callable[[], Awaitable[None]]] = []

    async def start(answer: Answer) -> NodeApi:
        application = web.Application()
        application.router.add_route("*", "/{rest:.*}", answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        (data / ENDPOINT_FILE).write_text(f"http://127.0.0.1:{runner.addresses[0][1]}", encoding="utf-8")
        (data / TOKEN_FILE).write_text("x", encoding="utf-8")
        api = await NodeApi(data).__aenter__()
        closing.extend((runner.cleanup, api.__aexit__))
        return api

    yield start
    for close in reversed(closing):
        await close()


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (200, b"[]"), (500, b"oops"), (404, b"{}"), (302, b"")])
async def test_an_answer_that_is_not_as_documented_says_so(odd: Odd, status: int, body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Location": "/"} if status == 302 else {})

    api = await odd(answer)
    with pytest.raises(RemoteError, match=str(status)):
        await api.status()


async def test_a_refusal_brings_its_wait_along(odd: Odd) -> None:
    async def answer(_: web.Request) -> web.Response:
        body = {"message": "Slowly.", "status": 429, "error": "rate_limited"}
        return web.json_response(body, status=429, headers={"Retry-After": "7"})

    api = await odd(answer)
    with pytest.raises(RateLimited, match=r"Slowly\.") as refusal:
        await api.login("alice", "x")
    assert refusal.value.retry_after == 7


async def test_an_error_of_a_newer_node_keeps_its_sentence(odd: Odd) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"message": "Something new.", "status": 418, "error": "new"}, status=418)

    api = await odd(answer)
    with pytest.raises(RemoteError, match=r"Something new\."):
        await api.status()


async def test_a_connection_that_breaks_leaves_a_question_open_and_the_fate_of_a_message_unknown(odd: Odd) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    api = await odd(answer)
    with pytest.raises(Unavailable) as asked:
        await api.inbox()
    assert not isinstance(asked.value, FateUnknown | NodeAway)
    with pytest.raises(FateUnknown):
        await api.send("bob", "hi")


async def test_events_come_in_order_and_the_end_of_the_stream_is_the_end_of_the_node(node: "FakeNode") -> None:
    async with NodeApi(node.data) as api:
        stream = await api.events()
        iterator = aiter(stream)
        assert [(await anext(iterator)).cursor for _ in node.people] == [0, 0]  # everybody's presence
        message = await asyncio.to_thread(node.receive, "bob", "hi")
        assert await anext(iterator) == MessageEvent(1, message)
        await asyncio.to_thread(node.say_raw, '{"type":"of-a-newer-node","cursor":2}')
        await asyncio.to_thread(node.say_raw, "garbage")
        await asyncio.to_thread(node.publish, AccountEvent(2, "offline", "alice"))
        assert await anext(iterator) == AccountEvent(2, "offline", "alice")
        await asyncio.to_thread(node.stop)
        with pytest.raises(NodeAway):
            await anext(iterator)
        await stream.close()


async def test_a_stream_resumes_after_a_cursor(node: "FakeNode") -> None:
    messages = [await asyncio.to_thread(node.receive, "bob", text) for text in ("one", "two", "three")]
    async with NodeApi(node.data) as api:
        stream = await api.events(1)
        replayed = [event async for event in _first(aiter(stream), 4) if isinstance(event, MessageEvent)]
        await stream.close()
    assert [event.message for event in replayed] == messages[1:]


async def test_a_server_without_a_stream_is_no_node(odd: Odd) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=404)

    api = await odd(answer)
    with pytest.raises(NodeAway):
        await api.events()


async def _first(iterator: AsyncIterator[object], number: int) -> AsyncIterator[object]:
    for _ in range(number):
        yield await anext(iterator)
