import asyncio
import time

import pytest

from telegraph.testing.virtual_time import Stuck, run


def test_a_year_passes_at_once() -> None:
    async def wait() -> float:
        await asyncio.sleep(365 * 24 * 3600)
        return asyncio.get_running_loop().time()

    before = time.monotonic()

    assert run(wait()) == pytest.approx(365 * 24 * 3600)
    assert time.monotonic() - before < 10


def test_sleepers_wake_in_the_order_of_their_times() -> None:
    woken: list[float] = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(seconds)

    async def night() -> None:
        await asyncio.gather(*(sleep(seconds) for seconds in (3.0, 1.0, 2.0)))

    run(night())

    assert woken == [1.0, 2.0, 3.0]


def test_time_stands_still_while_somebody_works() -> None:
    async def work() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        before = loop.time()
        for _ in range(1000):
            await asyncio.sleep(0)
        return before, loop.time()

    before, after = run(work())

    assert before == after


def test_a_time_limit_is_kept_in_virtual_seconds() -> None:
    async def hurry() -> None:
        async with asyncio.timeout(5):
            await asyncio.sleep(6)

    with pytest.raises(TimeoutError):
        run(hurry())


def test_waiting_for_what_never_happens_is_noticed() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        run(wait())
