"""The peer room on real sockets: who is refused, what a link survives, and what is answered."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Self

import aiohttp
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telegraph.errors import RateLimited, UnknownPath
from telegraph.node.keys import DeviceKey
from telegraph.peer.credentials import Credentials, client_context, server_context
from telegraph.peer.port import Call, Link, LinkClosed, Reply, Unreachable
from telegraph.peer.tls import MAX_BODY_BYTES, MAX_LINKS_EACH, TlsEndpoint
from telegraph.protocol.addresses import Address
from telegraph.protocol.identity import ROLE_OIDS, subject_uri
from telegraph.testing.certificates import Device, Organisation

US = Organisation("Us")
ALICE, BOB = US.device("alice"), US.device("bob")
JSON = {"Content-Type": "application/json"}
SILENCE = 0.75
"""A quarter of what nodes use."""


class Node:
    """Bob's endpoint: it remembers what reached it and echoes on links."""

    def __init__(self, endpoint: TlsEndpoint, address: Address) -> None:
        self.endpoint, self.address = endpoint, address
        self.links: list[Link] = []
        self.calls: list[Call] = []
        self.met = asyncio.Event()
        self.read_on = asyncio.Event()
        self.read_on.set()

    @property
    def url(self) -> str:
        return f"https://{self.address}"

    async def on_link(self, link: Link) -> None:
        self.links.append(link)
        self.met.set()
        while True:
            await self.read_on.wait()
            await link.send(await link.receive())

    async def on_call(self, call: Call) -> Reply:
        self.calls.append(call)
        match call.path:
            case "/echo":
                return Reply(200, call.body)
            case "/limited":
                raise RateLimited(retry_after=7.2)
            case "/broken":
                raise RuntimeError("secret detail")
        raise UnknownPath


def running(device: Device, **options: float) -> AbstractAsyncContextManager[Node]:
    return serving(device.credentials, **options)


@asynccontextmanager
async def serving(credentials: Credentials, **options: float) -> AsyncIterator[Node]:
    bound = socket.create_server(("127.0.0.1", 0))
    address = Address(*bound.getsockname()[:2])
    node = Node(TlsEndpoint(bound, credentials, **options), address)
    await node.endpoint.serve(node.on_link, node.on_call)
    try:
        yield node
    finally:
        node.read_on.set()
        await node.endpoint.close()


@pytest.fixture
async def bob() -> AsyncIterator[Node]:
    async with running(BOB) as node:
        yield node


@pytest.fixture
async def alice() -> AsyncIterator[Node]:
    async with running(ALICE) as node:
        yield node


def stranger() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=US.ca.pem)
    return context


def of_another_organisation() -> ssl.SSLContext:
    theirs = Organisation("Us").device("alice").credentials
    return client_context(Credentials(theirs.certificate_pem, theirs.key_pem, US.ca.pem))


def expired() -> ssl.SSLContext:
    return client_context(US.device("alice", expired=True).credentials)


def manager_with(key: DeviceKey) -> Credentials:
    """What only a rogue CA would issue: the manager role over a device's key."""
    public = Ed25519PublicKey.from_public_bytes(key.public)
    names = [x509.UniformResourceIdentifier(subject_uri("manager", "m1"))]
    certificate = US.ca._issuer.issue(public, names, datetime.now(UTC), timedelta(days=1), [ROLE_OIDS["manager"]])
    return Credentials(certificate.public_bytes(Encoding.PEM).decode(), key.private_pem, US.ca.pem)


# --- who is refused ---


@pytest.mark.parametrize("context", [stranger, of_another_organisation, expired])
async def test_whoever_has_no_valid_certificate_reaches_nothing(
    bob: Node, context: Callable[[], ssl.SSLContext]
) -> None:
    shown = context()
    async with aiohttp.ClientSession() as session:
        with pytest.raises((aiohttp.ClientError, OSError)):
            await session.post(bob.url + "/echo", data=b"{}", headers=JSON, ssl=shown)
        with pytest.raises((aiohttp.ClientError, OSError)):
            await session.ws_connect(bob.url + "/link", ssl=shown)
    assert (bob.links, bob.calls) == ([], [])


