"""Background tasks that outlive their mistakes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

_AGAIN_AFTER: Final = 1.0


async def keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs work again and again until cancelled; after an error, a second later."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("task_failed", task=name)
            await asyncio.sleep(_AGAIN_AFTER)
