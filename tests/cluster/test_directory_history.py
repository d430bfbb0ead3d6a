"""A real manager is killed while many people use it: the history of what they were told is linearizable.

A failure prints its seed and where the history is; TELEGRAPH_SEED=… begins with the same calls again.
"""

import asyncio
import os
from pathlib import Path

import pytest
from directory_load import Load
from directory_town import Https, OneManager, put_to_the_test

SEED = int(os.environ.get("TELEGRAPH_SEED", "11"))


async def pestered(tmp_path: Path, *, operations: int, kills: int, clients: int) -> Load:
    with OneManager(tmp_path / "manager") as manager:
        caller = Https([manager.url], manager.ca)

        async def kill() -> None:
            await asyncio.sleep(0.7)  # so that there is something to lose
            await manager.killed_and_started()

        load = Load(caller, SEED, clients=clients)
        try:
            faults = [("kill -9", kill)] * kills
            violations = await put_to_the_test(load, operations, faults, tmp_path / "history.jsonl")
        finally:
            await caller.close()
    assert not violations, f"TELEGRAPH_SEED={SEED}"
    return load


async def test_a_manager_killed_under_traffic_forgets_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    load = await pestered(tmp_path, operations=400, kills=2, clients=6)

    assert load.counts["Register created"] > 20


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_ten_thousand_calls_and_twenty_kills(tmp_path: Path) -> None:
    load = await pestered(tmp_path, operations=10_000, kills=20, clients=16)

    assert load.counts["Register created"] > 500
