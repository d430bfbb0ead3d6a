"""Background tasks that outlive their mistakes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from telegraph.tracing import code_path

log = structlog.get_logger(__name__)

_AGAIN_AFTER: Final = 1.0


async def keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs work again and again until cancelled; after an error, a second later."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it is, the task goes on
            log.error("task_failed", task=name, kind=type(error).__name__, at=code_path(error))  # noqa: TRY400 - its text may hold what nobody should read
            await asyncio.sleep(_AGAIN_AFTER)
