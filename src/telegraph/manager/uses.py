"""When each session was last used: in memory to the second, in the directory to the hour."""

import asyncio
from typing import Final

import msgspec
import structlog

from telegraph.directory import records
from telegraph.directory.port import Directory, Put
from telegraph.directory.records import Use
from telegraph.errors import Unavailable
from telegraph.manager.moment import Moment
from telegraph.manager.sessions import Caller

log = structlog.get_logger(__name__)

WRITTEN_EVERY: Final = 3600.0
"""Seconds between two writes for one session: a heartbeat never is one (DESIGN.md 10.1)."""

WRITTEN_WITHIN: Final = 0.4
"""Seconds that a call spends on it at most: where the directory does not answer, heartbeats must be answered still."""

MAX_SESSIONS: Final = 100_000
"""Sessions that are remembered; beyond that the ones that are known longest are looked up anew."""


class _Last(msgspec.Struct):
    seen: Moment
    written: float


class Uses:
    """Remembers the last use of each session."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._last: dict[str, _Last] = {}

    def begin(self, token_hash: str, now: Moment) -> None:
        """A session has just begun, which its own record says."""
        self._remember(token_hash, now, now.wall)

    def _remember(self, token_hash: str, now: Moment, written: float) -> None:
        self._last[token_hash] = _Last(now, written)
        if len(self._last) > MAX_SESSIONS:
            del self._last[next(iter(self._last))]

    async def note(self, caller: Caller, now: Moment) -> None:
        """A session is used. That this cannot be written now is no reason to refuse what it is used for."""
        known = self._last.get(caller.token_hash)
        if known is not None and now.wall - known.written < WRITTEN_EVERY:
            known.seen = now
            return
        self._remember(caller.token_hash, now, now.wall)
        try:
            async with asyncio.timeout(WRITTEN_WITHIN):
                if known is not None or await self._is_old(caller, now):
                    await self._write(caller, now)
        except (Unavailable, TimeoutError) as away:
            log.info("use_not_written", kind=type(away).__name__)

    async def _is_old(self, caller: Caller, now: Moment) -> bool:
        stored = await self.stored(caller.user_id, caller.token_hash)
        return stored is None or stored < now.earlier(WRITTEN_EVERY).text

    async def _write(self, caller: Caller, now: Moment) -> None:
        stored = await self.stored(caller.user_id, caller.token_hash)
        if stored is not None and stored >= now.text:
            return  # another site, whose clock is ahead, was told of a later use
        place = records.use_key(caller.user_id, caller.token_hash)
        await self._directory.commit([caller.alive], [Put(place, records.encode(Use(now.text)))])

    async def stored(self, user_id: str, token_hash: str) -> str | None:
        """What the directory says, RFC 3339, an hour late at most."""
        entry = await self._directory.get(records.use_key(user_id, token_hash))
        return None if entry is None else records.decode(entry.value, Use).at

    async def last(self, user_id: str, token_hash: str) -> str | None:
        """When a session was last used, as far as is known; None: not since it began, or not known."""
        known = self._last.get(token_hash)
        return known.seen.text if known is not None else await self.stored(user_id, token_hash)

    def forget(self, token_hash: str) -> None:
        """The session has ended."""
        self._last.pop(token_hash, None)
