from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.guesses import Guesses


def test_five_guesses_are_free_then_each_costs_twice_the_wait_of_the_one_before() -> None:
    guesses = Guesses()
    waits = []
    for now in range(0, 900, 100):
        assert guesses.wait(now) == 0
        guesses.wrong(now)
        waits.append(guesses.wait(now))
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16]


def test_the_right_one_forgives_all() -> None:
    guesses = Guesses()
    for _ in range(9):
        guesses.wrong(0)
    guesses.right()
    assert guesses.wait(0) == 0


@given(st.integers(min_value=1, max_value=2000))
def test_nobody_waits_longer_than_a_minute(wrong: int) -> None:
    guesses = Guesses()
    for _ in range(wrong):
        guesses.wrong(0)
    assert 0 <= guesses.wait(0) <= 60
