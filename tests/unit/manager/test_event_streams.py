import asyncio

import pytest

from telegraph.manager import streams
from telegraph.manager.sessions import Caller
from telegraph.manager.streams import MAX_QUEUED, MAX_STREAMS_EACH, Hub, Stream
from telegraph.protocol.manager_api import User
from telegraph.protocol.manager_events import HeartbeatReceived, SessionEnded, UserChanged, UserGone


def caller(name: str = "alice", session: str = "s1") -> Caller:
    return Caller(f"id-{name}", name, session, 1, device=True)


def user(name: str, port: int = 8000) -> User:
    return User(name, f"id-{name}", "10.0.0.1", port, "online", None)


async def drain(stream: Stream) -> list[object]:
    found: list[object] = []
    while (event := await stream.next()) is not None:
        found.append(event)
    return found


async def test_those_who_watch_bob_hear_of_bob_and_of_nobody_else() -> None:
    hub = Hub()
    alice, carol = hub.open(caller("alice", "s1")), hub.open(caller("carol", "s2"))
    hub.watch(alice, "id-bob")
    hub.watch(carol, "id-dave")
    hub.publish(user("bob"))
    hub.publish(user("eve"))
    hub.close()
    assert await drain(alice) == [UserChanged(user("bob"))]
    assert await drain(carol) == []


async def test_changes_come_in_the_order_in_which_they_happened() -> None:
    hub = Hub()
    stream = hub.open(caller())
    hub.watch(stream, "id-bob")
    for port in range(1, 50):
        hub.publish(user("bob", port))
    stream.close()
    assert [event.user.port for event in await drain(stream) if isinstance(event, UserChanged)] == list(range(1, 50))


async def test_watching_twice_tells_once_and_unwatching_ends_it() -> None:
    hub = Hub()
    stream = hub.open(caller())
    hub.watch(stream, "id-bob")
    hub.watch(stream, "id-bob")
    hub.publish(user("bob"))
    assert hub.is_watched("id-bob")
    hub.unwatch(stream, ["id-bob", "id-nobody"])
    assert not hub.is_watched("id-bob")
    hub.publish(user("bob"))
    stream.close()
    assert len(await drain(stream)) == 1


async def test_an_ended_session_hears_so_last_and_its_streams_end() -> None:
    hub = Hub()
    first, second, other = hub.open(caller()), hub.open(caller()), hub.open(caller("bob", "s2"))
    first.tell(HeartbeatReceived())
    assert hub.end("s1", SessionEnded("logged_out"))
    first.tell(HeartbeatReceived())
    assert await drain(first) == [HeartbeatReceived(), SessionEnded("logged_out")]
    assert await drain(second) == [SessionEnded("logged_out")]
    other.close()
    assert await drain(other) == []


async def test_a_session_without_stream_is_said_to_have_none() -> None:
    hub = Hub()
    stream = hub.open(caller())
    assert not hub.end("s9", SessionEnded("logged_out"))
    hub.discard(stream)
    hub.discard(stream)
    assert not hub.end("s1", SessionEnded("logged_out"))
    assert len(hub) == 0


async def test_a_stream_that_is_gone_is_forgotten_with_what_it_watched() -> None:
    hub = Hub()
    stream = hub.open(caller())
    hub.watch(stream, "id-bob")
    hub.discard(stream)
    assert hub.watched == []


async def test_a_slow_consumer_loses_its_stream_and_the_others_keep_theirs() -> None:
    hub = Hub()
    slow, quick = hub.open(caller("alice", "s1")), hub.open(caller("carol", "s2"))
    hub.watch(slow, "id-bob")
    hub.watch(quick, "id-bob")
    for _ in range(MAX_QUEUED + 1):
        hub.publish(user("bob"))
        assert await quick.next() is not None
    assert slow.too_slow
    assert await slow.next() is None
    assert not quick.too_slow


async def test_answers_wait_for_room_instead_of_costing_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_ROOM_FOR_CHANGES", 4)
    stream = Stream(caller())

    async def answer_all() -> None:
        for number in range(100):
            await stream.answer(UserGone(str(number)))
        stream.close()

    answering = asyncio.create_task(answer_all())
    await asyncio.sleep(0)
    assert len(stream._queue) == 4
    assert [event.user_id for event in await drain(stream) if isinstance(event, UserGone)] == list(map(str, range(100)))
    await answering
    assert not stream.too_slow


async def test_whoever_waits_for_room_is_let_go_when_the_stream_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_ROOM_FOR_CHANGES", 1)
    stream = Stream(caller())
    stream.tell(HeartbeatReceived())
    waiting = asyncio.create_task(stream.answer(HeartbeatReceived()))
    await asyncio.sleep(0)
    assert not waiting.done()
    stream.close()
    await asyncio.wait_for(waiting, 1)


async def test_next_waits_until_something_happens() -> None:
    stream = Stream(caller())
    waiting = asyncio.create_task(stream.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    stream.tell(HeartbeatReceived())
    assert await asyncio.wait_for(waiting, 1) == HeartbeatReceived()


async def test_one_stream_can_watch_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_WATCHED", 2)
    hub = Hub()
    stream = hub.open(caller())
    assert hub.watch(stream, "id-a")
    assert hub.watch(stream, "id-b")
    assert not hub.watch(stream, "id-c")
    assert hub.watch(stream, "id-a"), "who is watched already is no more"


async def test_a_session_has_only_so_many_streams_the_oldest_closes() -> None:
    hub = Hub()
    opened = [hub.open(caller()) for _ in range(MAX_STREAMS_EACH + 1)]
    assert await asyncio.wait_for(opened[0].next(), 1) is None
    assert len(hub) == MAX_STREAMS_EACH
