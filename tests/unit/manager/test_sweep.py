"""Doing something for many users at once: what one failure means for the others."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import Conflict, DirectoryUnavailable, TelegraphError
from telegraph.manager.sweep import AT_ONCE, for_each
from telegraph.testing.virtual_time import run

Outcome = bool | type[TelegraphError]
OUTCOMES = st.lists(st.sampled_from([True, False, Conflict, DirectoryUnavailable]), max_size=3 * AT_ONCE)


class Town:
    """Users by number, each of whom takes a while and ends as was said."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        self.outcomes = outcomes
        self.users = [str(number) for number in range(len(outcomes))]
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.running = self.most = 0

    async def visit(self, user: str) -> bool:
        self.begun.append(user)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(1 + int(user) % 3)
            outcome = self.outcomes[int(user)]
            if not isinstance(outcome, bool):
                raise outcome
            return outcome
        finally:
            self.running -= 1
            self.ended.append(user)


async def visits(town: Town) -> int | TelegraphError:
    try:
        return await for_each(town.users, town.visit)
    except TelegraphError as failure:
        return failure


@given(OUTCOMES)
def test_nobody_is_left_running_and_a_failure_is_told(outcomes: list[Outcome]) -> None:
    town = Town(outcomes)
    told = run(visits(town))
    assert (town.running, sorted(town.begun)) == (0, sorted(town.ended))
    assert town.most <= AT_ONCE
    failed = [outcomes[int(user)] for user in town.begun if not isinstance(outcomes[int(user)], bool)]
    if failed:
        assert type(told) in failed
    else:
        assert (told, len(town.begun)) == (outcomes.count(True), len(outcomes))


def test_one_about_whom_others_write_all_the_time_keeps_nobody_waiting() -> None:
    town = Town([Conflict, *[True] * (3 * AT_ONCE)])
    assert isinstance(run(visits(town)), Conflict)
    assert town.ended != town.users
    assert sorted(town.ended) == sorted(town.users)


@pytest.mark.parametrize("failures", [[DirectoryUnavailable], [Conflict] * AT_ONCE])
def test_where_nothing_can_be_written_no_further_ones_are_begun_with(failures: list[Outcome]) -> None:
    town = Town([*failures, *[True] * (3 * AT_ONCE)])
    assert isinstance(run(visits(town)), TelegraphError)
    assert len(town.ended) == AT_ONCE


def test_a_leader_who_is_stopped_leaves_nobody_running() -> None:
    async def story() -> Town:
        town = Town([True] * 3)
        sweeping = asyncio.create_task(for_each(town.users, town.visit))
        await asyncio.sleep(0.5)
        sweeping.cancel()
        await asyncio.wait([sweeping])
        assert sweeping.cancelled()
        return town

    town = run(story())
    assert (town.running, len(town.ended)) == (0, 3)
