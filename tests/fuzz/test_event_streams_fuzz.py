"""Garbage on the event streams of a real manager and a real node, while somebody else's stream is open."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import msgspec
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from telegraph.protocol.manager_events import (
    MAX_EVENT_BYTES,
    Heartbeat,
    Leaving,
    Revocations,
    Unwatch,
    Watch,
    decode_from_node,
)
from telegraph.protocol.node_api import API_PREFIX, TOKEN_FILE
from telegraph.testing.processes import PASSWORD

if TYPE_CHECKING:
    from tests.fuzz.conftest import Started

T = TypeVar("T")

_ANSWERED_WITHIN = 10.0
_HEARTBEAT = '{"type": "heartbeat"}'

COUNTS = pytest.mark.parametrize(
    "count", [300, pytest.param(3_000, marks=[pytest.mark.long, pytest.mark.timeout(1_200)])]
)

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
_ids = st.uuids().map(str) | st.text() | st.sampled_from(["*", "../x", "a" * 10_000])
_objects = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["watch", "unwatch", "heartbeat", "user", "session_ended", "WATCH", ""]) | _json,
        "users": st.lists(_ids, max_size=5) | st.lists(_ids | _json, max_size=5) | _json,
        "more": _json,
    },
)
_odd = st.sampled_from(
    [
        "",
        "[" * 50_000,
        '{"type":' * 8_000,
        '{"type": "watch", "users": [' + '"",' * 1_000 + '""]}',
        '{"type": "heartbeat", "type": "watch"}',
        '{"type": "heartbeat"}{"type": "heartbeat"}',
        '{"type": "watch", "users": ["\\ud800"]}',
        "9" * 60_000,
        b"\xff\xfe",
        b"\x00" * 60_000,
    ]
)
_frames: st.SearchStrategy[str | bytes] = st.one_of(
    st.text(), st.binary(), _objects.map(json.dumps), _objects.map(lambda found: json.dumps(found).encode()), _odd
)
_conversations = st.lists(_frames, min_size=1, max_size=10)


class Streams:
    """Opens event streams of one process, and keeps one open for as long as the test takes.

    Hypothesis's examples are plain functions, so each runs on the loop by :meth:`run`. (A client with a thread for
    reading would do without a loop, but two threads must not use one TLS connection: OpenSSL has no lock for it.)
    """

    def __init__(self, url: str, stack: contextlib.ExitStack, ca: str | None = None) -> None:
        self._url = url.replace("http", "ws", 1)
        self._tls = ssl.create_default_context(cafile=ca) if ca else None
        self._stack = stack
        self._runner = stack.enter_context(asyncio.Runner())

    def run(self, example: Coroutine[Any, Any, T]) -> T:
        """Runs one example."""
        return self._runner.run(_in_time(example))

    def keep(self, opening: connect) -> ClientConnection:
        """Opens a stream that stays open until the test ends."""
        stream = self.run(opening.__aenter__())
        self._stack.callback(lambda: self.run(stream.close()))
        return stream

    def open(self, path: str, authorization: str) -> connect:
        """A stream; frames of any size are read."""
        return connect(
            self._url + path,
            additional_headers={"Authorization": authorization},
            ssl=self._tls,
            compression=None,
            proxy=None,
            max_size=None,
        )

    async def write(self, path: str, authorization: str, raw: bytes) -> None:
        """Opens a stream and writes bytes on it that need be no frames; ends without a good-bye."""
        async with self.open(path, authorization) as stream:
            stream.transport.write(raw)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):  # time for an answer, which only some nonsense gets
                    await stream.wait_closed()
            stream.transport.abort()


async def _in_time(example: Coroutine[Any, Any, T]) -> T:
    async with asyncio.timeout(_ANSWERED_WITHIN):
        return await example


async def _next(stream: ClientConnection) -> Any:
    return json.loads(await stream.recv())


def _many(count: int) -> settings:
    """So many examples, the same each time."""
    return settings(max_examples=count, derandomize=True, database=None, deadline=None)


class ManagerStreams(Streams):
    """Of a manager on which carol watches herself and bob speaks nonsense."""

    def __init__(self, manager: "Started", stack: contextlib.ExitStack) -> None:
        ca = str(manager.data / "ca.pem")
        super().__init__(manager.url, stack, ca)
        self._http = requests.Session()
        self._http.trust_env = False  # or REQUESTS_CA_BUNDLE would go before the CA
        self._http.verify = ca
        self._base = manager.url
        self.bob, _ = self._joined("bob")
        carol, self.carol_id = self._joined("carol")
        self._witness = self.keep(self.open("/events", carol))
        self.run(self._watch_carol())

    async def _watch_carol(self) -> None:
        await self.greeted(self._witness)
        await self._witness.send(json.dumps({"type": "watch", "users": [self.carol_id]}))
        assert (await _next(self._witness))["user"]["username"] == "carol"

    async def greeted(self, stream: ClientConnection) -> None:
        """What every stream begins with: the managers that there are."""
        assert (await _next(stream))["urls"] == [self._base]

    async def check_witness(self) -> None:
        """Carol's stream goes on, and nothing was said on it that she did not ask for."""
        await self._witness.send(_HEARTBEAT)
        assert await _next(self._witness) == {"type": "heartbeat_received"}

    def _joined(self, name: str) -> tuple[str, str]:
        account: dict[str, str | int] = {"username": name, "password": PASSWORD, "ip": "127.0.0.1", "port": 8000}
        self._http.post(f"{self._base}/register", json=account, timeout=20).raise_for_status()
        session = self._http.post(f"{self._base}/login", json=account, timeout=20).json()
        return f"Bearer {session['token']}", session["user_id"]

    def answers_to(self, frame: str | bytes) -> list[str]:
        """The types of the answers that the protocol promises for a frame."""
        try:
            event = decode_from_node(frame)
        except msgspec.DecodeError:
            return ["error"]
        match event:
            case Watch(users):
                return ["user" if user_id == self.carol_id else "user_gone" for user_id in users]
            case Unwatch():
                return []
            case Heartbeat():
                return ["heartbeat_received"]
            case Revocations():
                return ["revoked"]
            case Leaving():
                return []


