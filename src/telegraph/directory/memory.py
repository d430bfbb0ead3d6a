"""The directory in a dict, for tests and as the plainest statement of what the port means."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence

from telegraph.directory.port import Change, Delete, Entry, HistoryGone, Put, Snapshot, Unchanged
from telegraph.directory.transactions import KEPT_CHANGES, check_writes
from telegraph.errors import DirectoryUnavailable


class MemoryDirectory:
    """Implements :class:`telegraph.directory.port.Directory`; nothing is durable."""

    def __init__(self, kept_changes: int = KEPT_CHANGES) -> None:
        """``kept_changes`` is how many revisions back a watch can resume."""
        self._entries: dict[str, Entry] = {}
        self._revision = 0
        self._log: deque[list[Change]] = deque(maxlen=kept_changes)
        self._news = asyncio.Event()
        self._closed = False

    async def get(self, key: str) -> Entry | None:
        """The key's entry, or None."""
        self._check_open()
        return self._entries.get(key)

    async def scan(self, prefix: str, *, limit: int = 0) -> Snapshot:
        """All entries below the prefix, in key order; at most ``limit`` if that is not 0."""
        self._check_open()
        keys = sorted(key for key in self._entries if key.startswith(prefix))
        return Snapshot(tuple(self._entries[key] for key in keys[: limit or None]), self._revision)

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        """Applies all writes if every condition holds: the new revision, else None."""
        self._check_open()
        check_writes(writes)
        if any(self._changed_since(condition) for condition in conditions):
            return None
        effective = [write for write in writes if isinstance(write, Put) or write.key in self._entries]
        if effective:
            self._apply(effective)
        return self._revision

    def _changed_since(self, condition: Unchanged) -> bool:
        entry = self._entries.get(condition.key)
        return condition.revision != (entry.revision if entry else 0)

    def _apply(self, writes: Sequence[Put | Delete]) -> None:
        self._revision += 1
        changes = []
        for write in writes:
            if isinstance(write, Put):
                self._entries[write.key] = Entry(write.key, write.value, self._revision)
                changes.append(Change(write.key, write.value, self._revision))
            else:
                del self._entries[write.key]
                changes.append(Change(write.key, None, self._revision))
        self._log.append(changes)
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def watch(self, prefix: str, *, after: int) -> AsyncIterator[Change]:
        """Every later change below the prefix, in order, endlessly; see the port."""
        while not self._closed:
            news = self._news
            if after < self._revision - len(self._log):
                raise HistoryGone
            for changes in [changes for changes in self._log if changes[0].revision > after]:
                after = changes[0].revision
                for change in changes:
                    if change.key.startswith(prefix):
                        yield change
            if after >= self._revision:
                await news.wait()

    async def close(self) -> None:
        """Ends all watches."""
        self._closed = True
        self._wake()

    def _check_open(self) -> None:
        if self._closed:
            raise DirectoryUnavailable
