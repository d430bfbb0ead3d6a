"""Which manager is asked, in which order, and when others are looked for."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from telegraph.errors import FateUnknown, ManagerAway, NoManagerFound, NotLoggedIn, Unavailable, UnknownUser
from telegraph.node import manager_link
from telegraph.node.manager_choice import ManagerChoice
from telegraph.node.manager_link import ManagerLink
from telegraph.protocol.manager_api import Answer
from telegraph.protocol.manager_events import (
    HeartbeatReceived,
    Revoked,
    SessionEnded,
    UserChanged,
    UserGone,
    encode_event,
)

ONE, TWO, THREE = "https://one:8000", "https://two:8000", "https://three:8000"


class FakeStream:
    """As much of aiohttp's WebSocket as the link uses."""

    def __init__(self, *events: object) -> None:
        self.said: list[str] = []
        self.closed = False
        self._events = [encode_event(event).decode() for event in events]

    async def send_str(self, text: str) -> None:
        self.said.append(text)

    async def close(self) -> None:
        self.closed = True

    async def receive(self) -> aiohttp.WSMessage:
        return await anext(self)

    def __aiter__(self) -> "FakeStream":
        return self

    async def __anext__(self) -> aiohttp.WSMessage:
        if not self._events:
            raise StopAsyncIteration
        return aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, self._events.pop(0), None)


class FakeClient:
    """Managers by URL: what they answer or raise."""

    def __init__(self, **managers: Any) -> None:
        self.managers = {f"https://{name}:8000": answer for name, answer in managers.items()}
        self.asked: list[str] = []

    def _of(self, url: str) -> Any:
        self.asked.append(url)
        answer = self.managers.get(url, ManagerAway())
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def call(self, url: str, *_: object, **__: object) -> Any:
        return self._of(url)

    async def ready(self, url: str) -> None:
        answer = self.managers.get(url, ManagerAway())
        if isinstance(answer, Unavailable) and not isinstance(answer, FateUnknown):
            raise answer

    async def open_stream(self, url: str, _: str) -> Any:
        return self._of(url)


def choice(*urls: str, rest: float = 0.001) -> ManagerChoice:
    return ManagerChoice(urls, (), Random(1), first=rest, last=rest)


def link(client: FakeClient, *urls: str, finds: list[str] | None = None) -> ManagerLink:
    async def find() -> list[str]:
        if finds is None:
            raise NoManagerFound
        return finds

    return ManagerLink(client, find, choice(*urls), Random(1))  # type: ignore[arg-type]


OK = Answer("yes")


async def ask(one: ManagerLink) -> Answer:
    return await one.call("GET", "/x", Answer)


async def test_the_next_manager_answers_if_the_first_is_away_and_is_asked_first_from_then_on() -> None:
    client = FakeClient(two=OK)
    managers = link(client, ONE, TWO, finds=[ONE, TWO])

    assert await ask(managers) == OK
    assert await ask(managers) == OK

    assert client.asked == [ONE, TWO, TWO]
    assert managers.urls[0] == TWO


@pytest.mark.parametrize("path", ["/users/bob", "/users/reconnect/10.0.0.1/bob", "/people?query=bob"])
async def test_no_log_says_whom_a_manager_was_asked_for(path: str) -> None:
    with capture_logs() as logs, pytest.raises(ManagerAway):
        await link(FakeClient(), ONE).call("GET", path, Answer)

    assert logs
    assert "bob" not in str(logs)


async def test_a_manager_without_quorum_is_passed_over_too() -> None:
    assert await ask(link(FakeClient(one=Unavailable(), two=OK), ONE, TWO, finds=[ONE, TWO])) == OK


async def test_what_a_manager_refuses_is_not_asked_of_another() -> None:
    client = FakeClient(one=UnknownUser(username="x"), two=OK)

    with pytest.raises(UnknownUser):
        await ask(link(client, ONE, TWO, finds=[ONE, TWO]))

    assert client.asked == [ONE]


async def test_what_may_have_been_done_is_not_repeated_elsewhere() -> None:
    client = FakeClient(one=FateUnknown(), two=OK)

    with pytest.raises(FateUnknown):
        await link(client, ONE, TWO, finds=[ONE, TWO]).call("POST", "/x", Answer)

    assert client.asked == [ONE]


async def test_when_all_are_away_others_are_looked_for() -> None:
    client = FakeClient(three=OK)

    assert await ask(link(client, ONE, finds=[THREE])) == OK

    assert client.asked == [ONE, THREE]


async def test_with_a_choice_the_quickest_is_asked_first() -> None:
    client = FakeClient(one=OK, two=OK)

    await ask(link(client, ONE, TWO, finds=[TWO, ONE]))

    assert client.asked == [TWO]


async def test_nobody_anywhere_is_said_so() -> None:
    with pytest.raises(ManagerAway):
        await ask(link(FakeClient(), ONE))


class Listener:
    def __init__(self, stop: Callable[[], None] | None = None) -> None:
        self.heard: list[str] = []
        self._stop = stop

    async def on_connected(self) -> None:
        self.heard.append("connected")

    async def on_disconnected(self) -> None:
        self.heard.append("disconnected")

    async def on_managers(self) -> None:
        self.heard.append("managers")

    async def on_sites(self) -> None:
        self.heard.append("sites")

    async def on_user(self, event: UserChanged) -> None:
        self.heard.append(event.user.username)

    async def on_user_deleted(self, user_id: str) -> None:
        self.heard.append(f"deleted: {user_id}")

    async def on_revoked(self, event: Revoked) -> None:
        self.heard.append(f"revoked: {event.cursor}")

    async def on_session_ended(self, reason: str, at: str) -> None:
        self.heard.append(f"ended: {reason} {at}".strip())


