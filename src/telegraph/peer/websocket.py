"""A link over one WebSocket of aiohttp, whichever end opened it."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp import ClientWebSocketResponse, WSMsgType
from aiohttp.web import WebSocketResponse

from telegraph.peer.inbox import Inbox
from telegraph.peer.liveness import Liveness, bytes_moved
from telegraph.peer.port import LinkClosed
from telegraph.protocol.frames import MAX_FRAME_BYTES
from telegraph.protocol.identity import Holder

INBOX_BYTES = MAX_FRAME_BYTES
"""What waits here unreceived before this end stops reading."""

CLOSE_TIMEOUT = 1.0
"""Seconds that the other end has to answer a close."""

_STALLED = 10
"""How many times the allowed silence may pass without a byte moving while this end does not read."""

WebSocket = ClientWebSocketResponse[Any] | WebSocketResponse[Any]


class WebSocketLink:
    """Implements :class:`telegraph.peer.port.Link`.

    One task reads into a bounded inbox, another says something now and then and listens for silence. Its heartbeats
    are unsolicited pongs (RFC 6455, 5.5.3), which need no answer, so that they tell of life even when the other end
    is busy.
    """

    def __init__(
        self,
        websocket: WebSocket,
        remote: Holder,
        *,
        outgoing: bool,
        silence: float,
        abort: Callable[[], None],
        on_closed: Callable[["WebSocketLink"], None],
    ) -> None:
        """``abort`` cuts the connection; ``on_closed`` hears once that the link is gone."""
        self._websocket = websocket
        self._remote = remote
        self._outgoing = outgoing
        self._abort = abort
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox(INBOX_BYTES)
        self._beat = silence / 3
        self._liveness = Liveness(self._loop.time(), silence, silence * _STALLED)
        self._said = self._loop.time()
        self._asked: bytes | None = None
        self._ask = asyncio.Event()
        self._farewell: asyncio.Task[None] | None = None
        self._socket = websocket.get_extra_info("socket")
        self._tasks = (asyncio.create_task(self._read()), asyncio.create_task(self._keep()))

    @property
    def remote(self) -> Holder:
        """Whose certificate the other end showed."""
        return self._remote

    @property
    def outgoing(self) -> bool:
        """Whether this end dialled."""
        return self._outgoing

    @property
    def local_host(self) -> str | None:
        """See :attr:`telegraph.peer.port.Link.local_host`."""
        name = self._websocket.get_extra_info("sockname")
        return str(name[0]) if name else None

    async def send(self, data: bytes) -> None:
        """See :meth:`telegraph.peer.port.Link.send`."""
        if len(data) > MAX_FRAME_BYTES:
            raise ValueError(f"a link message has at most {MAX_FRAME_BYTES} bytes")
        if self._inbox.closed:
            raise LinkClosed
        self._said = self._loop.time()
        try:
            await self._websocket.send_bytes(data)
        except (aiohttp.ClientError, ConnectionError, RuntimeError) as problem:
            raise LinkClosed from problem
        if self._inbox.closed:  # it went while this waited for room
            raise LinkClosed

    async def receive(self) -> bytes:
        """See :meth:`telegraph.peer.port.Link.receive`."""
        return await self._inbox.get()

    def arrived(self) -> list[bytes]:
        """See :meth:`telegraph.peer.port.Link.arrived`."""
        return self._inbox.take_all()

    async def close(self) -> None:
        """See :meth:`telegraph.peer.port.Link.close`."""
        await asyncio.shield(self._end())

    def _end(self) -> asyncio.Task[None]:
        self._inbox.close()
        if self._farewell is None:
            self._farewell = asyncio.create_task(self._say_farewell())
        return self._farewell

    async def _say_farewell(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._websocket.close()
        except (TimeoutError, aiohttp.ClientError, ConnectionError, RuntimeError):
            self._abort()
        self._on_closed(self)

    # --- reading ---

    async def _read(self) -> None:
        with contextlib.suppress(LinkClosed):
            while await self._take(await self._websocket.receive()):
                self._liveness.heard(self._loop.time())
        self._end()

    async def _take(self, message: aiohttp.WSMessage) -> bool:
        """Handles one WebSocket message; False if there is to be none after it."""
        match message.type:
            case WSMsgType.BINARY:
                await self._inbox.put(message.data)
            case WSMsgType.PING:
                self._asked = message.data
                self._ask.set()
            case WSMsgType.PONG:
                pass
            case _:  # a close, an error, or text, which is not spoken here
                return False
        return True

    # --- life ---

    async def _keep(self) -> None:
        with contextlib.suppress(aiohttp.ClientError, ConnectionError, RuntimeError):
            while not self._is_dead():
                await self._speak()
        self._inbox.close()
        self._abort()

    def _is_dead(self) -> bool:
        return self._liveness.is_dead(self._loop.time(), bytes_moved(self._socket), reading=not self._inbox.full)

    async def _speak(self) -> None:
        """Waits for a ping to answer, a beat at most, and says that this end is alive if nothing else did.

        Only the latest ping is answered (RFC 6455, 5.5.3). Answering here, and not where it was read, keeps reading
        from ever waiting for the other end to read.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._beat):
                await self._ask.wait()
        answer, self._asked = self._asked, None
        self._ask.clear()
        now = self._loop.time()
        if answer is None and now - self._said < self._beat:
            return
        self._said = now
        with contextlib.suppress(TimeoutError):  # no room: the other end has enough to read
            async with asyncio.timeout(self._beat):
                await self._websocket.pong(answer or b"")
