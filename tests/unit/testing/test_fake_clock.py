import asyncio
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.testing.clock import START, FakeClock


async def test_time_stands_still_until_it_is_moved() -> None:
    clock = FakeClock()
    assert clock.now() == START
    await clock.advance(90)
    assert clock.now() == START + timedelta(seconds=90)
    assert clock.time() == START.timestamp() + 90


async def test_a_sleeper_wakes_at_its_time_and_not_before() -> None:
    clock = FakeClock()
    sleeping = asyncio.create_task(clock.sleep(5))
    await clock.advance(4.999)
    assert not sleeping.done()
    await clock.advance(0.001)
    assert sleeping.done()
    assert clock.waiting == 0


async def test_each_timer_sees_its_own_time_however_far_the_clock_is_moved() -> None:
    clock = FakeClock()
    seen: list[tuple[str, float]] = []

    async def beat(name: str, every: float) -> None:
        while True:
            await clock.sleep(every)
            seen.append((name, clock.time() - START.timestamp()))

    tasks = [asyncio.create_task(beat("slow", 3)), asyncio.create_task(beat("quick", 2))]
    await clock.advance(6)
    for task in tasks:
        task.cancel()
    assert seen == [("quick", 2), ("slow", 3), ("quick", 4), ("slow", 6), ("quick", 6)]


async def test_timers_of_one_time_go_off_in_the_order_of_their_making() -> None:
    clock = FakeClock()
    order: list[int] = []
    for number in range(5):
        clock.call_later(1, partial(order.append, number))
    await clock.advance(1)
    assert order == [0, 1, 2, 3, 4]


async def test_a_timer_that_sets_another_within_the_time_has_it_go_off_too() -> None:
    clock = FakeClock()
    order: list[str] = []

    def first() -> None:
        order.append("first")
        clock.call_later(1, lambda: order.append("second"))

    clock.call_later(1, first)
    await clock.advance(2)
    assert order == ["first", "second"]


async def test_a_cancelled_timer_does_not_go_off() -> None:
    clock = FakeClock()
    order: list[str] = []
    timer = clock.call_later(1, lambda: order.append("never"))
    timer.cancel()
    timer.cancel()
    sleeping = asyncio.create_task(clock.sleep(1))
    await clock.advance(0.5)
    sleeping.cancel()
    await clock.advance(10)
    assert order == []
    assert sleeping.cancelled()
    assert clock.waiting == 0


async def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="back"):
        await FakeClock().advance(-1)


async def test_no_wait_at_all_still_lets_others_run() -> None:
    clock = FakeClock()
    sleeping = asyncio.create_task(clock.sleep(0))
    await clock.advance(0)
    assert sleeping.done()


@given(waits=st.lists(st.floats(0, 100), max_size=20), moves=st.lists(st.floats(0, 30), min_size=1, max_size=10))
def test_sleepers_wake_in_the_order_of_their_times_whatever_the_moves(waits: list[float], moves: list[float]) -> None:
    async def story() -> None:
        clock = FakeClock()
        woken: list[int] = []

        async def sleep(number: int) -> None:
            await clock.sleep(waits[number])
            woken.append(number)

        tasks = [asyncio.create_task(sleep(number)) for number in range(len(waits))]
        for move in [*moves, 101]:
            await clock.advance(move)
        await asyncio.gather(*tasks)
        due = [START + timedelta(seconds=wait) for wait in waits]
        assert woken == sorted(range(len(waits)), key=lambda number: (due[number], number))

    asyncio.run(story())
