"""A group of real managers on hosts of their own survives what it must, and alice and bob chat through all of it.

A failure prints its seed and where the histories are; TELEGRAPH_SEED=… begins with the same calls again.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster_town import GroupTown, endure
from directory_load import Fault
from planted_manager import BUGS

from telegraph.testing.switch import Line

SEED = int(os.environ.get("TELEGRAPH_SEED", "23"))
SLOW, VERY_SLOW = 0.3, 1.5
"""Seconds for each sync: of a disk that is shared with too many, and of one with which nobody leads for long."""

BAD = Line(lose=0.1, delay=0.1, jitter=0.02)


def short(town: GroupTown, losses: int, hold: float) -> list[tuple[str, Fault]]:
    return [
        ("kill -9 of the leader", town.killed(losses, hold)),
        ("SIGSTOP of the leader", town.paused(losses, hold)),
        ("leader cut off", town.cut(losses, hold)),
        ("leader not heard", town.cut(losses, hold, one_way=True)),
        ("slow disk of the leader", town.slow_disk(hold, SLOW)),
    ]


def long(town: GroupTown, losses: int) -> list[tuple[str, Fault]]:
    return [
        *short(town, losses, 6.0),
        ("disk of the leader slower than an election", town.slow_disk(6.0, VERY_SLOW)),
        ("10 % loss, 100 ms delay", town.bad_lines(15.0, BAD)),
        ("cold start", town.cold_start(2.0)),
        ("data lost", town.data_lost()),
        *short(town, losses, 1.0)[:-1],  # not the slow disk again, see docs/explanation/faults.md
    ]


async def survives(
    tmp_path: Path, managers: int, plan: Callable[[GroupTown], list[tuple[str, Fault]]], operations: int, clients: int
) -> None:
    async with GroupTown(tmp_path, managers, SEED) as town:
        try:
            load, violations = await endure(town, SEED, plan(town), operations=operations, clients=clients)
        except BaseException:
            print(town.logs())  # noqa: T201 - pytest shows it with the failure
            raise
    assert not violations, f"TELEGRAPH_SEED={SEED}: {violations[0]}"
    assert load.counts["Register created"] > 30


@pytest.mark.timeout(300)
async def test_three_managers_survive_the_loss_of_their_leader_in_each_manner(tmp_path: Path) -> None:
    await survives(tmp_path, 3, lambda town: short(town, 1, 3.0), operations=300, clients=6)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("losses", [1, 2])
async def test_ten_thousand_calls_while_as_many_fail_as_may(tmp_path: Path, losses: int) -> None:
    await survives(tmp_path, 2 * losses + 1, lambda town: long(town, losses), operations=10_000, clients=12)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", BUGS)
async def test_a_bug_in_real_managers_is_caught(tmp_path: Path, bug: str) -> None:
    async with GroupTown(tmp_path, 3, SEED, bug) as town:
        faults = [("leader cut off", town.cut(1, 5.0))] if bug == "read_without_quorum" else []
        _, violations = await endure(town, SEED, faults, operations=1000, clients=8)

    assert BUGS[bug][1] in {violation.promise for violation in violations}
