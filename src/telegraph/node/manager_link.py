"""This node's tie to the managers: which of them to ask, failing over, and the event stream that is kept open."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Protocol, TypeVar

import aiohttp
import msgspec
import structlog

from telegraph.errors import FateUnknown, ManagerAway, NotLoggedIn, TelegraphError, Unavailable
from telegraph.node.backoff import Backoff
from telegraph.node.manager_client import ManagerClient
from telegraph.protocol.manager_events import (
    FromManager,
    Heartbeat,
    Leaving,
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

T = TypeVar("T")
Find = Callable[[], Awaitable[list[str]]]
"""Discovers managers: URLs, quickest first; raises NoManagerFound."""

_WATCH_AT_ONCE = 1000
_REDISCOVER_AFTER = 5.0
_LEAVE_WITHIN = 1.0
_ANSWERED_WITHIN = 2.0


class Listener(Protocol):
    """What the rest of the node wants to hear from the tie to the managers."""

    async def on_connected(self) -> None:
        """The stream is open; nothing has been watched on it yet."""
        ...

    async def on_disconnected(self) -> None:
        """The stream broke."""
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
    """Calls go to the current manager, and on to the next one if it does not answer.

    :meth:`follow` keeps one event stream open; heartbeats go over it.
    """

    def __init__(self, client: ManagerClient, find: Find, urls: Sequence[str], backoff: Backoff) -> None:
        self._client = client
        self._find = find
        self._urls = list(urls)
        self._backoff = backoff
        self._stream: aiohttp.ClientWebSocketResponse | None = None
        self._found_at = float("-inf")
        self._nudge = asyncio.Event()
        self._anew = asyncio.Event()
        self._leaving = False
        self._greeted = asyncio.Event()
        self._gone = asyncio.Event()

    @property
    def urls(self) -> list[str]:
        """The managers known, the current one first."""
        return list(self._urls)

    @property
    def connected(self) -> bool:
        """Whether the event stream is open."""
        return self._stream is not None and not self._stream.closed

    async def call(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        body: object = None,
        token: str | None = None,
        repeatable: bool = False,
    ) -> T:
        """Asks the managers one after the other until one answers; discovers again if none does.

        Raises:
            ManagerAway: none answers.
            FateUnknown: one may have done it, and it must not be repeated blindly.
            TelegraphError: what the manager answered.
        """
        await self._choose()
        for discovered in (False, True):
            if discovered and not await self._rediscover():
                break
            for url in list(self._urls):
                try:
                    result = await self._client.call(
                        url, method, path, answer, body=body, token=token, repeatable=repeatable
                    )
                except FateUnknown:
                    raise
                except Unavailable as away:
                    log.info("manager_away", url=url, call=_kind_of(path), code=away.code)
                    continue
                self._prefer(url)
                return result
        raise ManagerAway

    async def _choose(self) -> None:
        """Before the first call: with a choice of managers, or none known, find out which is the quickest."""
        if self._found_at == float("-inf") and len(self._urls) != 1:
            await self._rediscover()

    def _prefer(self, url: str) -> None:
        if self._urls and self._urls[0] != url and url in self._urls:
            self._urls.remove(url)
            self._urls.insert(0, url)

    async def _rediscover(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._found_at < _REDISCOVER_AFTER:
            return False
        self._found_at = now
        try:
            found = await self._find()
        except TelegraphError as error:
            log.info("no_manager_found", code=error.code)
            return False
        self._urls = found + [url for url in self._urls if url not in found]
        return bool(found)

    # --- the event stream ---

    def hurry(self) -> None:
        """Try to connect now instead of waiting."""
        self._nudge.set()

    @property
    def local_host(self) -> str | None:
        """The IP address from which the open event stream goes out; None without one."""
        name = self._stream.get_extra_info("sockname") if self._stream is not None else None
        return str(name[0]) if name else None

    def reopen(self) -> None:
        """The way to the managers may be another one by now: the stream is opened anew, at once."""
        self._nudge.set()
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
            except NotLoggedIn:
                await listener.on_session_ended("ended", "")
                return
            except _Ended as ended:
                await listener.on_session_ended(ended.reason, ended.at)
                return
            except Unavailable:
                await self._rediscover()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._nudge.wait()

    def _pause(self) -> float:
        return 0.0 if self._leaving else self._backoff.next()

    async def _one_stream(self, token: str, interval: float, listener: Listener) -> None:
        stream = await self._open(token)
        self._stream = stream
        self._gone.clear()
        self._greeted.clear()
        beat = asyncio.create_task(self._beat(stream, interval))
        try:
            await listener.on_connected()
            self._greeted.set()
            self._backoff.reset()
            async for message in stream:
                if message.type is aiohttp.WSMsgType.TEXT:
                    await self._hear(message.data, listener)
        finally:
            self._stream = None
            self._gone.set()
            beat.cancel()
            await stream.close()
            await listener.on_disconnected()

    async def _open(self, token: str) -> aiohttp.ClientWebSocketResponse:
        await self._choose()
        for url in list(self._urls):
            try:
                stream = await self._client.open_stream(url, token)
            except Unavailable:
                continue
            self._prefer(url)
            return stream
        raise ManagerAway

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
            case _:
                pass

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
            stream = await self._open(token)
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


async def _unless(event: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Does the work, but gives it up once the event is set."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(event.wait())
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)


class _Ended(Exception):
    def __init__(self, reason: str, at: str) -> None:
        self.reason = reason
        self.at = at
        super().__init__(reason)


def _kind_of(path: str) -> str:
    """The first part of a path: what follows may name somebody, and logs do not say with whom people talk."""
    return "/" + path.split("?", maxsplit=1)[0].split("/")[1]
