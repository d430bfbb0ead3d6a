from random import Random

from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.backoff import Backoff


@given(st.floats(min_value=0.01, max_value=5), st.floats(min_value=5, max_value=100), st.integers())
def test_waits_double_up_to_the_ceiling_and_always_have_jitter(first: float, ceiling: float, seed: int) -> None:
    backoff, bound = Backoff(first, ceiling, Random(seed)), first
    for _ in range(20):
        assert bound / 2 <= backoff.next() <= bound
        bound = min(bound * 2, ceiling)


def test_good_news_begins_anew() -> None:
    backoff = Backoff(0.5, 60, Random(1))
    for _ in range(10):
        backoff.next()

    backoff.reset()

    assert backoff.next() <= 0.5


def test_two_who_failed_together_do_not_come_back_together() -> None:
    waits = {Backoff(1, 60, Random(seed)).next() for seed in range(50)}

    assert len(waits) == 50
