"""Background tasks that outlive their mistakes: one that fails is logged and begun again."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from telegraph.tracing import code_path

log = structlog.get_logger(__name__)

_AGAIN_AFTER = 1.0


async def supervise(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs work until it returns; after an error, again a second later."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - it must go on, whatever it was
            kind, at = type(error).__name__, code_path(error)
            log.error("task_failed", task=name, kind=kind, at=at)  # noqa: TRY400 - no values of messages in logs
            await asyncio.sleep(_AGAIN_AFTER)
        else:
            return
