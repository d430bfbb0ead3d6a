"""Breadth: many short lives in virtual time, each with faults of its own, judged by the validators."""

import os
from collections import Counter

import pytest
from planted import BUGS
from simulation import SimTown

from telegraph.testing import virtual_time
from telegraph.testing.history import Fault, Record, Returned
from telegraph.testing.validators import check

FEW, MANY = 40, 1000
FIRST_SEED = int(os.environ.get("TELEGRAPH_SEED", "1"))
"""The seed of a failed run, to see it again: TELEGRAPH_SEED=…"""

PEOPLE = ("alice", "bob", "carol", "dave", "erin")


def live(seed: int, names: tuple[str, ...] = ("alice", "bob"), *, patient: bool = True) -> list[Record]:
    """The records of one life, which comes to rest if one is ``patient``."""

    async def whole() -> list[Record]:
        town = SimTown(seed, names)
        history = await town.live()
        assert not (patient and town.restless), f"these never came to rest: {town.restless}"
        return history.records

    return virtual_time.run(whole())


def run_all(seeds: range, names: tuple[str, ...]) -> None:
    faults: Counter[str] = Counter()
    returned = 0
    for seed in seeds:
        try:
            records = live(seed, names)
        except BaseException as error:
            error.add_note(f"TELEGRAPH_SEED={seed}")
            raise
        violations = check(records)
        assert not violations, f"TELEGRAPH_SEED={seed}: {violations[:5]}"
        faults.update(record.what for record in records if isinstance(record, Fault))
        returned += sum(isinstance(record, Returned) for record in records)
    print(f"\nseeds {seeds.start} to {seeds.stop - 1}: {returned} messages, faults {dict(faults)}")  # noqa: T201 - the report
    assert returned > 20 * len(seeds)


def test_two_people_keep_every_promise_through_many_lives_with_faults() -> None:
    run_all(range(FIRST_SEED, FIRST_SEED + FEW), ("alice", "bob"))


def test_five_people_keep_every_promise_through_many_lives_with_faults() -> None:
    run_all(range(FIRST_SEED, FIRST_SEED + FEW // 4), PEOPLE)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("names", [("alice", "bob"), PEOPLE])
def test_thousands_of_lives_break_no_promise(names: tuple[str, ...]) -> None:
    run_all(range(FIRST_SEED + FEW, FIRST_SEED + FEW + MANY), names)


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_planted_bug_is_caught_by_the_validator_of_the_promise_that_it_breaks(
    bug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, promise = BUGS[bug]
    plant(monkeypatch.setattr)

    for seed in range(FIRST_SEED, FIRST_SEED + FEW):
        broken = {violation.promise for violation in check(live(seed, patient=False))}
        if promise in broken:
            return
    pytest.fail(f"{bug} went unnoticed in {FEW} lives")


def test_the_same_seed_is_the_same_run() -> None:
    assert live(FIRST_SEED) == live(FIRST_SEED)
    assert live(FIRST_SEED) != live(FIRST_SEED + 1)
