"""A node whose managers die, freeze or lose their quorum, in virtual time: what moves where, and how long it takes."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, TypeVar

import aiohttp
import pytest

from telegraph.errors import FateUnknown, ManagerAway, NoManagerFound, NoQuorum, Unavailable
from telegraph.node.manager_choice import ManagerChoice
from telegraph.node.manager_link import ManagerLink
from telegraph.protocol.manager_api import Answer
from telegraph.protocol.manager_events import Managers, Revoked, SiteState, UserChanged, encode_event
from telegraph.testing.virtual_time import run

T = TypeVar("T")

ONE, TWO, THREE = "https://one:8000", "https://two:8000", "https://three:8000"
ALL = (ONE, TWO, THREE)


class Stream:
    """A node's end of an event stream; its manager answers pings as long as it lives."""

    def __init__(self, manager: "FakeManager") -> None:
        self._manager = manager
        self._coming: asyncio.Queue[aiohttp.WSMessage | None] = asyncio.Queue()
        self.closed = False
        self.pongs = 0

    def tell(self, event: object) -> None:
        self._put(aiohttp.WSMsgType.TEXT, encode_event(event).decode())

    def _put(self, kind: aiohttp.WSMsgType, data: Any) -> None:
        if not self._manager.frozen:
            self._coming.put_nowait(aiohttp.WSMessage(kind, data, None))

    def ask_for_a_sign(self) -> None:
        self._put(aiohttp.WSMsgType.PING, b"")

    def break_off(self) -> None:
        self._coming.put_nowait(None)

    async def ping(self) -> None:
        self._manager.pings.append(_now())
        self._put(aiohttp.WSMsgType.PONG, b"")

    async def pong(self, _: bytes) -> None:
        self.pongs += 1

    async def send_str(self, _: str) -> None:
        pass

    async def close(self) -> None:
        self.closed = True

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> aiohttp.WSMessage:
        message = await self._coming.get()
        if message is None:
            raise StopAsyncIteration
        return message


class FakeManager:
    """One manager: it serves unless it is dead, frozen or without a quorum."""

    def __init__(self) -> None:
        self.dead = self.frozen = self.closed = False
        self.unsure = False
        self.done: list[tuple[str, str]] = []
        self.streams: list[Stream] = []
        self.pings: list[float] = []

    def die(self) -> None:
        self.dead = True
        for stream in self.streams:
            stream.break_off()

    async def at_hand(self) -> None:
        if self.dead:
            raise ManagerAway
        if self.frozen:
            await asyncio.Event().wait()


class Site:
    """Three managers, as the client sees them."""

    def __init__(self) -> None:
        self.managers = {url: FakeManager() for url in ALL}

    def __getitem__(self, url: str) -> FakeManager:
        return self.managers[url]

    async def call(self, url: str, method: str, path: str, *_: object, **__: object) -> Answer:
        manager = self.managers[url]
        await manager.at_hand()
        if manager.closed:
            await asyncio.sleep(1.5)
            raise NoQuorum
        manager.done.append((method, path))
        if manager.unsure:
            raise FateUnknown
        return Answer(url)

    async def ready(self, url: str) -> None:
        await self.managers[url].at_hand()
        if self.managers[url].closed:
            await asyncio.sleep(1.5)
            raise NoQuorum

    async def open_stream(self, url: str, _: str) -> Stream:
        await self.managers[url].at_hand()
        if self.managers[url].closed:
            raise NoQuorum
        stream = Stream(self.managers[url])
        self.managers[url].streams.append(stream)
        return stream


class Listener:
    """Notes where the node is attached."""

    def __init__(self) -> None:
        self.connected: list[float] = []
        self.up, self.again = asyncio.Event(), asyncio.Event()
        self.news = self.sites = 0

    async def on_connected(self) -> None:
        self.connected.append(_now())
        self.up.set()
        self.again.set()

    async def on_disconnected(self) -> None:
        self.up.clear()

    async def on_managers(self) -> None:
        self.news += 1

    async def on_sites(self) -> None:
        self.sites += 1

    async def on_user(self, event: UserChanged) -> None: ...

    async def on_user_deleted(self, user_id: str) -> None: ...

    async def on_revoked(self, event: Revoked) -> None: ...

    async def on_session_ended(self, reason: str, at: str) -> None: ...


class Node:
    """A node's tie to the site."""

    def __init__(self, site: Site, *urls: str) -> None:
        self.site = site
        self.choice = ManagerChoice(urls or ALL, (), Random(7))
        self.link = ManagerLink(site, self._find, self.choice, Random(7))  # type: ignore[arg-type]
        self.listener = Listener()

    async def _find(self) -> list[str]:
        alive = [url for url, manager in self.site.managers.items() if not manager.dead and not manager.frozen]
        if not alive or self.choice.urls == [ONE]:
            raise NoManagerFound
        return alive

    @property
    def attached(self) -> FakeManager:
        """The manager that the stream is open to."""
        return self.site[self.link.urls[0]]

    async def attach(self) -> "asyncio.Task[None]":
        following = asyncio.create_task(self.link.follow("token", 10, self.listener))
        await self.listener.up.wait()
        return following

    async def moved(self) -> float:
        """Waits for the next time that the stream opens: the seconds until then."""
        begun = _now()
        self.listener.again.clear()
        await self.listener.again.wait()
        return _now() - begun


