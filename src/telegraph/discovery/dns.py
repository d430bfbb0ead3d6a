"""Finding managers by the DNS alias that all of them share (report, sections 1.3 and 5.3).

DNS itself is asked for every address, because getaddrinfo may cut a long list short, as is the system's resolver,
because the alias may stand in ``/etc/hosts``.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog

from telegraph.errors import IllegalAddress
from telegraph.protocol.addresses import Address, check_host
from telegraph.protocol.identity import MANAGER_ALIAS
from telegraph.protocol.invites import DEFAULT_MANAGER_PORT

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

log = structlog.get_logger(__name__)

DEFAULT_TIMEOUT = 1.0
"""Seconds for all of DNS; a network without an answer by then has no alias."""


async def urls_of_alias(
    alias: str = MANAGER_ALIAS,
    port: int = DEFAULT_MANAGER_PORT,
    *,
    timeout: float = DEFAULT_TIMEOUT,  # noqa: ASYNC109 - seconds for all sources together, not for one await
    resolver: "Resolver | None" = None,
) -> list[str]:
    """``https://ADDRESS:port`` of every address of the alias, each once; empty if nobody knows the alias.

    ``resolver`` is a DNS resolver of one's own; without one the system's configuration is used, and the system's own
    resolver (``/etc/hosts``, mDNS, …) is asked too.
    """
    sources = [_of_dns(alias, "A", timeout, resolver), _of_dns(alias, "AAAA", timeout, resolver)]
    if resolver is None:
        sources.append(_of_system(alias, timeout))
    answers = await asyncio.gather(*sources)
    return urls(port, (address for answer in answers for address in answer))


def urls(port: int, addresses: Iterable[str]) -> list[str]:
    """URLs of the addresses that a manager can have, each once, in order; what nobody could dial is left out."""
    found: dict[str, None] = {}
    for address in addresses:
        with contextlib.suppress(IllegalAddress):
            found[f"https://{Address(check_host(address), port)}"] = None
    return list(found)


async def _of_dns(alias: str, kind: str, seconds: float, resolver: "Resolver | None") -> list[str]:
    from dns.asyncresolver import Resolver  # 3.4 MB, which a node that was told its managers need not have
    from dns.exception import DNSException

    try:
        asked = resolver or Resolver()
        answer = await asked.resolve(alias, kind, lifetime=seconds, search=resolver is None)
    except (DNSException, OSError) as problem:
        log.debug("alias_not_in_dns", alias=alias, kind=kind, reason=type(problem).__name__)
        return []
    return [record.to_text() for record in answer]


async def _of_system(alias: str, seconds: float) -> list[str]:
    """What getaddrinfo says in time.

    It runs in a thread of its own, a daemon: it cannot be interrupted, and a slow one must not hold up the end of the
    process as one in the loop's pool would.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def tell(addresses: list[str]) -> None:
        if not answer.done():
            answer.set_result(addresses)

    def look_up() -> None:
        addresses = _getaddrinfo(alias)
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
            loop.call_soon_threadsafe(tell, addresses)

    threading.Thread(target=look_up, name="getaddrinfo", daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        return []


def _getaddrinfo(alias: str) -> list[str]:
    try:
        entries = socket.getaddrinfo(alias, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in entries]
