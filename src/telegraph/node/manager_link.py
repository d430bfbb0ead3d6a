"""This node's tie to the managers: the event stream that is kept open, to one that can do its work."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from random import Random
from typing import Protocol

import aiohttp
import msgspec
import structlog

from telegraph.errors import NotLoggedIn, TelegraphError, Unavailable
from telegraph.node.manager_asking import PATIENCE, Asking, Find
from telegraph.node.manager_choice import ManagerChoice, pause_after_break
from telegraph.node.manager_client import ManagerClient
from telegraph.node.pulse import Pulse
from telegraph.node.racing import first_answer
from telegraph.protocol.manager_events import (
    SILENCE,
    FromManager,
    Heartbeat,
    Leaving,
    Managers,
    Revocations,
    Revoked,
    SessionEnded,
    UserChanged,
    UserGone,
    Watch,
    decode_from_manager,
    encode_event,
)

log = structlog.get_logger(__name__)

_WATCH_AT_ONCE = 1000
_LEAVE_WITHIN = 1.0
_ANSWERED_WITHIN = 2.0
_BETTER_WITHIN = 3.0
_LOOK_FOR_BETTER = 2.0
"""Seconds at most between two looks for a manager that can do its work, while the one in use cannot."""


class Listener(Protocol):
    """What the rest of the node wants to hear from the tie to the managers."""

    async def on_connected(self) -> None:
        """The stream is open; nothing has been watched on it yet."""
        ...

    async def on_disconnected(self) -> None:
        """The stream broke."""
        ...

    async def on_managers(self) -> None:
        """Other managers are known than before."""
        ...

    async def on_sites(self) -> None:
        """Another site came, went, or is heard again; or this node is at another one now."""
        ...

    async def on_user(self, event: UserChanged) -> None:
        """A watched user's state."""
        ...

    async def on_user_deleted(self, user_id: str) -> None:
        """A watched user's account was deleted for good."""
        ...

    async def on_revoked(self, event: Revoked) -> None:
        """Device keys that must not be spoken with."""
        ...

    async def on_session_ended(self, reason: str, at: str) -> None:
        """The session is over for good, since ``at`` (RFC 3339, empty if not known)."""
        ...


