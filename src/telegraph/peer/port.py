"""The port between a node and the network to other nodes: bytes, keys and addresses, nothing of users.

Two implementations: :mod:`telegraph.peer.tls` (aiohttp, mutual TLS 1.3) and :mod:`telegraph.peer.memory` (for
tests: drop, cut, delay,
recover). One contract suite runs over both.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from telegraph.protocol.addresses import Address
from telegraph.protocol.identity import Holder


class LinkClosed(Exception):
    """The link is gone: closed by either end, cut, or its peer silent for too long."""


class Unreachable(Exception):
    """No link could be made: nobody answers there, or somebody who is not the one that was expected."""


class Link(Protocol):
    """An open, authenticated, ordered, reliable channel of binary messages to one other device."""

    @property
    def remote(self) -> Holder:
        """Whose certificate the other end showed."""
        ...

    @property
    def outgoing(self) -> bool:
        """Whether this end dialled."""
        ...

    @property
    def local_host(self) -> str | None:
        """The IP address from which this end speaks; None where there is none."""
        ...

    async def send(self, data: bytes) -> None:
        """Sends one message; waits while the other end reads too slowly (back-pressure).

        Raises:
            LinkClosed: the link is gone; whether the message arrived is not known.
        """
        ...

    async def receive(self) -> bytes:
        """The next message.

        Raises:
            LinkClosed: the link is gone and everything that arrived before has been received.
        """
        ...

    def arrived(self) -> list[bytes]:
        """What arrived beyond that and can be received without waiting, now received."""
        ...

    async def close(self) -> None:
        """Closes the link; may be called again."""
        ...


class Call(msgspec.Struct, frozen=True):
    """One REST call that another process made: path, body, whose certificate it showed, and its language."""

    path: str
    body: bytes
    remote: Holder
    accept_language: str = ""


class Reply(msgspec.Struct, frozen=True):
    """The answer to a call: HTTP status and JSON body."""

    status: int
    body: bytes


OnLink = Callable[[Link], Awaitable[None]]
"""Called in a task of its own for each link that somebody else opened; the link is closed when it returns."""

OnCall = Callable[[Call], Awaitable[Reply]]


class Endpoint(Protocol):
    """One device's place in the network of nodes."""

    async def serve(self, on_link: OnLink, on_call: OnCall) -> None:
        """Starts to accept links and calls; returns at once."""
        ...

    async def dial(self, address: Address, key: bytes) -> Link:
        """Opens a link to the device with this raw Ed25519 key.

        Raises:
            Unreachable: nobody there, or not the holder of that key, or no certificate of our CA.
        """
        ...

    async def close(self) -> None:
        """Stops accepting and closes every link."""
        ...