def _now() -> float:
    return asyncio.get_running_loop().time()


def story(work: Callable[[Node], Awaitable[T]], *urls: str) -> T:
    async def told() -> T:
        node = Node(Site(), *urls)
        following = await node.attach()
        try:
            return await work(node)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    return run(told())


async def look_up(node: Node) -> float:
    begun = _now()
    await node.link.call("GET", "/users/bob", Answer)
    return _now() - begun


HARM = pytest.mark.parametrize("harm", ["die", "freeze"])


def _do(manager: FakeManager, harm: str) -> None:
    if harm == "die":
        manager.die()
    else:
        manager.frozen = True


@HARM
def test_look_ups_go_on_within_a_second_when_the_manager_in_use_is_gone(harm: str) -> None:
    async def work(node: Node) -> None:
        _do(node.attached, harm)
        for _ in range(20):
            assert await look_up(node) < 1
            await asyncio.sleep(0.3)

    story(work)


@HARM
def test_look_ups_go_on_within_a_second_when_two_of_three_are_gone(harm: str) -> None:
    async def work(node: Node) -> None:
        for url in node.link.urls[:2]:
            _do(node.site[url], harm)
        for _ in range(20):
            assert await look_up(node) < 1
            await asyncio.sleep(0.3)

    story(work)


def test_the_stream_of_a_manager_that_dies_moves_at_once() -> None:
    async def work(node: Node) -> float:
        before = node.attached
        before.die()
        seconds = await node.moved()
        assert node.attached is not before
        return seconds

    assert story(work) < 0.5


def test_the_stream_of_a_manager_that_freezes_moves_within_four_seconds() -> None:
    async def work(node: Node) -> float:
        before = node.attached
        before.frozen = True
        seconds = await node.moved()
        assert node.attached is not before
        assert before.streams[0].closed
        return seconds

    assert 2 < story(work) < 4


def test_a_quiet_manager_that_answers_pings_keeps_its_stream() -> None:
    async def work(node: Node) -> None:
        await asyncio.sleep(600)
        assert len(node.listener.connected) == 1
        assert len(node.attached.pings) >= 200
        node.attached.streams[0].ask_for_a_sign()
        await asyncio.sleep(0.1)
        assert node.attached.streams[0].pongs == 1

    story(work)


def test_a_manager_with_many_nodes_is_asked_for_signs_less_often() -> None:
    async def work(node: Node) -> None:
        node.attached.streams[0].tell(Managers(list(ALL), silence=9.0))
        await asyncio.sleep(60)
        assert len(node.attached.pings) <= 11

    story(work)


def test_a_node_without_any_manager_finds_back_within_the_longest_rest() -> None:
    async def work(node: Node) -> float:
        for manager in node.site.managers.values():
            manager.die()
        await asyncio.sleep(300)
        for manager in node.site.managers.values():
            manager.dead = False
        return await node.moved()

    assert story(work) <= 11


def test_it_moves_when_its_manager_has_no_quorum_and_another_has() -> None:
    async def work(node: Node) -> float:
        before = node.attached
        before.closed = True
        before.streams[0].tell(Managers(list(ALL), ready=False))
        seconds = await node.moved()
        assert node.attached is not before
        return seconds

    assert story(work) < 5


def test_it_stays_when_no_manager_has_a_quorum_and_goes_on_there_when_it_is_back() -> None:
    async def work(node: Node) -> None:
        for manager in node.site.managers.values():
            manager.closed = True
        stream = node.attached.streams[0]
        stream.tell(Managers(list(ALL), ready=False))
        await asyncio.sleep(60)
        assert node.link.connected
        stream.tell(Managers(list(ALL)))
        for manager in node.site.managers.values():
            manager.closed = False
        await asyncio.sleep(60)
        assert len(node.listener.connected) == 1
        assert not stream.closed

    story(work)


def test_the_managers_that_it_is_told_of_are_kept_and_used_when_the_one_that_it_knew_dies() -> None:
    async def work(node: Node) -> None:
        node.attached.streams[0].tell(Managers(list(ALL)))
        await asyncio.sleep(0.1)
        assert set(node.link.urls) == set(ALL)
        assert node.listener.news == 1
        node.site[ONE].die()
        await node.moved()
        assert node.link.urls[0] != ONE
        assert await look_up(node) < 1

    story(work, ONE)


# --- other sites: THREE is lima's, the others are oslo's ---


def oslo(*, lima_up: bool = True, ready: bool = True) -> Managers:
    return Managers([ONE, TWO], ready=ready, site="oslo", sites=[SiteState("lima", up=lima_up, urls=[THREE])])


