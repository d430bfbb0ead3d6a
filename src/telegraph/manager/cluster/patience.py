"""Doing again what the directory refuses for now: an election, a change of members that has not settled yet."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from telegraph.errors import Unavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

_AGAIN_AFTER: Final = 0.5
PATIENCE: Final = 60.0
"""Seconds for what is refused for now. Changes of members take longest: etcd wants every member to have been there for
5 s ("unhealthy cluster"), one learner at a time, and a learner that has caught up."""


async def patiently(what: Callable[[], Awaitable[T]], within: float = PATIENCE, pause: float = _AGAIN_AFTER) -> T:
    """Does something again and again until it is not refused; it must bear repetition.

    Raises:
        Unavailable: it was refused all the time.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        try:
            return await what()
        except Unavailable as refused:
            if loop.time() >= deadline:
                raise
            log.info("directory_awaited", code=refused.code)
            await asyncio.sleep(pause)