@pytest.fixture
def streams(manager: "Started") -> Iterator[ManagerStreams]:
    with contextlib.ExitStack() as stack:
        yield ManagerStreams(manager, stack)


@COUNTS
def test_a_manager_answers_every_frame_as_its_protocol_says(
    manager: "Started", streams: ManagerStreams, count: int
) -> None:
    async def speak(frames: list[str | bytes]) -> None:
        watch_carol = json.dumps({"type": "watch", "users": [streams.carol_id, "nobody"]})
        async with streams.open("/events", streams.bob) as stream:
            await streams.greeted(stream)
            for frame in [*frames, watch_carol, _HEARTBEAT]:
                await stream.send(frame)
                expected = streams.answers_to(frame)
                answers = [await _next(stream) for _ in expected]
                assert [answer["type"] for answer in answers] == expected
                assert all(answer["error"] == "malformed_body" for answer in answers if answer["type"] == "error")
        await streams.check_witness()

    _many(count)(given(_conversations)(lambda frames: streams.run(speak(frames))))()
    assert manager.lives
    assert not manager.crashes


@COUNTS
def test_a_manager_takes_bytes_that_are_no_frames_from_one_stream_only(
    manager: "Started", streams: ManagerStreams, count: int
) -> None:
    async def speak(raw: bytes) -> None:
        await streams.write("/events", streams.bob, raw)
        await streams.check_witness()

    _many(count)(given(_raw)(lambda raw: streams.run(speak(raw))))()
    assert manager.lives
    assert not manager.crashes


