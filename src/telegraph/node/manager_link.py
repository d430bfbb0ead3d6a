"""This node's tie to the managers: which of them to ask, failing over, and the event stream that is kept open."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
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
    SessionEnded,
    UserChanged,
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

    async def on_session_ended(self, reason: str) -> None:
        """The session is over for good."""
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
                    log.info("manager_away", url=url, path=path.split("?", maxsplit=1)[0], code=away.code)
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

    async def follow(self, token: str, interval: float, listener: Listener) -> None:
        """Keeps the event stream open until the session ends or this is cancelled."""
        while True:
            self._nudge.clear()
            try:
                await self._one_stream(token, interval, listener)
            except NotLoggedIn:
                await listener.on_session_ended("ended")
                return
            except _Ended as ended:
                await listener.on_session_ended(ended.reason)
                return
            except Unavailable:
                await self._rediscover()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.next()):
                    await self._nudge.wait()

    async def _one_stream(self, token: str, interval: float, listener: Listener) -> None:
        stream = await self._open(token)
        self._stream = stream
        beat = asyncio.create_task(self._beat(stream, interval))
        try:
            await listener.on_connected()
            self._backoff.reset()
            async for message in stream:
                if message.type is aiohttp.WSMsgType.TEXT:
                    await self._hear(message.data, listener)
        finally:
            self._stream = None
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
                raise _Ended(event.reason)
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

    async def _say(self, event: object) -> bool:
        stream = self._stream
        if stream is None or stream.closed:
            return False
        try:
            await stream.send_str(encode_event(event).decode())
        except (ConnectionError, aiohttp.ClientError):
            return False
        return True


class _Ended(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
