"""Calls to managers of other sites, over mutual TLS: the other end must be a manager of this organisation.

TLS itself is asked for the name that only managers' certificates carry, so a user's is refused inside the handshake,
before anything is said.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Final, TypeVar

import aiohttp
import msgspec
from yarl import URL

from telegraph.errors import ManagerAway, TelegraphError
from telegraph.peer.credentials import Credentials, client_context
from telegraph.protocol.identity import MANAGER_ALIAS
from telegraph.protocol.sites import SILENCE, Batch, Frames, Refusal, encode
from telegraph.rest.client import read_answer

T = TypeVar("T")

CONNECTED_WITHIN: Final = 1.0
"""Seconds for a connection: sites may be an ocean apart, which takes three round trips of 0.2 s with TLS."""

_MAX_ANSWER: Final = 1024 * 1024
_OK: Final = 200


class Caller:
    """One for all calls of a manager; ``await close()`` at the end."""

    def __init__(self, credentials: Credentials) -> None:
        """``credentials`` are the manager's own. Belongs to the running event loop."""
        self._context = _context(credentials)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=10, use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=["User-Agent"],
        )

    def replace_credentials(self, credentials: Credentials) -> None:
        """Shows another certificate from the next connection on."""
        self._context = _context(credentials)

    async def close(self) -> None:
        """Ends all calls."""
        await self._session.close()

    async def ask(
        self,
        url: str,
        path: str,
        answer: type[T],
        body: object | None = None,
        *,
        within: float = SILENCE,
        query: Mapping[str, str] | None = None,
    ) -> T:
        """One call at one manager: a POST if there is a body, else a GET.

        Raises:
            ManagerAway: no answer in ``within`` seconds, or none of a manager.
            TelegraphError: what it answered.
        """
        limits = aiohttp.ClientTimeout(total=within, sock_connect=min(within, CONNECTED_WITHIN))
        async with self._request(url, path, body, query or {}, limits) as response:
            raw = await read_answer(response, _MAX_ANSWER)
        try:
            return msgspec.msgpack.decode(raw, type=answer)
        except msgspec.DecodeError as problem:
            raise ManagerAway from problem

    async def ask_any(
        self, urls: Sequence[str], path: str, answer: type[T], body: object | None = None, *, within: float = SILENCE
    ) -> T:
        """One call at the first of a site's managers that answers; it must bear repetition.

        Each gets an equal share of the ``within`` seconds, so that a dead one does not use up the time of the others.

        Raises:
            ManagerAway: none answers.
            TelegraphError: what one answered.
        """
        end = asyncio.get_running_loop().time() + within
        away: TelegraphError = ManagerAway()
        for left, url in zip(range(len(urls), 0, -1), urls, strict=True):
            share = (end - asyncio.get_running_loop().time()) / left
            try:
                return await self.ask(url, path, answer, body, within=share)
            except TelegraphError as error:
                if error.status < 500:  # noqa: PLR2004 - HTTP's: it is decided
                    raise
                away = error
        raise away

    async def stream(self, url: str, path: str, query: Mapping[str, str], silence: float) -> AsyncGenerator[Batch]:
        """Frames as they come.

        Raises:
            ManagerAway: the connection broke, or nothing came for ``silence`` seconds.
            ForgedFrame: what came is none of ours.
            TelegraphError: what it answered.
        """
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECTED_WITHIN, sock_read=silence)
        frames = Frames()
        async with self._request(url, path, None, query, limits) as response:
            try:
                async for piece in response.content.iter_any():
                    for batch in frames.feed(piece):
                        yield batch
            except (aiohttp.ClientError, TimeoutError, OSError) as problem:
                raise ManagerAway from problem

    @contextlib.asynccontextmanager
    async def _request(
        self, url: str, path: str, body: object | None, query: Mapping[str, str], limits: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        where = URL(url).with_path(path).with_query(query)
        try:
            response = await self._session.request(
                "GET" if body is None else "POST",
                where,
                data=None if body is None else encode(body),
                ssl=self._context,
                server_hostname=MANAGER_ALIAS,
                timeout=limits,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
            raise ManagerAway from problem
        try:
            if response.status != _OK:
                raise await _refusal(response)
            yield response
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise ManagerAway from problem
        finally:
            if response.content.at_eof():
                response.release()
            else:  # the connection cannot be used again
                response.close()


def _context(credentials: Credentials) -> ssl.SSLContext:
    context = client_context(credentials)
    context.check_hostname = True
    return context


async def _refusal(response: aiohttp.ClientResponse) -> TelegraphError:
    try:
        said = msgspec.msgpack.decode(await read_answer(response, _MAX_ANSWER), type=Refusal)
    except (msgspec.DecodeError, aiohttp.ClientError, TimeoutError):
        return ManagerAway()
    return TelegraphError.received(said.error, said.message, said.retry_after)
