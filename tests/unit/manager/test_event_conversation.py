"""The event stream as an ASGI server sees it, without a socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

import msgspec
import pytest
from structlog.testing import capture_logs

from telegraph.manager.api.application import Application
from telegraph.manager.api.events import _Conversation
from telegraph.node.keys import DeviceKey
from telegraph.protocol.identity import key_fingerprint
from telegraph.protocol.manager_events import MAX_WATCHED, Revoked, SessionEnded

if TYPE_CHECKING:
    from tests.unit.manager.conftest import House

    from telegraph.manager.core import Core
    from telegraph.manager.sessions import Caller


OFFLINE = 30


class Socket:
    """A node's end of one WebSocket."""

    def __init__(self, core: Core, token: str | None, path: str = "/events") -> None:
        headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
        self._scope = {"type": "websocket", "path": path, "headers": headers}
        self._core = core
        self._to_manager: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.from_manager: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.refuses = False

    async def _take(self, message: dict[str, Any]) -> None:
        self.from_manager.put_nowait(message)
        if self.refuses:
            raise RuntimeError("Unexpected ASGI message 'websocket.send', after sending 'websocket.close'.")

    async def __aenter__(self) -> Self:
        self._to_manager.put_nowait({"type": "websocket.connect"})
        application = Application(self._core)
        self.task = asyncio.create_task(application(self._scope, self._to_manager.get, self._take))
        self.opening = await asyncio.wait_for(self.from_manager.get(), 5)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._to_manager.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self.task, 5)

    def say(self, frame: Any) -> None:
        text = frame if isinstance(frame, str) else msgspec.json.encode(frame).decode()
        self._to_manager.put_nowait({"type": "websocket.receive", "text": text})

    def say_bytes(self, data: bytes) -> None:
        self._to_manager.put_nowait({"type": "websocket.receive", "bytes": data})

    async def hear(self) -> dict[str, Any]:
        """What comes next, except which managers there are, which each stream is told first."""
        while (heard := await self.hear_all())["type"] == "managers":
            pass
        return heard

    async def hear_all(self) -> dict[str, Any]:
        message = await asyncio.wait_for(self.from_manager.get(), 5)
        if message["type"] != "websocket.send":
            return message
        decoded: dict[str, Any] = msgspec.json.decode(message["text"])
        return decoded


async def token_of(house: House, name: str) -> str:
    await house.register(name)
    return (await house.log_in(name)).token


async def user_id_of(house: House, name: str) -> str:
    return (await house.people.find(name)).user_id


@pytest.mark.parametrize("token", [None, "x", "0" * 32 + "." + "A" * 43])
async def test_without_a_session_there_is_no_stream_but_the_documented_answer(core: Core, token: str | None) -> None:
    async with Socket(core, token) as socket:
        assert socket.opening["type"] == "websocket.http.response.start"
        assert socket.opening["status"] == 401
        body = msgspec.json.decode((await socket.hear())["body"])
        assert (body["status"], body["error"]) == (401, "not_logged_in")
    assert len(core.hub) == 0


async def test_another_path_is_not_found(core: Core, house: House) -> None:
    async with Socket(core, await token_of(house, "alice"), "/other") as socket:
        assert socket.opening["status"] == 404


async def test_a_manager_out_of_order_does_not_say_that_the_session_ended(core: Core, house: House) -> None:
    token = await token_of(house, "alice")
    await house.directory.close()
    async with Socket(core, token) as socket:
        assert socket.opening["status"] == 503


async def test_a_heartbeat_is_answered_and_noted(core: Core, house: House) -> None:
    async with Socket(core, await token_of(house, "alice")) as socket:
        assert socket.opening["type"] == "websocket.accept"
        house.clock.forward(7)
        socket.say({"type": "heartbeat"})
        assert await socket.hear() == {"type": "heartbeat_received"}
        assert (await house.people.find("alice")).last_seen == house.clock().text
    assert len(core.hub) == 0


async def test_opening_a_stream_is_a_sign_of_life(core: Core, house: House) -> None:
    token = await token_of(house, "alice")
    house.clock.forward(30)
    assert await house.sweep() == 1
    async with Socket(core, token):
        assert (await house.people.find("alice")).status == "online"


async def test_a_node_that_stops_is_offline_at_once_and_its_session_stays(core: Core, house: House) -> None:
    token = await token_of(house, "alice")
    async with Socket(core, token) as socket:
        house.clock.forward(7)
        socket.say({"type": "leaving"})
        socket.say({"type": "heartbeat"})  # under way already; no sign of life any more
        assert (await socket.hear())["code"] == 1000
    alice = await house.people.find("alice")
    assert (alice.status, alice.last_seen) == ("offline", house.clock().text)
    assert alice.user_id not in house.live

    async with Socket(core, token):
        assert (await house.people.find("alice")).status == "online"


