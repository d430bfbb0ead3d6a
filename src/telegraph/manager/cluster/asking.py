"""What a manager asks another over HTTPS before it is part of the group, which is when it has no other way."""

import asyncio
import ssl
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
import msgspec

from telegraph.errors import CaMismatch, CaUnreadable, ManagerAway, TelegraphError
from telegraph.manager.ca import CA_FILE, read_certificate
from telegraph.manager.cluster.token import JoinToken
from telegraph.protocol.cluster_api import PATH_JOIN, PATH_SITE, JoinAnswer, JoinRequest, SiteAnswer, SiteRequest
from telegraph.protocol.identity import MANAGER_ALIAS, fingerprint
from telegraph.protocol.manager_api import ErrorAnswer
from telegraph.rest.client import manager_context, read_answer

T = TypeVar("T")

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, sock_connect=3)
_QUICK: Final = aiohttp.ClientTimeout(total=2)
_MAX_ANSWER: Final = 256 * 1024


async def fetch_ca(url: str, expected: str) -> str:
    """The CA certificate (PEM) of a manager, which has the fingerprint that the token names.

    Nothing about the newcomer is said on this connection, which is not verified; what is fetched is.

    Raises:
        ManagerAway: nobody answers.
        CaMismatch: it has another CA.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    body = await _exchange(url + "/ca", "GET", None, context, None)
    try:
        shown = fingerprint(read_certificate(body, Path(CA_FILE)))
    except CaUnreadable as problem:
        raise ManagerAway from problem
    if shown != expected:
        raise CaMismatch(url=url, fingerprint=shown)
    return body.decode("ascii")


async def ask_to_join(url: str, token: JoinToken, request: JoinRequest) -> JoinAnswer:
    """Proves the manager's CA, then tells it the token's secret and asks: what it needs to become a manager too.

    Raises:
        ManagerAway: nobody answers at the URL.
        CaMismatch: whoever answers has another CA.
        TelegraphError: what it answered, as WrongToken.
    """
    answer = await ask(url + PATH_JOIN, request, JoinAnswer, manager_context(await fetch_ca(url, token.ca)))
    _check_ca(url, answer.ca, token)
    return answer


async def ask_for_site(url: str, token: JoinToken, request: SiteRequest) -> SiteAnswer:
    """The same for the first manager of a new site.

    Raises:
        ManagerAway, CaMismatch: see :func:`ask_to_join`.
        TelegraphError: what it answered, as WrongToken or SiteTaken.
    """
    context = manager_context(await fetch_ca(url, token.ca))
    request = msgspec.structs.replace(request, secret=token.secret)
    answer = await ask(url + PATH_SITE, request, SiteAnswer, context)
    _check_ca(url, answer.ca, token)
    return answer


def _check_ca(url: str, pem: str, token: JoinToken) -> None:
    if fingerprint(read_certificate(pem.encode(), Path(CA_FILE))) != token.ca:
        raise CaMismatch(url=url, fingerprint="another CA")


async def ask(
    url: str, body: object, answer: type[T], context: ssl.SSLContext, within: aiohttp.ClientTimeout = _TIMEOUT
) -> T:
    """One POST to a manager.

    Raises:
        ManagerAway: no answer, or none of a manager.
        TelegraphError: what it answered.
    """
    raw = await _exchange(url, "POST", msgspec.json.encode(body), context, MANAGER_ALIAS, within)
    try:
        return msgspec.json.decode(raw, type=answer)
    except msgspec.DecodeError as problem:
        raise ManagerAway from problem


async def _exchange(
    url: str,
    method: str,
    body: bytes | None,
    context: ssl.SSLContext,
    name: str | None,
    within: aiohttp.ClientTimeout = _TIMEOUT,
) -> bytes:
    headers = {"Accept-Language": "en", "Content-Type": "application/json"}
    try:
        async with (
            aiohttp.ClientSession(timeout=within) as session,
            session.request(method, url, data=body, headers=headers, ssl=context, server_hostname=name) as response,
        ):
            raw = await read_answer(response, _MAX_ANSWER)
    except (aiohttp.ClientError, TimeoutError, OSError) as problem:
        raise ManagerAway from problem
    if response.status != 200:  # noqa: PLR2004 - HTTP's
        raise _refusal(raw)
    return raw


def _refusal(raw: bytes) -> TelegraphError:
    try:
        said = msgspec.json.decode(raw, type=ErrorAnswer)
    except msgspec.DecodeError:
        return ManagerAway()
    return TelegraphError.received(said.error, said.message)


async def gather_answers(
    urls: list[str], path: str, body: object, answer: type[T], context: ssl.SSLContext
) -> dict[str, T]:
    """Asks several managers at once: the answers of those who give one, by URL."""

    async def one(url: str) -> T | None:
        try:
            return await ask(url + path, body, answer, context, _QUICK)
        except TelegraphError:
            return None

    found = await asyncio.gather(*(one(url) for url in urls))
    return {url: each for url, each in zip(urls, found, strict=True) if each is not None}
