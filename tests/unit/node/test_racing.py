"""Asking several managers: the next after a failure or a moment of silence, in virtual time."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import ManagerAway, NoQuorum, Unavailable, UnknownUser
from telegraph.node.racing import first_answer, more_telling
from telegraph.testing.virtual_time import run

PATIENCE, WITHIN = 0.35, 5.0


class Managers:
    """What each does: after so many seconds (None: never) it gives or raises something."""

    def __init__(self, *behaviour: tuple[float | None, Any]) -> None:
        self.behaviour = {str(number): each for number, each in enumerate(behaviour)}
        self.asked: list[tuple[str, float]] = []
        self.failed: list[tuple[str, str]] = []
        self.given_up: list[str] = []

    async def _ask(self, url: str) -> Any:
        self.asked.append((url, asyncio.get_running_loop().time()))
        seconds, what = self.behaviour[url]
        try:
            if seconds is None:
                await asyncio.Event().wait()
            else:
                await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.given_up.append(url)
            raise
        if isinstance(what, Exception):
            raise what
        return what

    def race(self) -> tuple[Any, float]:
        """The outcome, and the seconds that it took."""

        async def timed() -> tuple[Any, float]:
            try:
                outcome: Any = await first_answer(
                    list(self.behaviour),
                    self._ask,
                    lambda url, problem: self.failed.append((url, problem.code)),
                    patience=PATIENCE,
                    within=WITHIN,
                )
            except Exception as error:  # noqa: BLE001 - whatever it was, the test looks at it
                outcome = error
            return outcome, asyncio.get_running_loop().time()

        return run(timed())


FROZEN = (None, None)
DEAD = (0.0, ManagerAway())


def test_one_that_answers_is_the_only_one_asked() -> None:
    managers = Managers((0.2, "yes"), (0.0, "no"))
    outcome, seconds = managers.race()
    assert outcome == ("0", "yes")
    assert seconds == pytest.approx(0.2)
    assert managers.asked == [("0", 0.0)]


def test_after_a_failure_the_next_is_asked_at_once() -> None:
    managers = Managers(DEAD, (0.0, "yes"))
    assert managers.race() == (("1", "yes"), 0.0)
    assert managers.failed == [("0", "manager_away")]


def test_after_a_moment_of_silence_the_next_is_asked_too_and_the_first_counts_as_failed() -> None:
    managers = Managers(FROZEN, (0.0, "yes"))
    outcome, seconds = managers.race()
    assert outcome == ("1", "yes")
    assert seconds == pytest.approx(PATIENCE)
    assert managers.failed == [("0", "manager_away")]
    assert managers.given_up == ["0"]


def test_with_two_frozen_of_three_there_is_an_answer_within_a_second() -> None:
    outcome, seconds = Managers(FROZEN, FROZEN, (0.05, "yes")).race()
    assert outcome == ("2", "yes")
    assert seconds < 1


def test_a_slow_one_still_wins_over_a_frozen_one() -> None:
    managers = Managers((0.6, "late"), FROZEN)
    assert managers.race()[0] == ("0", "late")
    assert managers.failed == []


def test_a_refusal_is_an_answer() -> None:
    managers = Managers((0.0, UnknownUser(username="x")), (0.0, "yes"))
    assert isinstance(managers.race()[0], UnknownUser)
    assert len(managers.asked) == 1


def test_if_all_fail_the_reason_that_says_most_is_raised() -> None:
    assert isinstance(Managers(DEAD, (0.1, NoQuorum()), DEAD).race()[0], NoQuorum)
    assert isinstance(Managers(DEAD, DEAD).race()[0], ManagerAway)
    assert isinstance(Managers().race()[0], ManagerAway)


def test_if_all_are_frozen_it_ends_in_time_and_all_count_as_failed() -> None:
    managers = Managers(FROZEN, FROZEN)
    outcome, seconds = managers.race()
    assert isinstance(outcome, ManagerAway)
    assert seconds == pytest.approx(WITHIN)
    assert sorted(url for url, _ in managers.failed) == ["0", "1"]


_behaviour = st.tuples(
    st.none() | st.floats(min_value=0, max_value=8),
    st.sampled_from(["yes", ManagerAway(), NoQuorum(), UnknownUser(username="x")]),
)


@given(st.lists(_behaviour, max_size=5))
def test_whoever_would_answer_in_time_is_heard_and_nobody_is_asked_twice(
    behaviour: list[tuple[float | None, Any]],
) -> None:
    managers = Managers(*behaviour)
    outcome, seconds = managers.race()
    assert seconds <= WITHIN + 1e-6
    asked = [url for url, _ in managers.asked]
    assert asked == sorted(set(asked))
    if isinstance(outcome, Unavailable):
        for number, (takes, what) in enumerate(behaviour):
            begun = dict(managers.asked).get(str(number), 0.0)
            answers = takes is not None and begun + takes < WITHIN - 1e-6 and str(number) in asked
            assert not (answers and not isinstance(what, Unavailable))
    assert not asyncio.iscoroutine(outcome)


def test_of_two_reasons_the_one_that_says_more_is_kept() -> None:
    away, closed = ManagerAway(), NoQuorum()
    assert more_telling(None, away) is away
    assert more_telling(away, closed) is closed
    assert more_telling(closed, away) is closed
