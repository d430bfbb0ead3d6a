"""Background tasks that outlive their mistakes: one that fails is logged and begun again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from telegraph.tracing import code_path

log = structlog.get_logger(__name__)

_AGAIN_AFTER: Final = 1.0
_WELL_AFTER: Final = 10.0
"""Seconds that a task goes on after a failure until that is taken to be over."""


async def supervise(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs work until it returns; after an error, again a second later.

    The same failure again and again (a disk that is full) is logged once, and that it is over as well.
    """
    trouble = _Trouble(name)
    while True:
        over = trouble.over_soon()
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - it must go on, whatever it was
            trouble.happened(error)
        else:
            return
        finally:
            if over is not None:
                over.cancel()
        await asyncio.sleep(_AGAIN_AFTER)


class _Trouble:
    """The failure of a task that was logged last, until it is over."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told: tuple[str, str] | None = None

    def happened(self, error: Exception) -> None:
        what = type(error).__name__, code_path(error)
        if what != self._told:
            log.error("task_failed", task=self._name, kind=what[0], at=what[1])  # no values of messages in logs
        self._told = what

    def over_soon(self) -> asyncio.TimerHandle | None:
        """The task begins anew: a timer that says that all is well, to be cancelled if it is not."""
        return None if self._told is None else asyncio.get_running_loop().call_later(_WELL_AFTER, self._over)

    def _over(self) -> None:
        self._told = None
        log.info("task_goes_on", task=self._name)
