"""A node among others over mutual TLS 1.3: links are WebSockets at ``/link``, calls are POST requests.

A stranger without a certificate of the organisation's CA does not get past the handshake (DESIGN.md section 5).
"""

import asyncio
import logging
import socket
from collections import Counter

import structlog
from aiohttp import web

from telegraph.errors import (
    BadInput,
    TelegraphError,
    TooMany,
    UnsupportedMedia,
    WrongMethod,
    WrongRole,
)
from telegraph.peer.bodies import caller_of, read_body
from telegraph.peer.credentials import Credentials, client_context, renew, server_context
from telegraph.peer.dialler import LINK_PATH, MAX_MESSAGE, Dialler
from telegraph.peer.port import Call, Link, LinkClosed, OnCall, OnLink, Reply, Unreachable
from telegraph.peer.refusal import refusal
from telegraph.peer.websocket import CLOSE_TIMEOUT, WebSocketLink
from telegraph.protocol.addresses import Address
from telegraph.protocol.identity import Holder

__all__ = ["Credentials", "TlsEndpoint"]
from telegraph.tracing import code_path

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 1024 * 1024
MAX_LINKS_EACH = 8
"""Links from one device at a time; a node needs one, and two for a moment when it dials anew."""

SILENCE = 3.0
"""Seconds without a sign of life after which a link is dead."""

DIAL_TIMEOUT = 3.0
_HANDSHAKE_TIMEOUT = 3.0
_BODY_TIMEOUT = 10.0

_quiet = logging.getLogger("telegraph.peer.http")
_quiet.disabled = True  # aiohttp would log what others send


class TlsEndpoint:
    """Implements :class:`telegraph.peer.port.Endpoint`."""

    def __init__(
        self,
        sock: socket.socket,
        credentials: Credentials,
        *,
        silence: float = SILENCE,
        dial_timeout: float = DIAL_TIMEOUT,
    ) -> None:
        """Takes over a socket that is bound and not yet listening.

        Args:
            sock: closed by :meth:`close`.
            credentials: what this node shows and whom it trusts.
            silence: seconds without a sign of life after which a link is dead.
            dial_timeout: seconds for a dial, from name look-up to an open link.

        Raises:
            ssl.SSLError: the credentials are malformed or do not belong together.
        """
        self._sock = sock
        self._context = server_context(credentials)
        self._dialler = Dialler(client_context(credentials), dial_timeout)
        self._silence = silence
        self._links: set[WebSocketLink] = set()
        self._accepted: Counter[bytes] = Counter()
        self._server: asyncio.Server | None = None
        self._http: web.Server | None = None
        self._closed = False

    async def serve(self, on_link: OnLink, on_call: OnCall) -> None:
        """See :meth:`telegraph.peer.port.Endpoint.serve`."""
        self._on_link, self._on_call = on_link, on_call
        self._http = web.Server(
            self._handle, access_log=None, logger=_quiet, auto_decompress=False, lingering_time=CLOSE_TIMEOUT
        )
        self._server = await asyncio.get_running_loop().create_server(
            self._http,
            sock=self._sock,
            ssl=self._context,
            ssl_handshake_timeout=_HANDSHAKE_TIMEOUT,
            ssl_shutdown_timeout=CLOSE_TIMEOUT,
        )

    async def dial(self, address: Address, key: bytes) -> Link:
        """See :meth:`telegraph.peer.port.Endpoint.dial`."""
        websocket, remote = await self._dialler.dial(address, key)
        if self._closed:
            await websocket.close()
            raise Unreachable("this endpoint is closed")
        link = WebSocketLink(
            websocket,
            remote,
            outgoing=True,
            silence=self._silence,
            abort=websocket.transport.abort,
            on_closed=self._links.discard,
        )
        self._links.add(link)
        return link

    def replace_credentials(self, credentials: Credentials) -> None:
        """Shows another certificate from the next connection on; open links go on under the old one.

        Raises:
            ssl.SSLError: the credentials are malformed or do not belong together; nothing was changed.
        """
        dialling = client_context(credentials)
        renew(self._context, credentials)
        self._dialler.context = dialling

    async def close(self) -> None:
        """See :meth:`telegraph.peer.port.Endpoint.close`."""
        self._closed = True
        if self._server is not None:
            self._server.close()
        self._sock.close()
        await asyncio.gather(*(link.close() for link in list(self._links)))
        if self._http is not None:
            await self._http.shutdown(CLOSE_TIMEOUT)
        await self._dialler.close()

    # --- accepting ---

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        language = request.headers.get("Accept-Language", "")
        try:
            return await self._answer(request, language)
        except TelegraphError as error:
            return _response(refusal(error, language), error)
        except Exception as error:  # noqa: BLE001 - the server goes on, whatever it was
            kind, at = type(error).__name__, code_path(error)
            log.error("call_failed", path=request.path, kind=kind, at=at)  # noqa: TRY400 - no values in logs
            return _response(refusal(TelegraphError(), language))

    async def _answer(self, request: web.BaseRequest, language: str) -> web.StreamResponse:
        remote = caller_of(request)
        if request.method == "GET" and request.path == LINK_PATH:
            return await self._accept(request, remote)
        if request.method != "POST":
            raise WrongMethod
        call = Call(request.path, await _read_body(request), remote, language)
        return _response(await self._on_call(call))

    async def _accept(self, request: web.BaseRequest, remote: Holder) -> web.StreamResponse:
        """One link, from its opening to its end."""
        websocket = web.WebSocketResponse(
            timeout=CLOSE_TIMEOUT, compress=False, autoping=False, max_msg_size=MAX_MESSAGE
        )
        self._admit(request, remote, websocket)
        self._accepted[remote.key] += 1
        try:
            await websocket.prepare(request)
            assert request.transport is not None  # noqa: S101 - prepare() raises without one
            link = WebSocketLink(
                websocket,
                remote,
                outgoing=False,
                silence=self._silence,
                abort=request.transport.abort,
                on_closed=self._links.discard,
            )
            self._links.add(link)
            await self._use(link)
        except ConnectionError:
            log.info("link_lost_while_opening")
        finally:
            self._accepted[remote.key] -= 1
            self._accepted += Counter()  # forgets zeros
        return websocket

    def _admit(self, request: web.BaseRequest, remote: Holder, websocket: web.WebSocketResponse) -> None:
        """Raises what forbids a link."""
        if remote.role != "user":
            raise WrongRole
        if not websocket.can_prepare(request):
            raise BadInput(detail=f"{LINK_PATH} takes WebSocket connections only")
        if self._closed or self._accepted[remote.key] >= MAX_LINKS_EACH:
            raise TooMany

    async def _use(self, link: WebSocketLink) -> None:
        try:
            await self._on_link(link)
        except LinkClosed:
            pass
        except Exception as error:  # noqa: BLE001 - the endpoint goes on, whatever it was
            kind, at = type(error).__name__, code_path(error)
            log.error("link_failed", kind=kind, at=at)  # noqa: TRY400 - no values in logs
        finally:
            await link.close()


async def _read_body(request: web.BaseRequest) -> bytes:
    if request.content_type != "application/json":
        raise UnsupportedMedia
    return await read_body(request, MAX_BODY_BYTES, _BODY_TIMEOUT)


def _response(reply: Reply, error: TelegraphError | None = None) -> web.Response:
    response = web.Response(status=reply.status, body=reply.body, content_type="application/json")
    if error is not None and error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return response
