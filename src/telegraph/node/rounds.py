"""Tells people in person where this node is, while no manager does it.

After a start and after each move, whoever is talked with is visited: a link is made, whose greeting says it, and stays.
Who cannot be reached is tried again, less and less often.
"""

import asyncio
import contextlib
from collections.abc import Callable
from random import Random
from typing import Final, Protocol

from telegraph.node.backoff import Backoff

MOST: Final = 64
"""People visited: those of the latest conversations. Each keeps a link open."""

FIRST_ROUND: Final = 2.0
"""Seconds that managers get before this node sets out by itself, and until a second round."""

LAST_ROUND: Final = 300.0
_APART: Final = 0.05
"""Seconds between two visits, so that a start is no burst."""


class Around(Protocol):
    """What the rounds need of the node around them."""

    def untold(self, most: int) -> list[int]:
        """Of the people of the latest conversations those who do not know where this node is now."""
        ...

    def visit(self, contact_id: int) -> None:
        """Makes a link to somebody if there is none."""
        ...


class Rounds:
    """Goes round while :meth:`run` runs."""

    def __init__(
        self, around: Around, managers_away: Callable[[], bool], rng: Random, first: float = FIRST_ROUND
    ) -> None:
        self._around = around
        self._managers_away = managers_away
        self._backoff = Backoff(first, LAST_ROUND, rng)
        self._news = asyncio.Event()

    def hurry(self) -> None:
        """This node has moved, or can reach others again: a round now."""
        self._backoff.reset()
        self._news.set()

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.next()):
                    await self._news.wait()
            self._news.clear()
            if self._managers_away():
                await self._round()
            else:
                self._backoff.reset()

    async def _round(self) -> None:
        for contact_id in self._around.untold(MOST):
            self._around.visit(contact_id)
            await asyncio.sleep(_APART)