def lima(*, oslo_up: bool) -> Managers:
    return Managers([THREE], site="lima", sites=[SiteState("oslo", up=oslo_up, urls=[ONE, TWO])])


async def _moves_to_lima(node: Node) -> Stream:
    node.link.home = "oslo"
    node.attached.streams[0].tell(oslo())
    await asyncio.sleep(0.1)
    for url in (ONE, TWO):
        node.site[url].closed = True
    node.attached.streams[0].tell(oslo(ready=False))
    assert await node.moved() < 6
    assert node.link.urls[0] == THREE
    stream = node.site[THREE].streams[0]
    stream.tell(lima(oslo_up=False))
    await asyncio.sleep(0.1)
    return stream


def test_without_a_quorum_at_home_it_moves_to_another_site_and_comes_home_when_that_is_heard_again() -> None:
    async def work(node: Node) -> None:
        stream = await _moves_to_lima(node)
        await asyncio.sleep(30)
        assert not stream.closed
        assert node.link.around.site == "lima"
        for url in (ONE, TWO):
            node.site[url].closed = False
        stream.tell(lima(oslo_up=True))
        assert await node.moved() < 5
        assert node.link.urls[0] in (ONE, TWO)

    story(work, ONE)


def test_it_stays_at_the_other_site_while_home_is_heard_but_cannot_do_its_work() -> None:
    async def work(node: Node) -> None:
        stream = await _moves_to_lima(node)
        stream.tell(lima(oslo_up=True))
        await asyncio.sleep(60)
        assert not stream.closed
        assert node.listener.sites == 3

    story(work, ONE)


def test_it_hears_of_a_cut_once() -> None:
    async def work(node: Node) -> None:
        node.link.home = "oslo"
        for told in (oslo(), oslo(), oslo(lima_up=False), oslo(lima_up=False, ready=False)):
            node.attached.streams[0].tell(told)
            await asyncio.sleep(0.1)
        assert node.listener.sites == 2

    story(work, ONE)


@pytest.mark.parametrize("repeatable", [False, True])
def test_a_deed_goes_to_a_manager_that_shows_that_it_lives(repeatable: bool) -> None:
    async def work(node: Node) -> None:
        await asyncio.sleep(2)  # the manager in use was heard a while ago
        node.attached.frozen = True
        begun = _now()
        await node.link.call("POST", "/login", Answer, repeatable=repeatable)
        assert _now() - begun < 1
        assert sum(len(manager.done) for manager in node.site.managers.values()) == 1

    story(work)


def test_a_deed_whose_fate_is_unknown_is_repeated_elsewhere_only_if_that_does_no_harm() -> None:
    async def work(node: Node) -> None:
        node.attached.unsure = True
        with pytest.raises(FateUnknown):
            await node.link.call("POST", "/password", Answer)
        assert sum(len(manager.done) for manager in node.site.managers.values()) == 1
        await node.link.call("POST", "/register", Answer, repeatable=True)
        assert sum(len(manager.done) for manager in node.site.managers.values()) == 2

    story(work)


def test_if_all_were_unsure_the_fate_is_unknown_though_others_were_away() -> None:
    async def work(node: Node) -> None:
        first, second, third = (node.site[url] for url in node.link.urls)
        first.unsure = second.unsure = True
        third.die()
        with pytest.raises(FateUnknown):
            await node.link.call("POST", "/register", Answer, repeatable=True)

    story(work)


def test_without_a_quorum_a_deed_is_refused_within_two_seconds_in_the_managers_words() -> None:
    async def work(node: Node) -> None:
        first, *others = (node.site[url] for url in node.link.urls)
        first.closed = True
        for other in others:
            other.die()
        await asyncio.sleep(2)
        begun = _now()
        with pytest.raises(NoQuorum):
            await node.link.call("POST", "/login", Answer, repeatable=True)
        assert _now() - begun < 2

    story(work)


def test_why_a_question_fails_is_said_too() -> None:
    async def work(node: Node) -> None:
        for manager in node.site.managers.values():
            manager.closed = True
        with pytest.raises(Unavailable) as refusal:
            await look_up(node)
        assert isinstance(refusal.value, NoQuorum)

    story(work)


def test_a_greeting_that_takes_long_is_no_silence() -> None:
    async def told() -> None:
        node = Node(Site())
        greeted = node.listener.on_connected

        async def slowly() -> None:
            await greeted()
            await asyncio.sleep(30)

        node.listener.on_connected = slowly  # type: ignore[method-assign]
        following = await node.attach()
        await asyncio.sleep(100)
        assert len(node.listener.connected) == 1
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    run(told())


def test_errors_of_the_better_one_are_no_reason_to_leave() -> None:
    async def work(node: Node) -> None:
        for url in node.link.urls[1:]:
            node.site[url].die()
        node.attached.streams[0].tell(Managers(list(ALL), ready=False))
        await asyncio.sleep(30)
        assert node.link.connected

    story(work)
