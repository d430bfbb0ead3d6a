"""What everybody needs who calls a manager: TLS that accepts managers of one CA only, and answers of a bounded size."""

import ssl

import aiohttp

from telegraph.errors import ManagerAway


def manager_context(ca_pem: str) -> ssl.SSLContext:
    """TLS 1.3 as a client that accepts managers of this CA only, by name."""
    context = ssl.create_default_context(cadata=ca_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


async def read_answer(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The whole body of an answer, which comes in as many pieces as the network makes of it.

    Raises:
        ManagerAway: it is longer than ``limit`` bytes; no manager gives such answers.
    """
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > limit:
            raise ManagerAway
    return bytes(body)
