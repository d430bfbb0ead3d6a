from hypothesis import given
from hypothesis import strategies as st

from telegraph.storage.gathering import IDLE_TURNS, MAX_BATCH, Gathering, share_of


def _turns(gathering: Gathering, waiting: list[int]) -> int:
    """How many turns pass until the commit begins, when so many wait after each."""
    for turn, count in enumerate(waiting, start=1):
        if not gathering.goes_on(count):
            return turn
    raise AssertionError("it waits for ever")


def test_one_who_is_alone_is_not_kept_waiting() -> None:
    gathering = Gathering()
    gathering.begin(0)
    assert _turns(gathering, [1] * 10) == 1


def test_callers_who_hand_in_turn_by_turn_share_one_commit() -> None:
    gathering = Gathering()
    gathering.last = 64
    gathering.begin(0)
    assert _turns(gathering, [2, 2, 3, 3, 3, 9, 9, 9, 9]) == 9


def test_after_some_turns_that_bring_nobody_the_commit_begins() -> None:
    gathering = Gathering()
    gathering.last = 64
    gathering.begin(0)
    assert _turns(gathering, [1] * 10) == IDLE_TURNS


def test_while_others_are_under_way_even_the_first_waits_for_company() -> None:
    gathering = Gathering()
    gathering.begin(40)
    assert _turns(gathering, [1] * 10) == IDLE_TURNS


def test_a_full_batch_waits_for_nobody() -> None:
    gathering = Gathering()
    gathering.begin(0)
    assert not gathering.goes_on(MAX_BATCH)


def test_half_of_what_is_under_way_goes_into_one_commit() -> None:
    assert share_of(64, 0) == 32
    assert share_of(32, 32) == 32
    assert share_of(100, 300) == 100


def test_a_few_are_not_divided() -> None:
    assert [share_of(count, 0) for count in (1, 2, 16)] == [1, 2, 16]


def test_where_nothing_comes_back_all_go_at_once() -> None:
    assert share_of(500, None) == 500
    assert share_of(MAX_BATCH + 1, None) == MAX_BATCH


@given(st.integers(1, 5000), st.none() | st.integers(0, 5000))
def test_somebody_always_goes_and_never_more_than_wait_or_fit(waiting: int, under_way: int | None) -> None:
    assert 1 <= share_of(waiting, under_way) <= min(waiting, MAX_BATCH)
