"""The directory in a dict, for tests and as the plainest statement of what the port means."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from telegraph.directory.port import Change, Delete, Entry, HistoryGone, LeaseGone, Put, Snapshot, Unchanged
from telegraph.directory.transactions import KEPT_CHANGES, check_writes
from telegraph.errors import DirectoryUnavailable


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """It will not come."""


class Timers(Protocol):
    """What leases run out by: an event loop, or a :class:`telegraph.testing.clock.FakeClock`."""

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Timer:
        """Calls back in so many seconds."""


class _Lease:
    def __init__(self, ttl: float, timer: Timer) -> None:
        self.ttl, self.timer = ttl, timer


class _Frozen:
    """Implements :class:`telegraph.directory.port.Frozen`."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._entries = snapshot.entries
        self.revision = snapshot.revision

    async def pages(self, prefix: str = "") -> AsyncIterator[Sequence[Entry]]:
        """All entries below the prefix, in key order, one at a time: nobody may count on more."""
        for entry in self._entries:
            if entry.key.startswith(prefix):
                yield (entry,)


class MemoryDirectory:
    """Implements :class:`telegraph.directory.port.Directory`; nothing is durable."""

    def __init__(self, kept_changes: int = KEPT_CHANGES, timers: Timers | None = None) -> None:
        """``kept_changes`` is how many revisions back a watch can resume; ``timers`` the running loop if None."""
        self._entries: dict[str, Entry] = {}
        self._revision = 0
        self._log: deque[list[Change]] = deque(maxlen=kept_changes)
        self._news = asyncio.Event()
        self._timers = timers
        self._leases: dict[int, _Lease] = {}
        self._granted = 0
        self._closed = False

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:  # noqa: ARG002 - nothing trails here
        """The key's entry, or None."""
        self._check_open()
        return self._entries.get(key)

    async def scan(self, prefix: str, *, limit: int = 0, stale: bool = False) -> Snapshot:  # noqa: ARG002 - the same
        """All entries below the prefix, in key order; at most ``limit`` if that is not 0."""
        self._check_open()
        keys = sorted(key for key in self._entries if key.startswith(prefix))
        return Snapshot(tuple(self._entries[key] for key in keys[: limit or None]), self._revision)

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator["_Frozen"]:
        """The directory as it is now, whatever is committed while the block runs."""
        yield _Frozen(await self.scan(""))

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        """Applies all writes if every condition holds: the new revision, else None."""
        self._check_open()
        check_writes(writes)
        if any(isinstance(write, Put) and write.lease and write.lease not in self._leases for write in writes):
            raise LeaseGone
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
                self._entries[write.key] = Entry(write.key, write.value, self._revision, write.lease)
                changes.append(Change(write.key, write.value, self._revision))
            else:
                del self._entries[write.key]
                changes.append(Change(write.key, None, self._revision))
        self._log.append(changes)
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def grant(self, ttl: float) -> int:
        """A new lease of so many seconds."""
        self._check_open()
        self._granted += 1
        lease = self._granted
        self._leases[lease] = _Lease(ttl, self._timer(lease, ttl))
        return lease

    def _timer(self, lease: int, ttl: float) -> Timer:
        return (self._timers or asyncio.get_running_loop()).call_later(ttl, lambda: self._end(lease))

    async def keep_alive(self, lease: int) -> float:
        """Renews a lease: the seconds that it has from now on."""
        self._check_open()
        known = self._leases.get(lease)
        if known is None:
            raise LeaseGone
        known.timer.cancel()
        known.timer = self._timer(lease, known.ttl)
        return known.ttl

    async def revoke(self, lease: int) -> None:
        """Ends a lease and deletes its keys."""
        self._check_open()
        self._end(lease)

    def _end(self, lease: int) -> None:
        known = self._leases.pop(lease, None)
        if known is None:
            return
        known.timer.cancel()
        bound = sorted(key for key, entry in self._entries.items() if entry.lease == lease)
        if bound:
            self._apply([Delete(key) for key in bound])

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
        for lease in self._leases.values():
            lease.timer.cancel()
        self._wake()

    def _check_open(self) -> None:
        if self._closed:
            raise DirectoryUnavailable