def test_a_frame_that_is_too_long_closes_its_stream_and_no_other(streams: ManagerStreams) -> None:
    async def speak() -> None:
        async with streams.open("/events", streams.bob) as stream:
            await streams.greeted(stream)
            await stream.send(" " * (MAX_EVENT_BYTES - len(_HEARTBEAT)) + _HEARTBEAT)
            assert await _next(stream) == {"type": "heartbeat_received"}
            await _send_too_long(stream, MAX_EVENT_BYTES + 1)
        await streams.check_witness()

    streams.run(speak())


def test_a_text_that_is_not_utf_8_closes_its_stream_and_no_other(manager: "Started", streams: ManagerStreams) -> None:
    async def speak() -> None:
        async with streams.open("/events", streams.bob) as stream:
            await streams.greeted(stream)
            await _send_no_text(stream)
        await streams.check_witness()

    streams.run(speak())
    assert not manager.crashes


@COUNTS
def test_a_manager_opens_no_stream_without_a_session(streams: ManagerStreams, count: int) -> None:
    async def knock(scheme: str, token: str) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await streams.open("/events", scheme + token)
        answer = json.loads(refused.value.response.body or b"")
        assert (refused.value.response.status_code, answer["error"]) == (401, "not_logged_in")

    tokens = st.text(st.characters(min_codepoint=33, max_codepoint=126))
    schemes = st.sampled_from(["Bearer ", "Basic ", ""])
    _many(count)(given(schemes, tokens)(lambda scheme, token: streams.run(knock(scheme, token))))()
    streams.run(streams.check_witness())


class NodeStreams(Streams):
    """Of alice's node; another page of hers listens all the time."""

    def __init__(self, node: "Started", stack: contextlib.ExitStack) -> None:
        super().__init__(node.url, stack)
        self.token = f"Bearer {(node.data / TOKEN_FILE).read_text().strip()}"
        self._http = requests.Session()
        self._base = node.url + API_PREFIX
        self.post("/account", username="alice", password=PASSWORD)
        self._witness = self.keep(self.listen())

    def post(self, path: str, **body: str) -> Any:
        """A call that must succeed: its answer."""
        answer = self._http.post(self._base + path, json=body, headers={"Authorization": self.token}, timeout=20)
        assert answer.ok, answer.text
        return answer.json()

    def listen(self, cursor: str = "") -> connect:
        """A stream from now on, or from a cursor."""
        return self.open(f"{API_PREFIX}/events{cursor}", self.token)

    async def check_told(self, *streams: ClientConnection) -> None:
        """A message that is sent now is told on these streams and the listening page's."""
        sent = self.post("/messages", to="bob", text="is anybody there?")["id"]
        for stream in (*streams, self._witness):
            while (event := await _next(stream))["type"] != "message" or event["message"]["id"] != sent:
                pass


@pytest.fixture
def page(start: "Callable[[str], Started]") -> Iterator[tuple["Started", NodeStreams]]:
    bob = start("bob")
    headers = {"Authorization": f"Bearer {(bob.data / TOKEN_FILE).read_text().strip()}"}
    account = {"username": "bob", "password": PASSWORD}
    requests.post(f"{bob.url}{API_PREFIX}/account", json=account, headers=headers, timeout=20).raise_for_status()
    node = start("alice")
    with contextlib.ExitStack() as stack:
        yield node, NodeStreams(node, stack)


@COUNTS
def test_a_node_does_not_care_what_a_page_says(page: tuple["Started", NodeStreams], count: int) -> None:
    node, streams = page

    async def speak(frames: list[str | bytes]) -> None:
        async with streams.listen() as stream:
            for frame in frames:
                await stream.send(frame)
            await streams.check_told(stream)

    _many(count)(given(_conversations)(lambda frames: streams.run(speak(frames))))()
    assert node.lives
    assert not node.crashes


@COUNTS
def test_a_node_takes_bytes_that_are_no_frames_from_one_page_only(
    page: tuple["Started", NodeStreams], count: int
) -> None:
    node, streams = page

    async def speak(raw: bytes) -> None:
        await streams.write(f"{API_PREFIX}/events", streams.token, raw)
        await streams.check_told()

    _many(count)(given(_raw)(lambda raw: streams.run(speak(raw))))()
    assert node.lives
    assert not node.crashes