class ManagerLink:
    """Calls go to the manager in use, and on to the others if it does not answer (:class:`Asking`).

    :meth:`follow` keeps one event stream open; heartbeats go over it. It is moved to another manager when it breaks,
    when nothing is heard on it, and when its manager says that it cannot do its work while another can. From another
    site it comes home as soon as its own is heard there again.

    Attributes:
        home: the site that this node belongs to: that of its log-in.
        around: what the managers told last, of themselves and of other sites.
    """

    def __init__(self, client: ManagerClient, find: Find, choice: ManagerChoice, rng: Random, home: str = "") -> None:
        self._client = client
        self._choice = choice
        self._rng = rng
        self.home = home
        self.around = Managers([])
        self._asking = Asking(client, find, choice)
        self.call = self._asking.call
        self._stream: aiohttp.ClientWebSocketResponse | None = None
        self._url = ""
        self._spread = 0.0
        self._pulse = Pulse(float("-inf"), SILENCE)
        self._nudge = asyncio.Event()
        self._anew = asyncio.Event()
        self._not_ready = asyncio.Event()
        self._leaving = False
        self._busy = False
        self._greeted = asyncio.Event()
        self._gone = asyncio.Event()

    @property
    def urls(self) -> list[str]:
        """The managers known, the current one first."""
        return self._choice.urls

    @property
    def given(self) -> tuple[str, ...]:
        """Those that the user named."""
        return self._choice.given

    @property
    def connected(self) -> bool:
        """Whether the event stream is open."""
        return self._stream is not None and not self._stream.closed

    def learn(self, urls: Iterable[str]) -> bool:
        """Takes in which managers there are, as the one in use tells: whether that is news."""
        return self._choice.told(urls, by=self._url or next(iter(self._choice.urls), ""))

    # --- the event stream ---

    def hurry(self) -> None:
        """Try to connect now instead of waiting."""
        self._choice.hurry()
        self._nudge.set()

    @property
    def local_host(self) -> str | None:
        """The IP address from which the open event stream goes out; None without one."""
        name = self._stream.get_extra_info("sockname") if self._stream is not None else None
        return str(name[0]) if name else None

    def reopen(self) -> None:
        """The way to the managers may be another one by now: the stream is opened anew, at once."""
        self.hurry()
        self._anew.set()

    async def leave(self) -> bool:
        """Tells the manager that this node stops, and waits for its word. False if it gives none within a second.

        The stream is not opened again.
        """
        self._leaving = True
        try:
            async with asyncio.timeout(_LEAVE_WITHIN):  # it may hang
                if self.connected:
                    await self._greeted.wait()  # what is still asked of it would be a sign of life
                if not await self._say(Leaving()):
                    return False
                await self._gone.wait()
        except TimeoutError:
            log.info("left_without_answer")
            return False
        return True

    async def follow(self, token: str, interval: float, listener: Listener) -> None:
        """Keeps the event stream open until the session ends or this is cancelled."""
        while not self._leaving:
            self._nudge.clear()
            self._anew.clear()
            try:
                await _unless(self._anew, self._one_stream(token, interval, listener))
                pause = pause_after_break(self._rng, self._spread)
            except NotLoggedIn:
                await listener.on_session_ended("ended", "")
                return
            except _Ended as ended:
                await listener.on_session_ended(ended.reason, ended.at)
                return
            except Unavailable:
                await self._asking.rediscover()
                pause = 0.0
            await self._rest(max(pause, self._choice.wait(_now())))

    async def _rest(self, seconds: float) -> None:
        if self._leaving:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._nudge.wait()

    async def _one_stream(self, token: str, interval: float, listener: Listener) -> None:
        stream = await self._open(token, self._choice.ready)
        self._pulse = Pulse(_now(), SILENCE)
        self._stream = stream
        self._asking.settled = True
        self._gone.clear()
        self._greeted.clear()
        self._not_ready.clear()
        self._busy = False
        work = [self._beat(stream, interval), self._watch_pulse(stream), self._look_for_better()]
        beside = [asyncio.create_task(one) for one in work]
        try:
            await listener.on_connected()
            self._greeted.set()
            await _until_first(self._read(stream, listener), beside[1:])
            self._choice.failed(self._url, _now())
        finally:
            self._stream = None
            self._asking.settled = False
            self._gone.set()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await stream.close()
            await listener.on_disconnected()

    async def _read(self, stream: aiohttp.ClientWebSocketResponse, listener: Listener) -> None:
        async for message in stream:
            self._pulse.heard(_now())
            self._choice.answered(self._url, _now())
            if message.type is aiohttp.WSMsgType.TEXT:
                self._busy = True
                await self._hear(message.data, listener)
                self._busy = False
            elif message.type is aiohttp.WSMsgType.PING:
                await stream.pong(message.data)

    async def _watch_pulse(self, stream: aiohttp.ClientWebSocketResponse) -> None:
        """Returns when the stream is dead. While nobody reads it, for it is greeted or heard, it is not judged."""
        await self._greeted.wait()
        self._pulse.heard(_now())
        while True:
            if self._busy:
                self._pulse.heard(_now())
            look = self._pulse.look(_now())
            if look.verdict == "dead":
                log.info("manager_silent", url=self._url)
                return
            if look.verdict == "ping":
                with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                    await stream.ping()
            await asyncio.sleep(look.again)

    async def _look_for_better(self) -> None:
        """Returns when the manager in use cannot do its work, and another can, which is preferred from then on."""
        while True:
            await self._not_ready.wait()
            await asyncio.sleep(self._rng.uniform(0.0, max(_LOOK_FOR_BETTER, self._spread)))
            others = self._better_ones()
            if not others or not self._not_ready.is_set():
                continue
            with contextlib.suppress(TelegraphError):
                better, _ = await first_answer(
                    others, self._client.ready, self._away, patience=PATIENCE, within=_BETTER_WITHIN
                )
                self._choice.answered(better, _now())
                self._choice.prefer(better)
                self._nudge.set()
                return

    def _better_ones(self) -> list[str]:
        """Who to ask instead: those of the home site, if it is heard again; else all others."""
        home = home_again(self.around, self.home) if self.around.ready else None
        return [url for url in (home or self._choice.order(_now())) if url != self._url]

    def _away(self, url: str, problem: Unavailable) -> None:
        log.info("manager_away", url=url, call="/events", code=problem.code)
        self._choice.failed(url, _now())

    async def _open(self, token: str, which: Callable[[float], list[str]]) -> aiohttp.ClientWebSocketResponse:
        """A stream to the first of these managers, chosen once it is settled which there are, that can do its work.

        Raises:
            Unavailable: there is none.
            NotLoggedIn: the session has ended.
        """
        await self._asking.settle()
        reason: Unavailable = Unavailable()
        for url in await self._asking.ready_first(which(_now())):
            try:
                stream = await self._client.open_stream(url, token)
            except Unavailable as problem:
                self._away(url, problem)
                reason = problem
                continue
            self._url = url
            self._choice.answered(url, _now())
            self._choice.prefer(url)
            return stream
        raise reason

    async def _hear(self, text: str, listener: Listener) -> None:
        try:
            event: FromManager = decode_from_manager(text)
        except msgspec.DecodeError:  # of a newer manager; what we do not know we do not need
            log.info("unknown_manager_event")
            return
        match event:
            case UserChanged():
                await listener.on_user(event)
            case SessionEnded():
                raise _Ended(event.reason, event.at)
            case Revoked():
                await listener.on_revoked(event)
            case UserGone(user_id, deleted=True):
                await listener.on_user_deleted(user_id)
            case Managers():
                await self._told(event, listener)
            case _:
                pass

    async def _told(self, event: Managers, listener: Listener) -> None:
        self._spread, self._pulse.silence = event.spread, event.silence
        before, self.around = self.around, event
        if event.ready and not home_again(event, self.home):
            self._not_ready.clear()
        else:
            self._not_ready.set()
        far = [url for site in event.sites for url in site.urls]
        if self._choice.told(event.urls, by=self._url, far=far):
            await listener.on_managers()
        if (before.site, before.sites) != (event.site, event.sites):
            await listener.on_sites()

    async def _beat(self, stream: aiohttp.ClientWebSocketResponse, interval: float) -> None:
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            while not stream.closed:
                await asyncio.sleep(interval)
                await stream.send_str(encode_event(Heartbeat()).decode())

    async def beat_now(self) -> bool:
        """Sends a heartbeat over the stream at once; False if none is open."""
        return await self._say(Heartbeat())

    async def watch(self, user_ids: Iterable[str]) -> None:
        """Wants to hear of these users; does nothing without a stream (each new one watches everybody again)."""
        ids = list(user_ids)
        for start in range(0, len(ids), _WATCH_AT_ONCE):
            await self._say(Watch(ids[start : start + _WATCH_AT_ONCE]))

    async def ask_revocations(self, after: str) -> None:
        """Wants to hear of revoked keys: those after a cursor, and every new one."""
        await self._say(Revocations(after))

    async def why_ended(self, token: str) -> SessionEnded | None:
        """What the managers say of why a session ended, None if they do not."""
        try:
            stream = await self._open(token, self._choice.order)
        except (TelegraphError, TimeoutError):
            return None
        try:
            async with asyncio.timeout(_ANSWERED_WITHIN):
                message = await stream.receive()
            event = decode_from_manager(message.data) if message.type is aiohttp.WSMsgType.TEXT else None
        except (TimeoutError, msgspec.DecodeError):
            return None
        finally:
            await stream.close()
        return event if isinstance(event, SessionEnded) else None

    async def _say(self, event: object) -> bool:
        stream = self._stream
        if stream is None or stream.closed:
            return False
        try:
            await stream.send_str(encode_event(event).decode())
        except (ConnectionError, aiohttp.ClientError):
            return False
        return True


def home_again(told: Managers, home: str) -> list[str]:
    """The managers of the site that a node belongs to, if it is at another one and its own is heard there again."""
    if not home or home == told.site:
        return []
    return next((site.urls for site in told.sites if site.name == home and site.up), [])


async def _unless(event: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Does the work, but gives it up once the event is set."""
    waiting = asyncio.create_task(_come(event))
    try:
        await _until_first(work, [waiting])
    finally:
        waiting.cancel()


async def _come(event: asyncio.Event) -> None:
    await event.wait()


async def _until_first(work: Coroutine[None, None, None], others: "list[asyncio.Task[None]]") -> None:
    """Does the work, but gives it up once one of the others is done."""
    working = asyncio.create_task(work)
    try:
        await asyncio.wait((working, *others), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


class _Ended(Exception):
    def __init__(self, reason: str, at: str) -> None:
        self.reason = reason
        self.at = at
        super().__init__(reason)


def _now() -> float:
    return asyncio.get_running_loop().time()
