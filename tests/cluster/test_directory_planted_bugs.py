"""A directory with a bug in it is noticed; without one, whatever its group goes through, nothing is."""

import pytest
from directory_load import Load
from directory_simulation import BUGS, simulate

from telegraph.testing.directory_model import judge

SEEDS = range(3)
MANY_SEEDS = range(100)
TRIED = range(12)
"""A bug has so many chances to show itself: what goes wrong in it is rare as well."""


def clean(seed: int) -> None:
    load = simulate(seed)
    violations = judge(load.records)

    assert not violations, f"seed {seed}: {load.report()}\n{violations[0].sentence}"
    assert load.counts["Register created"] > 10
    assert load.counts["ChangePassword ok"] > 5


@pytest.mark.parametrize("seed", SEEDS)
def test_managers_keep_every_promise_whatever_happens_to_their_group(seed: int) -> None:
    clean(seed)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_managers_keep_every_promise_a_hundred_times() -> None:
    for seed in MANY_SEEDS:
        clean(seed)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught(bug: str) -> None:
    promise = BUGS[bug][2]

    assert any(promise in {violation.promise for violation in judge(simulate(seed, bug).records)} for seed in TRIED)


def test_a_simulation_depends_on_its_seed_alone() -> None:
    one, other, third = (simulate(seed, operations=60) for seed in (1, 1, 2))

    assert moments(one) == moments(other)
    assert moments(one) != moments(third)


def moments(load: Load) -> list[tuple[float, float | None]]:
    return [(record.called, record.returned) for record in load.records]
