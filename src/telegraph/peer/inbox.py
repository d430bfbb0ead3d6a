"""What arrived on a link and nobody has received yet, bounded in bytes so that a peer cannot fill the memory."""

import asyncio
from collections import deque

from telegraph.peer.port import LinkClosed


class Inbox:
    """A queue of messages. Once ``capacity`` bytes wait, whoever puts has to wait; one message may exceed it."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._messages: deque[bytes] = deque()
        self._size = 0
        self._closed = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def full(self) -> bool:
        """Whether who puts has to wait."""
        return self._size >= self._capacity

    @property
    def closed(self) -> bool:
        """Whether nothing more can come in."""
        return self._closed

    async def put(self, message: bytes) -> None:
        """Adds a message, when there is room.

        Raises:
            LinkClosed: the inbox was closed before there was room.
        """
        while self.full and not self._closed:
            self._writable.clear()
            await self._writable.wait()
        self.add(message)

    def add(self, message: bytes) -> None:
        """Adds a message whether there is room or not.

        Raises:
            LinkClosed: the inbox is closed.
        """
        if self._closed:
            raise LinkClosed
        self._messages.append(message)
        self._size += len(message)
        self._readable.set()

    async def get(self) -> bytes:
        """The oldest message, when there is one.

        Raises:
            LinkClosed: the inbox is closed, and empty.
        """
        while not self._messages:
            if self._closed:
                raise LinkClosed
            self._readable.clear()
            await self._readable.wait()
        message = self._messages.popleft()
        self._size -= len(message)
        if not self.full:
            self._writable.set()
        return message

    def take_all(self) -> list[bytes]:
        """All messages that are there now, oldest first; none if there are none."""
        messages = list(self._messages)
        self._messages.clear()
        self._size = 0
        self._writable.set()
        return messages

    def close(self) -> None:
        """Lets nothing more in; what is there can still be received."""
        self._closed = True
        self._readable.set()
        self._writable.set()