def test_a_word_that_is_too_long_closes_its_page_and_no_other(page: tuple["Started", NodeStreams]) -> None:
    _, streams = page

    async def speak() -> None:
        async with streams.listen() as stream:
            await stream.send("x" * MAX_EVENT_BYTES)
            await streams.check_told(stream)
            await _send_too_long(stream, MAX_EVENT_BYTES + 1)
        await streams.check_told()

    streams.run(speak())


def test_a_page_whose_text_is_not_utf_8_is_closed_and_no_other(page: tuple["Started", NodeStreams]) -> None:
    node, streams = page

    async def speak() -> None:
        async with streams.listen() as stream:
            await _send_no_text(stream)
        await streams.check_told()

    streams.run(speak())
    assert not node.crashes


@COUNTS
def test_any_number_is_a_cursor(page: tuple["Started", NodeStreams], count: int) -> None:
    node, streams = page

    async def resume(cursor: int) -> None:
        async with streams.listen(f"?cursor={cursor}") as stream:
            await streams.check_told(stream)

    streams.run(streams.check_told())
    cursors = st.integers() | st.integers(-5, 5)
    _many(count // 3)(given(cursors)(lambda cursor: streams.run(resume(cursor))))()
    assert node.lives
    assert not node.crashes


@COUNTS
def test_what_is_no_number_is_no_cursor(page: tuple["Started", NodeStreams], count: int) -> None:
    node, streams = page

    async def resume(cursor: str) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await streams.listen(f"?cursor={quote(cursor, safe='')}")
        assert 400 <= refused.value.response.status_code < 500

    letters = st.text(st.characters(categories=["L", "P", "S"]), min_size=1)
    letters = letters.filter(
        lambda drawn: drawn.lower() != "null"
    )  # as JavaScript writes "no cursor", and Litestar reads
    _many(count)(given(letters)(lambda cursor: streams.run(resume(cursor))))()
    streams.run(streams.check_told())
    assert node.lives
    assert not node.crashes


def _frame(opcode: int, length: int, payload: bytes, *, masked: bool, final: bool, reserved: int) -> bytes:
    """A frame (RFC 6455, section 5.2) that may say wrong things about itself."""
    first = (final << 7) | (reserved << 4) | opcode
    mask = b"\0\0\0\0" if masked else b""
    if length < 126:
        header = bytes([first, (masked << 7) | length])
    elif length < 65536:
        header = bytes([first, (masked << 7) | 126]) + length.to_bytes(2, "big")
    else:
        header = bytes([first, (masked << 7) | 127]) + length.to_bytes(8, "big")
    return header + mask + payload


_raw = st.lists(
    st.binary(max_size=200)
    | st.builds(
        lambda opcode, payload, final: _frame(opcode, len(payload), payload, masked=True, final=final, reserved=0),
        st.sampled_from([0, 1, 2, 8, 9, 10]),
        st.binary(max_size=300),
        st.booleans(),
    )
    | st.builds(
        _frame,
        st.integers(0, 15),
        st.integers(0, 300) | st.integers(0, 2**64 - 1),
        st.binary(max_size=300),
        masked=st.booleans() | st.just(value=True),
        final=st.booleans(),
        reserved=st.just(0) | st.integers(0, 7),
    ),
    min_size=1,
    max_size=5,
).map(b"".join)


async def _send_no_text(stream: ClientConnection) -> None:
    """A text message that is not UTF-8, which closes the stream with 1007 (RFC 6455, section 8.1)."""
    stream.transport.write(_frame(1, 1, b"\xff", masked=True, final=True, reserved=0))
    await stream.wait_closed()
    assert stream.close_code == 1007


async def _send_too_long(stream: ClientConnection, length: int) -> None:
    """One frame beyond the limit, which closes the stream with 1009, message too big (RFC 6455, section 7.4.1)."""
    with contextlib.suppress(ConnectionClosed):
        await stream.send("x" * length)
    await stream.wait_closed()
    assert stream.close_code == 1009
