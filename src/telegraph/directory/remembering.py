"""Another directory, and beside its exact reads such as may be answered from memory: for look-ups and session checks.

What they answer from memory, and how old that can be:

- Only while somebody watches through it, for which one watch on the whole directory runs
  (:mod:`telegraph.directory.sharing`), and that watch has told all that was committed up to :data:`TRUSTED` seconds
  ago, as the group's leader confirmed. Else every read goes to the directory, and so does one of a key
  that is not remembered. That there is no such key is never remembered: what was just made is found at once.
- A change that another manager commits is known here as soon as the watch tells it, some milliseconds later; if the
  member falls silent, is cut off or applies slowly what was committed, :data:`TRUSTED` seconds later at most.
- What was committed through this object is seen by every read that begins after the commit returned.
- Whoever is to write reads exactly, and commits carry conditions on what was read: nothing is ever written on the
  ground of an old answer.

:mod:`telegraph.directory.remembered` has the rule.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Final

from telegraph.directory.port import Change, Delete, Directory, Entry, Put, Reads, Snapshot, Unchanged
from telegraph.directory.remembered import Remembered
from telegraph.directory.sharing import SharedWatch

TRUSTED: Final = 2.0
"""Seconds for which a sign of life of the watch counts."""

MAX_REMEMBERED: Final = 200_000
"""Keys; about 100 MB if all are accounts. A person takes four: name, account, presence, session."""


class RememberingDirectory:
    """Implements :class:`telegraph.directory.port.Directory` over another one, and offers :attr:`recent`."""

    def __init__(
        self,
        directory: Directory,
        heard: Callable[[], float],
        kept: tuple[str, ...],
        most: int = MAX_REMEMBERED,
    ) -> None:
        """The directory belongs to this one from now on.

        Args:
            directory: where all commits and exact reads go.
            heard: up to when, by the event loop's clock, its watches are known to be alive.
            kept: what the keys begin with whose reads are remembered.
            most: how many are remembered.
        """
        self._directory = directory
        self._heard = heard
        self._kept = kept
        self._remembered: Remembered[Entry] = Remembered(most)
        self._watches = 0
        self._shared = SharedWatch(self._watch_everything, self.changed, self._watch_runs)
        self.recent: Reads = _Recent(self)
        """Reads that may be answered from memory."""

    @property
    def trusted(self) -> bool:
        """Whether reads may be answered from memory now."""
        return self._watches > 0 and asyncio.get_running_loop().time() - self._heard() <= TRUSTED

    async def get_recent(self, key: str) -> Entry | None:
        """The key's entry, or None, as :attr:`recent` has it."""
        known = self._remembered.get(key)
        if known is not None and self.trusted:
            return known
        if not self._watches or not key.startswith(self._kept):
            return await self._directory.get(key)
        reading = self._remembered.begin(key)
        found: Entry | None = None
        try:
            found = await self._directory.get(key)
        finally:
            self._remembered.end(reading, found)
        return found

    # --- the port ---

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        """The key's entry, or None; never from memory."""
        return await self._directory.get(key, stale=stale)

    async def scan(self, prefix: str, *, limit: int = 0, stale: bool = False) -> Snapshot:
        """All entries below the prefix, in key order; never from memory."""
        return await self._directory.scan(prefix, limit=limit, stale=stale)

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        """Applies all writes if every condition holds: the new revision, else None."""
        try:
            return await self._directory.commit(conditions, writes)
        finally:
            for touched in (*conditions, *writes):  # a condition that failed was perhaps read from here
                self._remembered.changed(touched.key)

    async def grant(self, ttl: float) -> int:
        """A new lease of so many seconds."""
        return await self._directory.grant(ttl)

    async def keep_alive(self, lease: int) -> float:
        """Renews a lease: the seconds that it has from now on."""
        return await self._directory.keep_alive(lease)

    async def revoke(self, lease: int) -> None:
        """Ends a lease and deletes its keys; which they were the watch tells, and until then nothing is remembered."""
        try:
            await self._directory.revoke(lease)
        finally:
            self._remembered.clear()

    async def watch(self, prefix: str, *, after: int) -> AsyncGenerator[Change]:
        """Every later change below the prefix, in order, endlessly; all watches share one, which feeds the memory."""
        if not self._shared.reaches(after):  # whoever knows so little goes alone
            async for change in self._directory.watch(prefix, after=after):
                self.changed(change.key)  # before its reader reads
                yield change
            return
        async with aclosing(self._shared.changes(prefix, after)) as changes:
            async for change in changes:
                yield change

    async def close(self) -> None:
        """Closes the directory."""
        await self._directory.close()

    # --- what the watch tells ---

    def _watch_everything(self, after: int) -> AsyncIterator[Change]:
        return self._directory.watch("", after=after)

    def _watch_runs(self, running: bool) -> None:
        """A watch on everything begins, or has ended: only between the two every change is told."""
        self._watches += 1 if running else -1
        self._remembered.clear()

    def changed(self, key: str) -> None:
        """A watch tells of a change."""
        self._remembered.changed(key)


class _Recent:
    """See :attr:`RememberingDirectory.recent`."""

    def __init__(self, directory: RememberingDirectory) -> None:
        self.get = directory.get_recent
        self.scan = directory.scan
