"""Real nodes on hosts of their own, under every fault, judged by the validators.

A failure prints its seed; the same seed makes the same faults: TELEGRAPH_SEED=… .
"""

import os
from itertools import islice
from pathlib import Path

import pytest
from people import town
from storms import FAULTS, plan, run

SEED = int(os.environ.get("TELEGRAPH_SEED", "7"))
NAMES = ("alice", "bob", "carol", "dave", "erin")


def test_a_plan_depends_on_its_seed_alone_and_each_round_has_every_fault() -> None:
    rounds = list(islice(plan(SEED, NAMES), 3 * len(FAULTS)))

    assert rounds == list(islice(plan(SEED, NAMES), len(rounds)))
    assert rounds != list(islice(plan(SEED + 1, NAMES), len(rounds)))
    for start in range(0, len(rounds), len(FAULTS)):
        assert {blow.what for blow in rounds[start : start + len(FAULTS)]} == set(FAULTS)
    assert all(blow.victim != blow.other for blow in rounds)


@pytest.mark.timeout(300)
async def test_two_nodes_keep_every_promise_under_each_fault(tmp_path: Path) -> None:
    async with town(tmp_path, *NAMES[:2], seed=SEED, fake_clocks=True, small_disks=True) as running:
        violations = await run(running, SEED, blows=len(FAULTS), messages=500, pause=0.01, at_once=2)

    assert not violations, f"TELEGRAPH_SEED={SEED}: {violations[:5]}"


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("nodes", [2, 5])
async def test_a_hundred_thousand_messages_break_no_promise(tmp_path: Path, nodes: int) -> None:
    async with town(tmp_path, *NAMES[:nodes], seed=SEED, fake_clocks=True, small_disks=True) as running:
        violations = await run(running, SEED, blows=None, messages=100_000, writers=16 // nodes, at_once=2)

    assert not violations, f"TELEGRAPH_SEED={SEED}: {violations[:5]}"
