"""Opening links to other nodes: who answers there must hold the expected key."""

import asyncio
import ssl
from typing import Any

import aiohttp
from aiohttp.http import WebSocketWriter
from yarl import URL

from telegraph.errors import WrongRole
from telegraph.peer.port import Unreachable
from telegraph.peer.websocket import CLOSE_TIMEOUT
from telegraph.protocol.addresses import Address
from telegraph.protocol.frames import MAX_FRAME_BYTES
from telegraph.protocol.identity import Holder, holder_of

LINK_PATH = "/link"
MAX_MESSAGE = MAX_FRAME_BYTES + 1
"""For aiohttp, which refuses a message of exactly its limit."""


class Dialled(aiohttp.ClientWebSocketResponse[Any]):
    """A client's WebSocket that keeps hold of its transport, which is what can be cut at once."""

    def __init__(self, reader: Any, writer: WebSocketWriter, *rest: Any, **options: Any) -> None:
        super().__init__(reader, writer, *rest, **options)
        self.transport = writer.transport


class Dialler:
    """Dials with one TLS context, ``context``, which may be replaced for later dials."""

    def __init__(self, context: ssl.SSLContext, timeout: float) -> None:
        """``timeout`` is the seconds for a dial, from name look-up to an open link."""
        self.context = context
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def dial(self, address: Address, key: bytes) -> tuple[Dialled, Holder]:
        """An open WebSocket to the user's device with this raw Ed25519 key.

        Until the key is checked, nothing but the request to open was sent.

        Raises:
            Unreachable: nobody there, or not the holder of that key, or no certificate of our CA.
        """
        try:
            async with asyncio.timeout(self._timeout):
                websocket = await self._connect(address)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as problem:
            raise Unreachable(f"{address}: {type(problem).__name__}") from problem
        remote = _expected(websocket.get_extra_info("ssl_object"), key)
        if remote is None:
            websocket.transport.abort()
            await websocket.close()
            raise Unreachable(f"{address}: somebody else is there")
        return websocket, remote

    async def close(self) -> None:
        """Lets go of every connection."""
        if self._session is not None:
            await self._session.close()

    async def _connect(self, address: Address) -> Dialled:
        if self._session is None:
            self._session = _session()
        websocket = await self._session.ws_connect(
            URL.build(scheme="https", host=address.host, port=address.port, path=LINK_PATH),
            ssl=self.context,
            compress=0,
            autoping=False,
            max_msg_size=MAX_MESSAGE,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT),
        )
        assert isinstance(websocket, Dialled)  # noqa: S101 - the session was told to make these
        return websocket


def read_holder(tls: ssl.SSLObject | None) -> Holder:
    """Whose certificate the other end of a TLS connection showed.

    Raises:
        WrongRole: none, or one without a valid role.
    """
    der = tls.getpeercert(binary_form=True) if tls is not None else None
    if der is None:
        raise WrongRole
    try:
        return holder_of(der)
    except ValueError:  # OpenSSL took it, but it is malformed all the same
        raise WrongRole from None


def _expected(tls: ssl.SSLObject | None, key: bytes) -> Holder | None:
    """The other end, if it is a user's device with this key."""
    try:
        holder = read_holder(tls)
    except WrongRole:
        return None
    return holder if holder.role == "user" and holder.key == key else None


def _session() -> aiohttp.ClientSession:
    stay = aiohttp.TraceConfig()
    stay.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True, use_dns_cache=False),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        trace_configs=[stay],
        ws_response_class=Dialled,
        skip_auto_headers=["User-Agent"],
    )


async def _refuse_redirect(
    _session: aiohttp.ClientSession, _context: object, parameters: aiohttp.TraceRequestRedirectParams
) -> None:
    """A peer must not send this node elsewhere, least of all to services of its own machine."""
    parameters.response.close()
    raise aiohttp.ClientError("a redirect")
