"""Answers UDP discovery (:mod:`telegraph.protocol.discovery`); whatever else arrives is met with silence."""

import asyncio
import errno
import socket
from typing import Any, cast

from telegraph.errors import CannotStart, PortTaken
from telegraph.protocol.discovery import Active, answer_to


class Responder(asyncio.DatagramProtocol):
    """One UDP port."""

    def __init__(self, full: Active) -> None:
        """``full`` is the answer for those whose question is long enough."""
        self._full = full
        self._transport: asyncio.DatagramTransport | None = None
        self.answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio has opened the port."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # uvloop's is no subclass of it

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """A datagram came."""
        answer = answer_to(data, self._full)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)
            self.answered += 1

    def error_received(self, exc: Exception) -> None:
        """An earlier answer reached nobody; that is the asker's concern."""

    def close(self) -> None:
        """Lets go of the port."""
        if self._transport is not None:
            self._transport.close()


async def respond(bound: socket.socket, full: Active) -> Responder:
    """Starts to answer on a bound socket."""
    _, responder = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Responder(full), sock=bound)
    return responder


def bind(kind: socket.SocketKind, host: str, port: int, option: str) -> socket.socket:
    """A socket bound to an address (0: any free port); a TCP one listens, so that nobody else can take the port.

    Raises:
        PortTaken: somebody else has it; ``option`` is the command-line option that chooses another.
        CannotStart: the host is not one of this machine's addresses.
    """
    try:
        family, _, _, _, target = socket.getaddrinfo(host, port, type=kind)[0]
    except OSError as problem:
        raise CannotStart(detail=f"{host} is not an address of this machine") from problem
    bound = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(target)
        if kind == socket.SOCK_STREAM:
            bound.listen(1024)
    except OSError as problem:
        bound.close()
        if problem.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortTaken(port=port, host=host, option=option) from problem
        raise CannotStart(detail=f"{host} is not an address of this machine") from problem
    bound.setblocking(False)
    return bound
