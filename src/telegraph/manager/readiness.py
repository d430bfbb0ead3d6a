"""Whether a manager can do its work: its directory answers what must not be stale; in a group that takes a quorum."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from telegraph.directory import records
from telegraph.directory.port import Directory
from telegraph.errors import TelegraphError

log = structlog.get_logger(__name__)

_LOOK_EVERY: Final = 1.0
"""Seconds between two looks."""

_LOOK_AGAIN: Final = 0.2
"""Seconds until the next look after one that failed: calls are refused until it is noticed that all is well again."""

_FAILURES: Final = 2
"""Looks in a row that must fail: while a leader is being elected one may, and nobody has to go elsewhere for that."""


async def problem_of(directory: Directory) -> str | None:
    """The code of the error that keeps a directory from answering; None if it does."""
    try:
        await directory.get(records.REGISTRATION)
    except TelegraphError as error:
        return error.code
    return None


class Readiness:
    """Looks again and again, and tells when the answer becomes another one."""

    def __init__(self, directory: Directory, tell: Callable[[bool], None]) -> None:
        self._directory = directory
        self._tell = tell
        self._failures = 0

    async def watch(self) -> None:
        """Looks endlessly."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_AGAIN if self._failures else _LOOK_EVERY)

    async def look(self) -> None:
        """Looks once."""
        problem = await problem_of(self._directory)
        before = self._failures < _FAILURES
        self._failures = 0 if problem is None else self._failures + 1
        ready = self._failures < _FAILURES
        if ready != before:
            log.warning("readiness_changed", ready=ready, problem=problem)
            self._tell(ready)
