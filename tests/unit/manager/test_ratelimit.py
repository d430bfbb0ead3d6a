import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import RateLimited
from telegraph.manager import ratelimit
from telegraph.manager.moment import Moment
from telegraph.manager.ratelimit import FailureLimit

ALICE = ("alice", "192.0.2.1")


def at(seconds: float) -> Moment:
    return Moment(seconds, seconds)


def test_so_many_failures_are_allowed_and_no_more() -> None:
    limit = FailureLimit(3)
    for second in range(3):
        limit.begin(ALICE, at(second))
    with pytest.raises(RateLimited) as refused:
        limit.begin(ALICE, at(3))
    assert refused.value.retry_after == 57.0


def test_after_the_wait_that_was_told_one_more_is_allowed() -> None:
    limit = FailureLimit(2)
    limit.begin(ALICE, at(0))
    limit.begin(ALICE, at(30))
    with pytest.raises(RateLimited) as refused:
        limit.begin(ALICE, at(40))
    limit.begin(ALICE, at(40 + (refused.value.retry_after or 0)))
    with pytest.raises(RateLimited):
        limit.begin(ALICE, at(61))


def test_a_refused_attempt_does_not_make_the_wait_longer() -> None:
    limit = FailureLimit(1)
    limit.begin(ALICE, at(0))
    for second in range(1, 60):
        with pytest.raises(RateLimited):
            limit.begin(ALICE, at(second))
    limit.begin(ALICE, at(60))


def test_a_success_is_forgiven() -> None:
    limit = FailureLimit(1)
    for second in range(100):
        limit.begin(ALICE, at(second))
        limit.forgive(ALICE, at(second))


def test_attempts_that_run_at_once_do_not_slip_through() -> None:
    limit = FailureLimit(2)
    limit.begin(ALICE, at(0))
    limit.begin(ALICE, at(0))
    with pytest.raises(RateLimited):
        limit.begin(ALICE, at(0))
    limit.forgive(ALICE, at(0))
    limit.begin(ALICE, at(0))


def test_other_names_and_other_addresses_are_counted_apart() -> None:
    limit = FailureLimit(1)
    limit.begin(ALICE, at(0))
    limit.begin(("bob", ALICE[1]), at(0))
    limit.begin((ALICE[0], "192.0.2.2"), at(0))


def test_no_limit_is_no_limit() -> None:
    limit = FailureLimit(0)
    for _ in range(1000):
        limit.begin(ALICE, at(0))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "MAX_KEYS", 10)
    limit = FailureLimit(1)
    for number in range(1000):
        limit.begin((f"user{number}", "192.0.2.1"), at(number / 1000))
    assert len(limit._attempts) <= 10


def test_forgiving_what_is_not_known_changes_nothing() -> None:
    limit = FailureLimit(1)
    limit.forgive(ALICE, at(0))
    limit.begin(ALICE, at(0))
    limit.forgive(ALICE, at(1))
    with pytest.raises(RateLimited):
        limit.begin(ALICE, at(2))


@given(st.lists(st.floats(0, 300), max_size=60).map(sorted), st.integers(1, 5))
def test_no_minute_ever_has_more_failures_than_allowed(times: list[float], allowed: int) -> None:
    limit = FailureLimit(allowed)
    passed: list[float] = []
    for time in times:
        try:
            limit.begin(ALICE, at(time))
        except RateLimited:
            assert len([earlier for earlier in passed if earlier > time - 60]) >= allowed
        else:
            passed.append(time)
    for time in passed:
        assert len([other for other in passed if time <= other < time + 59.999]) <= allowed
