"""uvicorn inside our own event loop: our sockets, our TLS, no signal handlers."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from telegraph.protocol.manager_events import MAX_EVENT_BYTES

_GRACE: Final = 1
"""Seconds that requests under way get at the end; idle TLS connections use them up if their other end is silent."""

_PING_EVERY: Final = 5.0


REQUEST_WITHIN: Final = 20.0
"""Seconds in which a request must have arrived whole, from the connection's beginning or the answer before it."""


class _Punctual(H11Protocol):
    """uvicorn's HTTP/1.1, which alone would wait for ever: whoever says nothing would hold a file descriptor each."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._expect_request()
        super().on_response_complete()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._expect_nothing()  # an event stream has pings of its own
        super().handle_websocket_upgrade(event)

    def _expect_request(self) -> None:
        self._expect_nothing()
        self._deadline = self.loop.call_later(REQUEST_WITHIN, self._too_late)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):  # else it is our answer that takes so long
            self.transport.abort()


class Server(uvicorn.Server):
    """Serves one application on one socket."""

    def __init__(self, application: Any, context: ssl.SSLContext | None) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=_Punctual,
                ws="websockets-sansio",
                ws_max_size=MAX_EVENT_BYTES,
                ws_per_message_deflate=False,
                ws_ping_interval=_PING_EVERY,
                ws_ping_timeout=_PING_EVERY,
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
