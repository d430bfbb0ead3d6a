"""Driving one end: many callers who each hand over one message, wait until it is acknowledged, and take the next."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random

Deliver = Callable[[str], Awaitable[None]]
"""Hands over one text; returns once it is durable at the other end and acknowledged."""

_BYTES = 200
_rng = Random(1)  # noqa: S311 - the same words in each run
WORDS = ["".join(_rng.choices("aeioulnrstdm", k=_rng.randint(2, 9))) for _ in range(5000)]
_BODIES = [" ".join(_rng.choices(WORDS, k=60)) for _ in range(1000)]


def text(number: int) -> str:
    """A text of 200 bytes in words, so that a search index has its usual work; no other message has it."""
    return f"{number:09d} {_BODIES[number % len(_BODIES)]}"[:_BYTES]


async def stream(deliver: Deliver, outstanding: int, count: int) -> float:
    """Delivers ``count`` texts, never more than ``outstanding`` of them at a time: the seconds."""
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            await deliver(text(number))

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(outstanding)))
    return time.perf_counter() - start


async def one_at_a_time(deliver: Deliver, count: int) -> list[float]:
    """Delivers texts, each after the one before was acknowledged: the seconds of each."""
    took = []
    for number in range(count):
        start = time.perf_counter()
        await deliver(text(number))
        took.append(time.perf_counter() - start)
    return took
