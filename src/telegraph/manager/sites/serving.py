"""What a manager shows other sites of its directory: every change from a revision on, or all of it as of one.

Only puts below :data:`telegraph.directory.records.EXCHANGED` go out. That something is gone says nothing between sites;
what is to stay gone has a record that says so (a tombstone, an ending, a revocation), and that is put in the same
commit.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from telegraph.directory import records
from telegraph.directory.port import Change, Directory, HistoryGone
from telegraph.errors import Unavailable
from telegraph.protocol.sites import BEAT, MAX_BYTES, MAX_ENTRIES, Batch, Pair, pieces

_WAITING: Final = 1024
"""Changes that wait for a slow reader; then the directory's watch is not read on."""


def is_exchanged(key: str) -> bool:
    """Whether other sites are told of a key."""
    return key.startswith(records.EXCHANGED)


async def head_of(directory: Directory) -> int:
    """The directory's present revision.

    Raises:
        DirectoryUnavailable: it cannot be said.
    """
    return (await directory.scan(records.DIRECTORY_ID, limit=1)).revision


async def snapshot(directory: Directory) -> AsyncIterator[Batch]:
    """Everything as of one revision, some at a time; the last batch says that it is.

    Raises:
        DirectoryUnavailable: it cannot be read.
    """
    found = await directory.scan("")
    pairs = [(entry.key, entry.value) for entry in found.entries if is_exchanged(entry.key)]
    for portion in pieces(pairs):
        yield Batch(found.revision, found.revision, found.revision, portion)
    yield Batch(found.revision, found.revision, found.revision, done=True)


class Feed:
    """Every change after a revision, endlessly, and a beat when there is none."""

    def __init__(self, directory: Directory, after: int, beat: float = BEAT) -> None:
        """``beat`` is after how many seconds something is sent in any case."""
        self._directory = directory
        self._beat = beat
        self._waiting: deque[Change] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._revision = after
        self._sent = after
        self._over = False

    async def batches(self) -> AsyncGenerator[Batch]:
        """The batches; the last one says that the history is gone, if that is so."""
        head = await head_of(self._directory)
        if self._revision > head:  # of a directory that was put back
            yield Batch(head, head, head, gone=True)
            return
        reading = asyncio.ensure_future(self._read())
        try:
            while not reading.done() or self._waiting:
                batch = await self._next()
                if batch is not None:
                    yield batch
            reading.result()
        except HistoryGone:
            yield Batch(head, head, head, gone=True)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async for change in self._directory.watch("", after=self._revision):
                while len(self._waiting) >= _WAITING:
                    self._room.clear()
                    await self._room.wait()
                self._waiting.append(change)
                self._news.set()
        finally:
            self._over = True
            self._news.set()

    async def _next(self) -> Batch | None:
        """What waits, up to a frame's size, or a beat; None if there is neither.

        Without a quorum there is no beat: whoever listens shall look for a manager that has one, and else know that
        nothing can be asked of this site now.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._beat):
                await self._news.wait()
        entries = self._taken()
        if self._waiting:
            head = self._waiting[-1].revision
        else:
            self._news.clear()
            head = self._sent
        self._room.set()
        if not entries and self._over:
            return None
        if not entries:
            try:
                head = max(head, await head_of(self._directory))
            except Unavailable:
                return None
        return Batch(self._revision, self._sent, head, entries)

    def _taken(self) -> tuple[Pair, ...]:
        """Puts, each key once. While a commit's last change may be to come, its revision does not count as sent."""
        found: dict[str, bytes] = {}
        size = 0
        while self._waiting and len(found) < MAX_ENTRIES and size < MAX_BYTES:
            change = self._waiting.popleft()
            self._revision, self._sent = max(self._revision, change.revision - 1), change.revision
            if change.value is not None and is_exchanged(change.key):
                found[change.key] = change.value
                size += len(change.key) + len(change.value)
        return tuple(found.items())