async def test_a_manager_may_call_and_may_not_open_a_link(bob: Node) -> None:
    context = client_context(US.manager("m1"))
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(bob.url + "/link", ssl=context)
        async with session.post(bob.url + "/echo", data=b"{}", headers=JSON, ssl=context) as answer:
            assert answer.status == 200
    assert refused.value.status == 403
    assert bob.links == []
    assert [(call.remote.role, call.remote.id) for call in bob.calls] == [("manager", "m1")]


async def test_a_dial_is_refused_by_the_other_end_without_a_valid_certificate(bob: Node) -> None:
    late = US.device("alice", expired=True)
    endpoint = TlsEndpoint(socket.create_server(("127.0.0.1", 0)), late.credentials)
    with pytest.raises(Unreachable):
        await endpoint.dial(bob.address, BOB.key.public)
    await endpoint.close()
    assert bob.links == []


@pytest.mark.parametrize(
    "impostor",
    [
        lambda: US.device("bob").credentials,
        lambda: US.device("bob", key=BOB.key, expired=True).credentials,
        lambda: Organisation("Us").device("bob", key=BOB.key).credentials,
        lambda: US.manager("m1"),
        lambda: manager_with(BOB.key),
    ],
    ids=["another key", "expired", "another organisation", "manager", "manager with the key of bob"],
)
async def test_an_impostor_hears_nothing_from_who_dialled_him(alice: Node, impostor: Callable[[], Credentials]) -> None:
    async with serving(impostor()) as mallory:
        with pytest.raises(Unreachable):
            await alice.endpoint.dial(mallory.address, BOB.key.public)
        for link in mallory.links:
            with pytest.raises(LinkClosed):
                await link.receive()


async def test_a_dialler_does_not_follow_a_redirect(alice: Node, bob: Node) -> None:
    paths: list[str] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        paths.append((await reader.readuntil(b"\r\n\r\n")).split()[1].decode())
        target = f"{bob.url}/link".encode()
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: " + target + b"\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0, ssl=server_context(BOB.credentials))
    with pytest.raises(Unreachable):
        await alice.endpoint.dial(Address(*server.sockets[0].getsockname()), BOB.key.public)
    server.close()
    assert paths == ["/link"]
    assert bob.links == []


async def test_a_dial_to_somebody_who_never_answers_ends_in_time() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    async with running(ALICE, dial_timeout=0.2) as alice:
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unreachable):
            await alice.endpoint.dial(Address(*silent.getsockname()), BOB.key.public)
        assert asyncio.get_running_loop().time() - began < 2
    silent.close()


async def test_one_device_cannot_hold_any_number_of_links(alice: Node, bob: Node) -> None:
    links = [await alice.endpoint.dial(bob.address, BOB.key.public) for _ in range(MAX_LINKS_EACH)]
    with pytest.raises(Unreachable):
        await alice.endpoint.dial(bob.address, BOB.key.public)
    async with running(US.device("carol")) as carol:
        await carol.endpoint.dial(bob.address, BOB.key.public)
    await links.pop().close()
    async with asyncio.timeout(5):
        while len(links) < MAX_LINKS_EACH:  # bob notices the close a moment later
            try:
                links.append(await alice.endpoint.dial(bob.address, BOB.key.public))
            except Unreachable:
                await asyncio.sleep(0.01)


async def test_new_credentials_serve_new_links_and_the_old_links_go_on(alice: Node) -> None:
    async with running(US.device("bob", key=BOB.key)) as bob:
        old = await alice.endpoint.dial(bob.address, BOB.key.public)
        renewed = US.device("bob-renewed", key=BOB.key)
        bob.endpoint.replace_credentials(renewed.credentials)
        new = await alice.endpoint.dial(bob.address, BOB.key.public)
        assert (old.remote.id, new.remote.id) == ("id-bob", "id-bob-renewed")
        for link in (old, new):
            await link.send(b"still")
            assert await link.receive() == b"still"
        await bob.endpoint.dial(alice.address, ALICE.key.public)
        await asyncio.wait_for(alice.met.wait(), 5)
        assert alice.links[0].remote.id == "id-bob-renewed"


async def test_malformed_new_credentials_change_nothing(alice: Node, bob: Node) -> None:
    with pytest.raises(ssl.SSLError):
        bob.endpoint.replace_credentials(Credentials(ALICE.credentials.certificate_pem, BOB.key.private_pem, US.ca.pem))
    link = await alice.endpoint.dial(bob.address, BOB.key.public)
    assert link.remote.id == "id-bob"