async def test_watching_gives_the_present_state_at_once_and_then_every_change(core: Core, house: House) -> None:
    await house.register("bob")
    token, bob = await token_of(house, "alice"), await user_id_of(house, "bob")
    feed = await house.feed(core.hub)
    following = asyncio.create_task(feed.follow())
    async with Socket(core, token) as socket:
        socket.say({"type": "watch", "users": [bob]})
        assert (await socket.hear())["user"]["status"] == "offline"
        caller: Caller = await house.caller((await house.log_in("bob", host="10.0.0.7")).token)
        event = await socket.hear()
        assert (event["type"], event["user"]["username"], event["user"]["ip"]) == ("user", "bob", "10.0.0.7")
        socket.say({"type": "unwatch", "users": [bob]})
        socket.say({"type": "heartbeat"})
        assert (await socket.hear())["type"] == "heartbeat_received"
        await house.accounts.log_out(caller)
        socket.say({"type": "heartbeat"})
        assert (await socket.hear())["type"] == "heartbeat_received"
    following.cancel()


@pytest.mark.parametrize("user_id", ["0" * 32, "", "../x", "ñ", "\0"])
async def test_whoever_does_not_exist_is_gone(core: Core, house: House, user_id: str) -> None:
    async with Socket(core, await token_of(house, "alice")) as socket:
        socket.say({"type": "watch", "users": [user_id]})
        assert await socket.hear() == {"type": "user_gone", "user_id": user_id}


@pytest.mark.parametrize(
    "garbage", ["", "{", "[]", "null", '{"type": "shout"}', '{"type": "watch"}', "[" * 60_000, '{"type": 1}']
)
async def test_garbage_is_answered_and_the_stream_goes_on(core: Core, house: House, garbage: str) -> None:
    async with Socket(core, await token_of(house, "alice")) as socket:
        socket.say(garbage)
        event = await socket.hear()
        assert (event["type"], event["error"]) == ("error", "malformed_body")
        socket.say_bytes(b"\xff\xfe")
        assert (await socket.hear())["error"] == "malformed_body"
        socket.say({"type": "heartbeat"})
        assert (await socket.hear())["type"] == "heartbeat_received"


async def test_watching_too_many_is_refused_and_the_stream_goes_on(core: Core, house: House) -> None:
    token = await token_of(house, "alice")
    async with Socket(core, token) as socket:
        for start in range(0, MAX_WATCHED, 1000):
            socket.say({"type": "watch", "users": [f"{number:032x}" for number in range(start, start + 1000)]})
            for _ in range(1000):
                assert (await socket.hear())["type"] == "user_gone"
        socket.say({"type": "watch", "users": [f"{MAX_WATCHED:032x}"]})
        event = await socket.hear()
        assert (event["type"], event["error"]) == ("error", "too_many")


async def test_an_ended_session_is_told_why_and_the_stream_closes(core: Core, house: House) -> None:
    token = await token_of(house, "alice")
    caller = await house.caller(token)
    async with Socket(core, token) as socket:
        core.hub.end(caller.token_hash, SessionEnded("logged_in_elsewhere"))
        assert await socket.hear() == {"type": "session_ended", "reason": "logged_in_elsewhere"}
        assert (await socket.hear())["type"] == "websocket.close"
        await asyncio.wait_for(socket.task, 5)


async def test_a_heartbeat_of_a_session_that_ended_unheard_ends_the_stream(core: Core, house: House) -> None:
    token = await token_of(house, "alice")
    caller = await house.caller(token)
    async with Socket(core, token) as socket:
        await house.accounts.log_out(caller)
        socket.say({"type": "heartbeat"})
        assert (await socket.hear())["type"] == "session_ended"
        assert (await socket.hear())["type"] == "websocket.close"
        assert (await house.people.find("alice")).status == "offline"


async def test_a_slow_consumer_is_closed_and_asked_to_try_again(core: Core, house: House) -> None:
    await house.register("bob")
    token, bob = await token_of(house, "alice"), await house.people.find("bob")
    async with Socket(core, token) as socket:
        socket.say({"type": "watch", "users": [bob.user_id]})
        await socket.hear()
        (stream,) = core.hub._by_session[(await house.caller(token)).token_hash]
        for _ in range(3000):
            core.hub.publish(bob)
        assert stream.too_slow
        while (message := await socket.hear())["type"] != "websocket.close":
            assert message["type"] == "user"
        assert message["code"] == 1013


async def test_a_heartbeat_after_the_session_ended_is_no_sign_of_life_though_nobody_reads_that(
    core: Core, house: House
) -> None:
    alice = await house.join("alice")
    stream, said = core.hub.open(alice), asyncio.Queue[Any]()
    held_up = asyncio.Event()

    async def send(_message: Any) -> None:
        held_up.set()
        await asyncio.Event().wait()

    talking = asyncio.create_task(_Conversation(core, stream, "en").hold(said.get, send))
    await house.log_in("alice")  # elsewhere, so that she stays online
    core.hub.end(alice.token_hash, SessionEnded("logged_out"))
    await held_up.wait()
    house.clock.forward(29)
    said.put_nowait({"type": "websocket.receive", "text": '{"type":"heartbeat"}'})
    said.put_nowait({"type": "websocket.disconnect"})
    await talking
    house.clock.forward(1)
    assert house.live.due(house.clock()) == [alice.user_id]


