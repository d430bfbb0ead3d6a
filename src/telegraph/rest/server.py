"""An ASGI server inside a process that has other things to do: uvicorn on a socket that is bound already."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import uvicorn

_STOP_WITHIN = 2


class _Embedded(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the process that this server is a part of."""
        yield


class RestServer:
    """Serves an ASGI application until :meth:`close`.

    TLS 1.3 only, if a certificate is given. WebSockets by websockets' sans-I/O core, without compression
    (measured: -35 % CPU).
    """

    def __init__(self, app: Any, listener: socket.socket, *, certificate: tuple[str, str] | None = None) -> None:
        """``certificate`` is the paths of a PEM chain and its key."""
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            ws_max_size=1024 * 1024,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            ssl_certfile=certificate[0] if certificate else None,
            ssl_keyfile=certificate[1] if certificate else None,
            timeout_graceful_shutdown=_STOP_WITHIN,
        )
        config.load()
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
        self._server = _Embedded(config)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once connections are accepted."""
        self._listener.listen(1024)  # the kernel takes connections from here on
        self._task = asyncio.create_task(self._server.serve([self._listener]), name="rest-server")

    async def close(self) -> None:
        """Stops accepting, gives requests under way a moment, closes every connection."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task
            self._task = None
