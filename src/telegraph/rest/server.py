"""uvicorn inside our own event loop: our sockets, our TLS, no signal handlers."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from telegraph.protocol.manager_events import MAX_EVENT_BYTES

_GRACE: Final = 1
"""Seconds that requests under way get at the end; idle TLS connections use them up if their other end is silent."""

PING_EVERY: Final = 5.0
"""Seconds between two pings on a WebSocket; whoever does not answer for as long again loses it."""

REQUEST_WITHIN: Final = 20.0
"""Seconds in which a request must have arrived whole, from the connection's beginning or the answer before it."""

MAX_HEAD_BYTES: Final = 64 * 1024
"""Of a request that has come so far without the end of its head, as h11 has it: more than that closes."""


class _Together:
    """Hands what a request's answer writes in one turn of the event loop to the transport as one piece.

    uvicorn writes head and body one by one, which over TLS makes two records and two calls of the kernel.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._pieces:
            self._loop.call_soon(self.flush)
        self._pieces.append(data)

    def flush(self) -> None:
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._transport.write(data)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


class _Punctual(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 on httptools, which alone would wait for ever and for any amount.

    Whoever says nothing would hold a file descriptor each, and whoever never ends a header line our memory.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._alarm: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._together = _Together(transport, self.loop)
        self._since = self.loop.time()
        self._ring_in(REQUEST_WITHIN)

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head += len(data)
        super().data_received(data)
        if self._head > MAX_HEAD_BYTES:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        self._head = 0
        super().on_headers_complete()
        if self.cycle is not None:  # a WebSocket has none
            self.cycle.transport = cast("asyncio.Transport", self._together)

    def on_body(self, body: bytes) -> None:
        self._head = 0  # what comes between two pieces of a body is a head too, of a chunk
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._head = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._together.flush()  # what was asked before was answered before
        super().send_400_response(msg)

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def handle_websocket_upgrade(self) -> None:
        self._expect_nothing()  # an event stream has pings of its own
        super().handle_websocket_upgrade()

    # --- one alarm at a time: a timer for each request would cost more than many requests do ---

    def _ring_in(self, seconds: float) -> None:
        self._alarm = self.loop.call_later(seconds, self._ring)

    def _expect_nothing(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        left = self._since + REQUEST_WITHIN - self.loop.time()
        if left > 0:
            self._ring_in(left)
        elif cycle is None or cycle.response_complete or cycle.more_body:
            self.transport.abort()
        else:
            self._ring_in(REQUEST_WITHIN)  # it is our answer that takes so long


class Server(uvicorn.Server):
    """Serves one application on one socket."""

    def __init__(self, application: Any, context: ssl.SSLContext | None, ping_every: float = PING_EVERY) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=_Punctual,
                ws="websockets-sansio",
                ws_max_size=MAX_EVENT_BYTES,
                ws_per_message_deflate=False,
                ws_ping_interval=ping_every,
                ws_ping_timeout=ping_every,
                lifespan="off",
                log_config=None,
                access_log=False,  # paths have names in them
                proxy_headers=False,  # else anybody on this machine could choose the address that is rate-limited
                server_header=False,
                timeout_graceful_shutdown=_GRACE,
                ssl_context_factory=None if context is None else lambda _config, _default: context,
            )
        )
        self._ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the business of whoever embeds the manager."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's, with word of it."""
        await super().startup(sockets)
        self._ready.set()

    async def ready(self, serving: "asyncio.Task[None]") -> None:
        """Waits until requests are answered; raises what kept the serving task from it."""
        waiting = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait((waiting, serving), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if serving.done():
            serving.result()

    async def start(self, listening: socket.socket) -> "asyncio.Task[None]":
        """Serves on a bound socket; returns once requests are answered, with the task that serves."""
        serving = asyncio.create_task(self.serve([listening]), name="rest-server")
        await self.ready(serving)
        return serving

    async def stop(self, serving: "asyncio.Task[None]") -> None:
        """Stops accepting, gives requests under way a moment, closes every connection."""
        self.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
