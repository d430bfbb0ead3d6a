"""Finding managers: those that were named or known, else the DNS alias, else a UDP scan; the quickest first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from time import perf_counter

import structlog

from telegraph.discovery.dns import urls_of_alias
from telegraph.discovery.ranges import Found, parse_range
from telegraph.discovery.ranking import distinct, ranked
from telegraph.discovery.scan import DEFAULT_UDP_PORT, scan
from telegraph.errors import NoManagerFound, TelegraphError

log = structlog.get_logger(__name__)

Probe = Callable[[str], Awaitable[object]]
"""Returns if a manager of our organisation lives at the URL; raises a TelegraphError or an OSError if not."""

PROBE_TIMEOUT = 3.0
GRACE = 0.5
"""Seconds that slower managers get once the first has answered: a dead one must not hold up the rest."""

_AT_ONCE = 32


class Finder:
    """Looks for managers, source after source, until one source has a manager that lives.

    ``managers`` are URLs that the user gave, ``known`` those of the last time (the caller keeps them), ``ranges`` what
    to scan by UDP. Everything found is a candidate only: whether it is a manager of our organisation is for the probe
    to say, over TLS.

    Raises:
        IllegalAddress: a range is malformed or larger than a /16.
    """

    def __init__(
        self,
        *,
        managers: Sequence[str] = (),
        known: Sequence[str] = (),
        ranges: Sequence[str] = (),
        udp_port: int = DEFAULT_UDP_PORT,
        look_up: Callable[[], Awaitable[list[str]]] = urls_of_alias,
        ask: Callable[[Sequence[str], int], Awaitable[list[Found]]] = scan,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """``look_up``, ``ask`` and ``clock`` are DNS, UDP and a monotonic clock in seconds, for tests to replace."""
        for text in ranges:
            parse_range(text)
        self._named = distinct(managers, known)
        self._ranges = ranges
        self._udp_port = udp_port
        self._look_up = look_up
        self._ask = ask
        self._clock = clock

    async def candidates(self) -> list[str]:
        """What the first source that has anything says, without trying it.

        Raises:
            NoManagerFound: no source has anything.
        """
        async for source, urls in self._sources():
            log.info("managers_suggested", source=source, count=len(urls))
            return urls
        raise NoManagerFound

    async def find(self, probe: Probe) -> list[str]:
        """Managers that live, the quickest first, from the first source that has any.

        Raises:
            NoManagerFound: no source has one that lives.
        """
        tried: set[str] = set()
        async for source, urls in self._sources():
            fresh = [url for url in urls if url not in tried]
            tried.update(fresh)
            found = ranked(await self._measure(fresh, probe))
            log.info("managers_probed", source=source, tried=len(fresh), alive=len(found))
            if found:
                return found
        raise NoManagerFound

    async def _sources(self) -> AsyncIterator[tuple[str, list[str]]]:
        """Each source that has anything, in order; the next is asked only when the one before was not enough."""
        if self._named:
            yield "named", self._named
        if aliased := await self._look_up():
            yield "dns", distinct(aliased)
        if self._ranges and (answered := await self._ask(self._ranges, self._udp_port)):
            yield "scan", distinct(found.url for found in answered)

    async def _measure(self, urls: Sequence[str], probe: Probe) -> dict[str, float | None]:
        """Seconds that each one's answer took; None for those without one in time."""
        slots = asyncio.Semaphore(_AT_ONCE)
        tasks = {url: asyncio.create_task(self._one(url, probe, slots)) for url in urls}
        try:
            await _first_and_grace(set(tasks.values()))
            return {url: task.result() if task.done() else None for url, task in tasks.items()}
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def _one(self, url: str, probe: Probe, slots: asyncio.Semaphore) -> float | None:
        async with slots:
            begun = self._clock()
            try:
                async with asyncio.timeout(PROBE_TIMEOUT):
                    await probe(url)
            except (TelegraphError, OSError) as reason:  # TimeoutError is an OSError
                log.debug("manager_not_there", url=url, reason=type(reason).__name__)
                return None
            return self._clock() - begun


async def _first_and_grace(waiting: set[asyncio.Task[float | None]]) -> None:
    """Waits until all are done, or GRACE seconds have passed since the first success."""
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if any(task.result() is not None for task in done):
            break
    if waiting:
        await asyncio.wait(waiting, timeout=GRACE)