# --- what a link survives, and what it does not ---


class Relay:
    """A wire between two endpoints that can be stopped: it then passes nothing, and closes nothing."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self.open = asyncio.Event()
        self.open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.address = Address(*self._server.sockets[0].getsockname())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._target.host, self._target.port)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pass(source, sink))
            self._tasks.add(task)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(2**16):
                await self.open.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[Link, Node, Relay]]:
    """Alice's end of a link to bob's node over a relay, both with short patience."""
    async with AsyncExitStack() as stack:
        bob = await stack.enter_async_context(running(BOB, silence=SILENCE))
        relay = await stack.enter_async_context(Relay(bob.address))
        alice = await stack.enter_async_context(running(ALICE, silence=SILENCE))
        link = await alice.endpoint.dial(relay.address, BOB.key.public)
        await asyncio.wait_for(bob.met.wait(), 5)
        yield link, bob, relay


async def test_an_idle_link_stays() -> None:
    async with linked() as (link, _, _):
        await asyncio.sleep(4 * SILENCE)
        await link.send(b"still here")
        assert await link.receive() == b"still here"


async def test_a_link_that_went_silent_is_dead_at_both_ends_in_time() -> None:
    async with linked() as (link, bob, relay):
        relay.open.clear()
        began = asyncio.get_running_loop().time()
        with pytest.raises(LinkClosed):
            await link.receive()
        took = asyncio.get_running_loop().time() - began
        assert SILENCE * 0.6 < took < SILENCE * 2.5
        with pytest.raises(LinkClosed):
            await bob.links[0].receive()
        with pytest.raises(LinkClosed):
            await link.send(b"anybody?")


async def test_a_sender_that_waits_for_room_learns_that_the_other_machine_died() -> None:
    async with linked() as (link, _, relay):
        relay.open.clear()

        async def flood() -> None:
            while True:
                await link.send(bytes(2**20))

        async with asyncio.timeout(10):
            with pytest.raises(LinkClosed):
                await flood()


async def test_a_far_end_that_is_slow_to_read_is_not_taken_for_dead() -> None:
    async with linked() as (link, bob, _):
        bob.read_on.clear()  # as with a slow disk

        async def flood() -> None:
            for _ in range(40):
                await link.send(bytes(2**20))

        flooding = asyncio.create_task(flood())
        await asyncio.sleep(4 * SILENCE)
        assert not flooding.done()
        bob.read_on.set()
        for _ in range(40):
            assert len(await link.receive()) == 2**20
        await flooding


async def test_a_large_message_over_a_slow_line_arrives_whole() -> None:
    async with linked() as (link, _, relay):
        sending = asyncio.create_task(link.send(bytes(2**20)))
        for _ in range(12):  # the line stands still again and again, for less than the allowed silence
            relay.open.clear()
            await asyncio.sleep(SILENCE * 0.4)
            relay.open.set()
            await asyncio.sleep(0)
        await sending
        assert len(await link.receive()) == 2**20


@asynccontextmanager
async def raw(node: Node) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A WebSocket of alice's that speaks as the test likes."""
    context = client_context(ALICE.credentials)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(node.url + "/link", ssl=context, autoping=False) as websocket,
    ):
        yield websocket


async def test_a_ping_is_answered_with_its_own_words(bob: Node) -> None:
    async with raw(bob) as websocket:
        await websocket.ping(b"marco")
        answer = await websocket.receive(timeout=5)
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"marco")


async def test_text_on_a_link_ends_it(bob: Node) -> None:
    async with raw(bob) as websocket:
        await websocket.send_str("hello?")
        assert (await websocket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
        with pytest.raises(LinkClosed):
            await bob.links[0].receive()


async def test_a_message_over_the_limit_ends_the_link_and_is_not_handed_on(bob: Node) -> None:
    async with raw(bob) as websocket:
        await websocket.send_bytes(bytes(2**20 + 1))
        answer = await websocket.receive(timeout=5)
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.MESSAGE_TOO_BIG)
        with pytest.raises(LinkClosed):
            await bob.links[0].receive()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5), opened=st.booleans())
