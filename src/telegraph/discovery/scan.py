"""Finding managers by asking every machine of configured ranges over UDP (report, sections 3.1 and 5.3)."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
import structlog

from telegraph.discovery.ranges import Found, IpAddress, hosts_of, parse_range, read_found
from telegraph.protocol.discovery import question

log = structlog.get_logger(__name__)

DEFAULT_UDP_PORT = 5353
_BURST = 64
_KEPT_ANSWERS = 256
"""More managers than that nobody has; what comes beyond is a flood and is dropped."""


class Pace(msgspec.Struct, frozen=True):
    """How fast and how patiently to ask.

    ``rate`` is questions per second. After the last question answers are awaited for ``patience`` seconds at most,
    or, once somebody answered, until ``quiet`` seconds pass without another answer. If nobody answers all are asked
    again, ``rounds`` times in all, because UDP loses datagrams.
    """

    rate: float = 4000
    patience: float = 0.8
    quiet: float = 0.25
    rounds: int = 2


async def scan(ranges: Sequence[str], port: int = DEFAULT_UDP_PORT, pace: Pace | None = None) -> list[Found]:
    """Asks every machine of the ranges whether it is a manager: those that answer, in the order of their answers.

    Raises:
        IllegalAddress: a range is malformed or larger than a /16.
    """
    hosts = hosts_of([parse_range(text) for text in ranges])
    if not hosts:
        return []
    pace = pace or Pace()
    async with contextlib.AsyncExitStack() as stack:
        questions = _Questions(port, stack)
        for _ in range(pace.rounds):
            await questions.ask(hosts, pace.rate)
            found = await questions.answers(pace)
            if found:
                break
    log.info("scan_done", asked=len(hosts), answered=len(found))
    return found


class _Questions:
    """Sockets to ask from, one per address family, and the queue of what comes back."""

    def __init__(self, port: int, stack: contextlib.AsyncExitStack) -> None:
        self._port = port
        self._stack = stack
        self._transports: dict[int, asyncio.DatagramTransport] = {}
        self._incoming: asyncio.Queue[Found] = asyncio.Queue(_KEPT_ANSWERS)

    async def ask(self, hosts: Sequence[IpAddress], rate: float) -> None:
        """Sends the question to every host, in bursts that keep to the rate."""
        datagram = question()
        for burst in _bursts(hosts):
            for host in burst:
                (await self._transport(host)).sendto(datagram, (str(host), self._port))
            if len(hosts) > _BURST:
                await asyncio.sleep(len(burst) / rate)

    async def answers(self, pace: Pace) -> list[Found]:
        """Distinct answers until the deadline, or until it is quiet."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + pace.patience
        found: dict[str, Found] = {}
        while (left := deadline - loop.time()) > 0 and len(found) < _KEPT_ANSWERS:
            try:
                async with asyncio.timeout(min(left, pace.quiet) if found else left):
                    answer = await self._incoming.get()
            except TimeoutError:
                break
            found.setdefault(answer.url, answer)
        return list(found.values())

    async def _transport(self, host: IpAddress) -> asyncio.DatagramTransport:
        transport = self._transports.get(host.version)
        if transport is None:
            family, any_host = (socket.AF_INET, "0.0.0.0") if host.version == 4 else (socket.AF_INET6, "::")  # noqa: PLR2004, S104 - IPv4; answers may come on any interface
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Ear(self._incoming), local_addr=(any_host, 0), family=family
            )
            self._transports[host.version] = transport
            self._stack.callback(transport.close)
        return transport


class _Ear(asyncio.DatagramProtocol):
    """Hands answers on; silent about everything else."""

    def __init__(self, incoming: asyncio.Queue[Found]) -> None:
        self._incoming = incoming

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        found = read_found(data, str(addr[0]))
        if found is not None:
            with contextlib.suppress(asyncio.QueueFull):
                self._incoming.put_nowait(found)

    def error_received(self, exc: Exception) -> None:
        """One host unreachable or refusing says nothing about the others."""


def _bursts(hosts: Sequence[IpAddress]) -> Iterator[list[IpAddress]]:
    waiting = iter(hosts)
    while burst := list(islice(waiting, _BURST)):
        yield burst
