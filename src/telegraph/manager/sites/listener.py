"""Where other sites' managers call: mutual TLS 1.3 on a port of its own, for managers only.

A stranger does not get past the handshake. A user's certificate is of the same CA, so it does; but its role is looked
at before anything else of a request, and whoever is no manager is refused.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

import structlog
from aiohttp import web

from telegraph.errors import MalformedBody, TelegraphError, TooMany, UnknownPath, WrongRole
from telegraph.peer.bodies import caller_of, read_body
from telegraph.peer.credentials import Credentials, renew, server_context
from telegraph.protocol.identity import Holder
from telegraph.protocol.sites import Batch, Refusal, encode, frame
from telegraph.tracing import code_path

log = structlog.get_logger(__name__)

MAX_BODY: Final = 256 * 1024
MOST_STREAMS: Final = 4
"""Of one manager at a time; it needs one, and two for a moment when it begins anew."""

_HANDSHAKE_TIMEOUT: Final = 3.0
_BODY_TIMEOUT: Final = 5.0
_WRITE_TIMEOUT: Final = 30.0
"""Seconds that a reader may take for a frame, as it may be applying much; then it has to begin anew."""

_ENDED_WITHIN: Final = 1.0

_quiet = logging.getLogger("telegraph.manager.sites.http")
_quiet.disabled = True  # aiohttp would log what others send


class Asked:
    """One request of another site's manager: whose, with which parameters and body."""

    def __init__(self, remote: Holder, query: Mapping[str, str], body: bytes) -> None:
        self.remote, self.query, self.body = remote, query, body

    def number(self, name: str) -> int:
        """A parameter that is a number, not below 0.

        Raises:
            MalformedBody: it is none.
        """
        text = self.query.get(name, "")
        if not (text.isascii() and text.isdecimal() and len(text) < 20):  # noqa: PLR2004 - 64 bits
            raise MalformedBody(detail=f"{name} is no number")
        return int(text)


Call = Callable[[Asked], Awaitable[object]]
"""Answers with what is sent as msgpack."""

Streaming = Callable[[Asked], AsyncIterator[Batch]]
"""Answers with a row of frames."""


class Listener:
    """Serves what it is given, by ``METHOD /path``."""

    def __init__(self, credentials: Credentials, calls: Mapping[str, Call], streams: Mapping[str, Streaming]) -> None:
        """Nothing is served yet."""
        self._context = server_context(credentials)
        self._calls, self._streams = calls, streams
        self._open: dict[str, int] = {}
        self._http: web.Server | None = None
        self._server: asyncio.Server | None = None

    async def start(self, sock: socket.socket) -> None:
        """Serves on a bound socket, which belongs to it from now on."""
        self._http = web.Server(self._handle, access_log=None, logger=_quiet, auto_decompress=False)
        self._server = await asyncio.get_running_loop().create_server(
            self._http,
            sock=sock,
            ssl=self._context,
            ssl_handshake_timeout=_HANDSHAKE_TIMEOUT,
            ssl_shutdown_timeout=_ENDED_WITHIN,
        )

    def replace_credentials(self, credentials: Credentials) -> None:
        """Shows another certificate from the next connection on."""
        renew(self._context, credentials)

    async def close(self) -> None:
        """Ends all streams, and serves nothing more."""
        if self._server is not None:
            self._server.close()
        if self._http is not None:
            await self._http.shutdown(_ENDED_WITHIN)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except TelegraphError as error:
            return _refused(error)
        except Exception as error:  # noqa: BLE001 - the listener goes on, whatever it was
            kind, at = type(error).__name__, code_path(error)
            log.error("exchange_call_failed", path=request.path, kind=kind, at=at)  # noqa: TRY400 - no values in logs
            return _refused(TelegraphError())

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        remote = _manager(request)
        name = f"{request.method} {request.path}"
        if name in self._streams:
            return await self._stream(request, remote, self._streams[name])
        if name not in self._calls:
            raise UnknownPath
        answer = await self._calls[name](
            Asked(remote, request.query, await read_body(request, MAX_BODY, _BODY_TIMEOUT))
        )
        return web.Response(body=encode(answer), content_type="application/msgpack")

    async def _stream(self, request: web.BaseRequest, remote: Holder, of: Streaming) -> web.StreamResponse:
        if self._open.get(remote.id, 0) >= MOST_STREAMS:
            raise TooMany
        self._open[remote.id] = self._open.get(remote.id, 0) + 1
        batches = of(Asked(remote, request.query, b""))
        try:
            first = await anext(batches, None)  # what fails at once is answered as an error
            response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
            await response.prepare(request)
            if first is not None:
                await response.write(frame(first))
            async for batch in batches:
                async with asyncio.timeout(_WRITE_TIMEOUT):
                    await response.write(frame(batch))
            await response.write_eof()
        except (ConnectionError, TimeoutError):
            log.info("exchange_stream_lost", manager=remote.id)
        finally:
            await _closed(batches)
            self._open[remote.id] -= 1
            if not self._open[remote.id]:
                del self._open[remote.id]
        return response


def _manager(request: web.BaseRequest) -> Holder:
    """Whose certificate the caller showed.

    Raises:
        WrongRole: no manager's.
    """
    holder = caller_of(request)
    if holder.role != "manager":
        raise WrongRole
    return holder


def _refused(error: TelegraphError) -> web.Response:
    said = Refusal(error.code, str(error), error.retry_after)
    return web.Response(status=error.status, body=encode(said), content_type="application/msgpack")


async def _closed(batches: AsyncIterator[Batch]) -> None:
    close = getattr(batches, "aclose", None)
    if close is not None:
        await close()
