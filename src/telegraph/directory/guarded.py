"""A group's directory, which refuses at once whoever waits while the quorum is known to be lost."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from telegraph.directory.port import Change, Delete, Directory, Entry, LeaseGone, Put, Snapshot, Unchanged
from telegraph.directory.quorum import current
from telegraph.errors import DirectoryUnavailable


class GuardedDirectory:
    """Implements :class:`telegraph.directory.port.Directory` over another one.

    For a call with a :class:`telegraph.directory.quorum.Budget` it asks nothing that takes a quorum while that is known
    to be lost, and notes which write may have gone through. Everything else is handed on.
    """

    def __init__(self, directory: Directory) -> None:
        """The directory belongs to this one from now on."""
        self._directory = directory

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        """See the port."""
        with _reading(stale=stale):
            return await self._directory.get(key, stale=stale)

    async def scan(self, prefix: str, *, limit: int = 0, stale: bool = False) -> Snapshot:
        """See the port."""
        with _reading(stale=stale):
            return await self._directory.scan(prefix, limit=limit, stale=stale)

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        """See the port."""
        _require()
        budget = current()
        if budget is None or not writes:
            return await self._directory.commit(conditions, writes)
        before, budget.written = budget.written, True
        try:
            revision = await self._directory.commit(conditions, writes)
        except (DirectoryUnavailable, LeaseGone):
            budget.written = before
            raise
        if revision is None:
            budget.written = before
        return revision

    async def grant(self, ttl: float) -> int:
        """See the port."""
        _require()
        return await self._directory.grant(ttl)

    async def keep_alive(self, lease: int) -> float:
        """See the port."""
        _require()
        return await self._directory.keep_alive(lease)

    async def revoke(self, lease: int) -> None:
        """See the port."""
        _require()
        await self._directory.revoke(lease)

    def watch(self, prefix: str, *, after: int) -> AsyncIterator[Change]:
        """See the port."""
        return self._directory.watch(prefix, after=after)

    async def close(self) -> None:
        """See the port."""
        await self._directory.close()


def _reading(*, stale: bool) -> AbstractContextManager[None]:
    """Many reads that this manager's own member answers are work that goes on, and no waiting for others."""
    budget = current()
    if budget is None:
        return nullcontext()
    if stale:
        return budget.refunded()
    budget.quorum.require()
    return nullcontext()


def _require() -> None:
    budget = current()
    if budget is not None:
        budget.quorum.require()
