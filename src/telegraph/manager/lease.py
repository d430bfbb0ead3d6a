"""The manager's own lease, on which the attachments of its users hang (DESIGN.md 10.1).

As long as the manager lives it renews the lease; when it dies, the attachments vanish in one commit. A manager whose
lease ran out while it was paused or cut off makes another one, and attaches its users again
(:mod:`telegraph.manager.reattach`).
"""

import asyncio
import contextlib
from typing import Final

import structlog

from telegraph.directory.port import Directory, LeaseGone
from telegraph.errors import DirectoryUnavailable, FateUnknown

log = structlog.get_logger(__name__)

TTL: Final = 10.0
"""Seconds without a word after which a manager of several counts as dead."""

TTL_ALONE: Final = 60.0
"""The same for a manager that is the only one: nobody waits for its end, and each renewal is written to its disk."""

_RENEWALS: Final = 3
"""How many renewals fit into a lease: two may be lost."""

_AGAIN_AFTER: Final = 0.5
_END_WITHIN: Final = 1.0


class ManagerLease:
    """One lease after the other; at a time there is one."""

    def __init__(self, directory: Directory, ttl: float) -> None:
        """``ttl`` in seconds."""
        self._directory = directory
        self._ttl = ttl
        self._lease = 0
        self._granting = asyncio.Lock()

    async def current(self) -> int:
        """The lease, a new one if there is none.

        Raises:
            DirectoryUnavailable: none can be had.
        """
        if self._lease:
            return self._lease
        async with self._granting:
            if not self._lease:
                self._lease = await self._directory.grant(self._ttl)
        return self._lease

    def gone(self, lease: int) -> None:
        """A lease ran out."""
        if lease == self._lease:
            log.warning("lease_lost")
            self._lease = 0

    async def keep(self) -> None:
        """Renews it endlessly."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            try:
                pause = await self.renew() / _RENEWALS
            except (DirectoryUnavailable, FateUnknown):
                pause = _AGAIN_AFTER

    async def renew(self) -> float:
        """Renews it, or makes another one if it is gone: the seconds that it has.

        Raises:
            DirectoryUnavailable, FateUnknown: it could not be asked for.
        """
        while True:
            lease = await self.current()
            try:
                return await self._directory.keep_alive(lease)
            except LeaseGone:
                self.gone(lease)

    async def end(self) -> None:
        """The manager stops: its users are attached to nobody from now on. If it cannot be said, the lease runs out."""
        lease, self._lease = self._lease, 0
        if not lease:
            return
        with contextlib.suppress(DirectoryUnavailable, FateUnknown, TimeoutError):
            async with asyncio.timeout(_END_WITHIN):
                await self._directory.revoke(lease)
