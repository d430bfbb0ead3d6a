"""One leader among those who share a directory, whichever back end that is.

The leader is who has created one key under a lease of its own; the others watch that key and try when it is gone. What
the leader writes carries :attr:`Leadership.condition`, so that one who was paused and woke up late changes nothing
(DESIGN.md 10.2): who leads next has created the key anew, with another revision.

A leader that cannot renew its lease stops before the directory can have given it to another
(:mod:`telegraph.directory.tenure`); one whose key is gone stops at once.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from telegraph.directory.port import Directory, HistoryGone, LeaseGone, Put, Unchanged
from telegraph.directory.tenure import Tenure
from telegraph.errors import DirectoryUnavailable, FateUnknown
from telegraph.tracing import code_path

log = structlog.get_logger(__name__)

TTL: Final = 5.0
"""Seconds after which a leader that says nothing more is replaced."""

_AGAIN_AFTER: Final = 0.25
"""Seconds until an unavailable directory is asked again."""

_STAND_AGAIN: Final = 1.0
"""Seconds that somebody who led leaves to the others."""

_RESIGN_WITHIN: Final = 1.0


class Leadership:
    """What somebody who leads has in hand. ``condition`` belongs into every commit that only the leader may make."""

    def __init__(self, condition: Unchanged, lease: int, tenure: Tenure) -> None:
        self.condition = condition
        self.lease = lease
        self._tenure = tenure

    @property
    def certain(self) -> bool:
        """Whether nobody else can lead now; asked before an effect that the condition cannot guard."""
        return self._tenure.certain(asyncio.get_running_loop().time())


Work = Callable[[Leadership], Awaitable[None]]
"""What only the leader does: it is cancelled when the leadership ends."""


class Election:
    """Takes part in the election for one key."""

    def __init__(self, directory: Directory, key: str, candidate: str, ttl: float = TTL) -> None:
        """``candidate`` is stored for all to see, such as this manager's URL; ``ttl`` in seconds."""
        self._directory = directory
        self._key = key
        self._candidate = candidate
        self._ttl = ttl
        self.leadership: Leadership | None = None
        """While this one leads."""

    async def holder(self, *, stale: bool = False) -> str | None:
        """Who leads, None if nobody does.

        Raises:
            DirectoryUnavailable: it cannot be said.
        """
        entry = await self._directory.get(self._key, stale=stale)
        return None if entry is None else entry.value.decode()

    async def run(self, work: Work) -> None:
        """Stands for election endlessly, and does the work whenever this one leads.

        When the work returns or fails, which is logged, the leadership is given up, so that another may do better; when
        this is cancelled too.
        """
        while True:
            try:
                await self._one_round(work)
            except (DirectoryUnavailable, FateUnknown, LeaseGone, HistoryGone):
                await asyncio.sleep(_AGAIN_AFTER)

    async def _one_round(self, work: Work) -> None:
        found = await self._directory.scan(self._key, limit=1)
        if any(entry.key == self._key for entry in found.entries):
            await self._until_gone(found.revision)
        lease = await self._directory.grant(self._ttl)
        try:
            revision = await self._create(lease)
            if revision is None:
                return
            sent = asyncio.get_running_loop().time()
            left = await self._directory.keep_alive(lease)  # a back end may give more than was asked for
            await self._reign(work, Leadership(Unchanged(self._key, revision), lease, Tenure(sent, left)))
        finally:
            await self._give_up(lease)
        await asyncio.sleep(_STAND_AGAIN)

    async def _until_gone(self, after: int) -> None:
        async for change in self._directory.watch(self._key, after=after):
            if change.key == self._key and change.value is None:
                return
        raise DirectoryUnavailable  # it was closed

    async def _create(self, lease: int) -> int | None:
        """The revision of the key that says that we lead, None if somebody else was quicker."""
        try:
            return await self._directory.commit(
                [Unchanged(self._key, 0)], [Put(self._key, self._candidate.encode(), lease)]
            )
        except FateUnknown:
            entry = await self._directory.get(self._key)
            if entry is not None and entry.lease == lease:
                return entry.revision
            raise  # it may still come; giving up the lease takes care of that

    async def _reign(self, work: Work, leadership: Leadership) -> None:
        """Does the work until it ends, or the leadership does."""
        self.leadership = leadership
        log.info("leadership_began", key=self._key, revision=leadership.condition.revision)
        tasks = [
            asyncio.ensure_future(self._work(work, leadership)),
            asyncio.ensure_future(self._renew(leadership)),
            asyncio.ensure_future(self._notice_end(leadership)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.leadership = None
            log.info("leadership_ended", key=self._key, revision=leadership.condition.revision)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, work: Work, leadership: Leadership) -> None:
        try:
            await work(leadership)
        except Exception as error:  # noqa: BLE001 - another may do better
            log.error("task_failed", task=self._key, kind=type(error).__name__, at=code_path(error))  # noqa: TRY400

    async def _renew(self, leadership: Leadership) -> None:
        """Ends when the lease is gone, or could be."""
        tenure, clock = leadership._tenure, asyncio.get_running_loop().time  # noqa: SLF001 - our own
        while tenure.certain(clock()):
            await asyncio.sleep(min(tenure.next, tenure.end) - clock())
            sent = clock()
            try:
                async with asyncio.timeout_at(tenure.end):
                    tenure.renewed(sent, await self._directory.keep_alive(leadership.lease))
            except LeaseGone:
                return
            except (DirectoryUnavailable, TimeoutError):
                tenure.failed(clock())

    async def _notice_end(self, leadership: Leadership) -> None:
        """Ends when the key was deleted or is another's; a watch that fails leaves it to the renewals."""
        with contextlib.suppress(HistoryGone, DirectoryUnavailable):
            async for change in self._directory.watch(self._key, after=leadership.condition.revision):
                if change.key == self._key:
                    return
        await asyncio.Event().wait()

    async def _give_up(self, lease: int) -> None:
        """Lets the next one lead at once; if it cannot be said, the lease runs out."""
        with contextlib.suppress(DirectoryUnavailable, FateUnknown, TimeoutError):
            async with asyncio.timeout(_RESIGN_WITHIN):
                await self._directory.revoke(lease)