async def follow(client: FakeClient, *urls: str) -> Listener:
    listener = Listener()
    async with asyncio.timeout(5):
        await link(client, *urls, finds=list(urls)).follow("token", 10, listener)
    return listener


async def test_the_stream_ends_for_good_when_the_session_does() -> None:
    listener = await follow(FakeClient(one=FakeStream(SessionEnded("logged_in_elsewhere"))), ONE)

    assert listener.heard == ["connected", "disconnected", "ended: logged_in_elsewhere"]


async def test_when_the_session_ended_is_told_too() -> None:
    listener = await follow(FakeClient(one=FakeStream(SessionEnded("removed", "2026-01-01"))), ONE)

    assert listener.heard[-1] == "ended: removed 2026-01-01"


async def test_revoked_keys_and_deleted_accounts_are_heard_but_not_who_is_merely_unknown() -> None:
    said = [Revoked([], "d:7"), UserGone("u1"), UserGone("u2", deleted=True), SessionEnded("logged_out")]

    listener = await follow(FakeClient(one=FakeStream(*said)), ONE)

    assert listener.heard[1:3] == ["revoked: d:7", "deleted: u2"]


async def test_why_a_session_ended_can_be_asked() -> None:
    ended = SessionEnded("ended_elsewhere", "2026-01-01")

    assert await link(FakeClient(one=FakeStream(ended)), ONE).why_ended("token") == ended
    assert await link(FakeClient(one=NotLoggedIn()), ONE).why_ended("token") is None
    assert await link(FakeClient(one=FakeStream(HeartbeatReceived())), ONE).why_ended("token") is None
    assert await link(FakeClient(), ONE).why_ended("token") is None


async def test_a_stream_that_is_refused_means_that_the_session_is_over() -> None:
    listener = await follow(FakeClient(one=NotLoggedIn()), ONE)

    assert listener.heard == ["ended: ended"]


async def test_a_stream_that_breaks_is_opened_again() -> None:
    class Breaking(FakeClient):
        async def open_stream(self, url: str, _: str) -> Any:
            self.asked.append(url)
            return FakeStream() if len(self.asked) < 3 else FakeStream(SessionEnded("logged_out"))

    listener = await follow(Breaking(), ONE)

    assert listener.heard.count("connected") == 3
    assert listener.heard[-1] == "ended: logged_out"


async def test_the_stream_moves_to_the_next_manager() -> None:
    client = FakeClient(two=FakeStream(SessionEnded("removed")))

    listener = await follow(client, ONE, TWO)

    assert listener.heard[-1] == "ended: removed"
    assert client.asked == [TWO]  # the other has not even shown that it lives


class LivingStream(FakeStream):
    """One that stays open until it is closed, or until it hears that the node leaves and is not hung."""

    def __init__(self, *, hung: bool = False) -> None:
        super().__init__()
        self.open, self.over = asyncio.Event(), asyncio.Event()
        self.hung = hung

    async def send_str(self, text: str) -> None:
        await super().send_str(text)
        if "leaving" in text and not self.hung:
            self.over.set()

    async def close(self) -> None:
        await super().close()
        self.over.set()

    async def __anext__(self) -> aiohttp.WSMessage:
        self.open.set()
        await self.over.wait()
        raise StopAsyncIteration


class Several(FakeClient):
    """A manager that opens these streams one after the other."""

    def __init__(self, *streams: LivingStream) -> None:
        super().__init__()
        self.streams = list(streams)

    async def open_stream(self, url: str, _: str) -> Any:
        self.asked.append(url)
        return self.streams[len(self.asked) - 1]


def patient(client: FakeClient) -> ManagerLink:
    """A tie that would wait for ever before a second attempt."""
    return ManagerLink(client, nobody, choice(ONE, rest=3600), Random(1))  # type: ignore[arg-type]


async def nobody() -> list[str]:
    raise NoManagerFound


async def test_a_node_that_leaves_says_so_and_waits_until_it_is_noted() -> None:
    stream = LivingStream()
    one = patient(Several(stream))
    following = asyncio.create_task(one.follow("token", 10, Listener()))
    await stream.open.wait()

    assert await one.leave()

    assert stream.said == ['{"type":"leaving"}']
    await asyncio.wait_for(following, 5)  # and it is not opened again


async def test_a_manager_that_hangs_does_not_keep_a_node_from_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager_link, "_LEAVE_WITHIN", 0.01)
    stream = LivingStream(hung=True)
    one = patient(Several(stream))
    following = asyncio.create_task(one.follow("token", 10, Listener()))
    await stream.open.wait()

    assert not await one.leave()

    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert stream.closed


async def test_without_a_stream_there_is_nobody_to_take_leave_of() -> None:
    assert not await link(FakeClient(), ONE).leave()


async def test_a_stream_that_is_to_be_reopened_is_at_once() -> None:
    first, second = LivingStream(hung=True), LivingStream(hung=True)
    one, listener = patient(Several(first, second)), Listener()
    following = asyncio.create_task(one.follow("token", 10, listener))
    await first.open.wait()

    one.reopen()

    async with asyncio.timeout(5):
        await second.open.wait()
    assert listener.heard == ["connected", "disconnected", "connected"]
    assert first.closed
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_an_attempt_that_hangs_is_given_up_for_a_new_one() -> None:
    reached, second = asyncio.Event(), LivingStream(hung=True)

    class Hanging(Several):
        async def open_stream(self, url: str, token: str) -> Any:
            if not reached.is_set():
                reached.set()
                await asyncio.Event().wait()
            return await super().open_stream(url, token)

    one = patient(Hanging(second))
    following = asyncio.create_task(one.follow("token", 10, Listener()))
    await reached.wait()

    one.reopen()

    async with asyncio.timeout(5):
        await second.open.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
