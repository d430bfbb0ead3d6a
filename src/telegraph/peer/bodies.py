"""What a request over mutual TLS brings: who sends it, and its body, bounded in size and time."""

import asyncio

from aiohttp import web

from telegraph.errors import BodyTooLarge, MalformedBody
from telegraph.peer.dialler import read_holder
from telegraph.protocol.identity import Holder


def caller_of(request: web.BaseRequest) -> Holder:
    """Whose certificate the caller showed.

    Raises:
        WrongRole: it has no valid role.
    """
    transport = request.transport
    return read_holder(None if transport is None else transport.get_extra_info("ssl_object"))


async def read_body(request: web.BaseRequest, most: int, within: float) -> bytes:
    """A body of at most so many bytes, which must be there within so many seconds.

    Raises:
        BodyTooLarge: it is longer.
        MalformedBody: it did not arrive whole.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(within):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most:
                    raise BodyTooLarge
    except (TimeoutError, web.RequestPayloadError, ConnectionError):
        raise MalformedBody(detail="it did not arrive whole") from None
    return bytes(body)