def test_garbage_ends_its_own_link_and_nothing_else(garbage: list[bytes], opened: bool) -> None:
    asyncio.run(_throw(garbage, opened=opened))


async def _throw(garbage: list[bytes], *, opened: bool) -> None:
    opening = (
        b"GET /link HTTP/1.1\r\nHost: bob\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    async with running(BOB) as bob, running(ALICE) as alice:
        good = await alice.endpoint.dial(bob.address, BOB.key.public)
        context = client_context(ALICE.credentials)
        reader, writer = await asyncio.open_connection(bob.address.host, bob.address.port, ssl=context)
        if opened:
            writer.write(opening)
            assert b"101" in await reader.readuntil(b"\r\n\r\n")
        for piece in garbage:
            writer.write(piece)
        writer.transport.abort()
        await good.send(b"unharmed")
        assert await asyncio.wait_for(good.receive(), 5) == b"unharmed"


# --- calls ---


@asynccontextmanager
async def calling(node: Node) -> AsyncIterator[Callable[..., Awaitable[tuple[int, dict[str, object], str]]]]:
    """A client with alice's certificate: status, JSON body and Retry-After of an answer."""
    connector = aiohttp.TCPConnector(ssl=client_context(ALICE.credentials))
    async with aiohttp.ClientSession(connector=connector) as session:

        async def call(
            path: str, data: bytes = b"{}", method: str = "POST", **headers: str
        ) -> tuple[int, dict[str, object], str]:
            given_headers = {"Content-Type": "application/json"}
            given_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
            async with session.request(method, node.url + path, data=data, headers=given_headers) as answer:
                assert answer.content_type == "application/json"
                body = msgspec.json.decode(await answer.read())
                return answer.status, body, answer.headers.get("Retry-After", "")

        yield call


async def test_a_body_of_one_mebibyte_is_taken_and_one_byte_more_is_refused_with_the_documented_error(
    bob: Node,
) -> None:
    largest = b'"' + b"x" * (MAX_BODY_BYTES - 2) + b'"'
    connector = aiohttp.TCPConnector(ssl=client_context(ALICE.credentials))
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.post(bob.url + "/echo", data=BytesIO(largest), headers=JSON) as answer:
            assert (answer.status, await answer.read()) == (200, largest)
        async with session.post(bob.url + "/echo", data=BytesIO(largest + b" "), headers=JSON) as answer:
            body = msgspec.json.decode(await answer.read())
            assert (answer.status, body["status"], body["error"]) == (413, 413, "body_too_large")
    assert len(bob.calls) == 1


async def test_what_is_no_call_gets_an_error_of_the_documented_shape_and_reaches_nobody(bob: Node) -> None:
    async with calling(bob) as call:
        for request, status, code in (
            (call("/echo", Content_Type="text/plain"), 415, "unsupported_media"),
            (call("/echo", method="GET"), 405, "wrong_method"),
            (call("/echo", method="PUT"), 405, "wrong_method"),
            (call("/link", method="GET"), 400, "bad_input"),
        ):
            got, body, _ = await request
            assert (got, body["status"], body["error"]) == (status, status, code)
    assert (bob.calls, bob.links) == ([], [])


async def test_errors_of_a_call_are_answered_in_the_callers_language(bob: Node) -> None:
    async with calling(bob) as call:
        _, spanish, _ = await call("/nothing")
        status, english, _ = await call("/nothing", Accept_Language="en-GB,es;q=0.5")
    assert str(spanish["message"]).startswith("No hay nada")
    assert (status, english["error"]) == (404, "unknown_path")
    assert str(english["message"]).startswith("There is nothing")


async def test_who_is_to_wait_is_told_how_long(bob: Node) -> None:
    async with calling(bob) as call:
        status, _, retry_after = await call("/limited")
    assert (status, retry_after) == (429, "7")


async def test_a_mistake_in_a_call_is_an_error_without_its_details_and_the_next_call_is_answered(bob: Node) -> None:
    async with calling(bob) as call:
        status, body, _ = await call("/broken")
        assert (status, body["error"]) == (500, "internal")
        assert "secret" not in str(body)
        assert (await call("/echo", b'{"n": 1}'))[1] == {"n": 1}
