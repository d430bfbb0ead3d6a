"""A few at once, then at a steady pace."""

from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.bucket import Bucket


def test_a_burst_passes_then_one_each_interval() -> None:
    bucket = Bucket(3, 2.0, now=100.0)

    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(101.0)
    assert bucket.take(102.0)
    assert not bucket.take(102.0)


@given(st.lists(st.floats(0, 10), max_size=60))
def test_never_more_pass_than_the_burst_and_one_each_interval(steps: list[float]) -> None:
    now = 0.0
    bucket, passed = Bucket(4, 1.5, now), 0
    for step in steps:
        now += step
        passed += bucket.take(now)

    assert passed <= 4 + now / 1.5 + 1e-6


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    bucket = Bucket(1, 1.0, now=10.0)
    assert bucket.take(10.0)
    assert not bucket.take(5.0)
    assert not bucket.take(5.5)