async def test_a_stream_that_the_server_closed_itself_ends_without_a_complaint(core: Core, house: House) -> None:
    """Uvicorn closes a stream on which something came that is no frame; what is sent after that is a RuntimeError."""
    async with Socket(core, await token_of(house, "alice")) as socket:
        socket.refuses = True
        with capture_logs() as logs:
            socket.say({"type": "heartbeat"})
            await asyncio.wait_for(socket.task, 5)

    assert [entry for entry in logs if entry["event"] == "stream_failed"] == []
    assert len(core.hub) == 0


# --- revoked keys, and sessions that ended while nobody listened ---


async def told_of_revocations(socket: Socket, after: str = "") -> dict[str, Any]:
    socket.say({"type": "revocations", "after": after})
    return await socket.hear()


async def test_revoked_keys_are_told_at_once_and_after_a_pause_from_the_cursor_on(core: Core, house: House) -> None:
    bob = await token_of(house, "bob")
    alice = await house.join("alice", key=DeviceKey.create())
    await core.revoked.load()
    feed = await house.feed(core.hub)
    following = asyncio.create_task(feed.follow())
    key = DeviceKey.create()
    async with Socket(core, bob) as socket:
        assert (await told_of_revocations(socket))["keys"] == []
        await house.log_in("alice", key=key)
        event = await socket.hear()
        (first,) = event["keys"]
        assert (event["type"], first["user_id"]) == ("revoked", alice.user_id)
    await house.log_in("alice", key=DeviceKey.create())
    async with Socket(core, bob) as socket:
        assert [each["key"] for each in (await told_of_revocations(socket, event["cursor"]))["keys"]][-1] == (
            key_fingerprint(key.public)
        )
    following.cancel()


async def test_nobody_hears_of_revoked_keys_who_did_not_ask_or_is_gone(core: Core, house: House) -> None:
    first, second = await token_of(house, "alice"), await token_of(house, "bob")
    async with Socket(core, first) as asking, Socket(core, second) as other:
        await told_of_revocations(asking)
        core.hub.publish_revoked(Revoked([], "x:1"))
        assert (await asking.hear())["cursor"] == "x:1"
        other.say({"type": "heartbeat"})
        assert (await other.hear())["type"] == "heartbeat_received"
    assert not core.hub._hearing_of_revocations


async def test_a_device_that_was_away_is_told_why_its_session_ended(core: Core, house: House) -> None:
    await house.register("alice")
    token = (await house.log_in("alice", key=DeviceKey.create())).token
    await house.log_in("alice", key=DeviceKey.create())
    for _ in range(2):  # as often as it asks
        async with Socket(core, token) as socket:
            assert socket.opening["type"] == "websocket.accept"
            told = await socket.hear()
            assert told == {"type": "session_ended", "reason": "logged_in_elsewhere", "at": house.clock().text}
            assert (await socket.hear())["type"] == "websocket.close"
    assert len(core.hub) == 0


async def test_a_device_that_logged_out_is_told_nothing_more(core: Core, house: House) -> None:
    await house.register("alice")
    token = (await house.log_in("alice", key=DeviceKey.create())).token
    await house.accounts.log_out(await house.caller(token))
    async with Socket(core, token) as socket:
        assert socket.opening["status"] == 401


async def test_a_heartbeat_after_a_move_that_this_manager_did_not_hear_of_ends_the_stream_with_the_reason(
    core: Core, house: House
) -> None:
    await house.register("alice")
    token = (await house.log_in("alice", key=DeviceKey.create())).token
    async with Socket(core, token) as socket:
        await house.log_in("alice", key=DeviceKey.create())
        house.clock.forward(OFFLINE)
        await house.sweep()
        socket.say({"type": "heartbeat"})
        told = await socket.hear()
        assert (told["type"], told["reason"]) == ("session_ended", "logged_in_elsewhere")


async def test_those_who_watch_hear_that_an_account_was_deleted_then_and_later(core: Core, house: House) -> None:
    bob, alice = await token_of(house, "bob"), await house.join("alice")
    feed = await house.feed(core.hub)
    following = asyncio.create_task(feed.follow())
    gone = {"type": "user_gone", "user_id": alice.user_id, "deleted": True}
    async with Socket(core, bob) as socket:
        socket.say({"type": "watch", "users": [alice.user_id]})
        assert (await socket.hear())["type"] == "user"
        await house.care.delete_account(alice, "correct horse", "192.0.2.1")
        assert await socket.hear() == gone
    async with Socket(core, bob) as socket:
        socket.say({"type": "watch", "users": [alice.user_id]})
        assert await socket.hear() == gone
    following.cancel()
