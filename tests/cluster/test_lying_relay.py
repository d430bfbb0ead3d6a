"""What TCP would never do to a link: frames twice, overtaken or lost, between real nodes over real TLS."""

import os
from pathlib import Path

import pytest
from people import town
from relay import Lies, Relay
from storms import Traffic

from telegraph.testing.validators import check

SEED = int(os.environ.get("TELEGRAPH_SEED", "7"))

pytestmark = pytest.mark.timeout(300)  # processes start slowly on a busy machine


async def test_frames_that_come_twice_out_of_order_or_never_break_no_promise(tmp_path: Path) -> None:
    lies = Lies(repeat=0.1, overtake=0.1, lose=0.003)
    async with town(tmp_path, "alice", "bob", seed=SEED, relay=True) as running, Relay(running, lies, SEED) as relay:
        traffic = Traffic(running, SEED, writers=2, pause=0.005)
        await traffic.until(1000)
        await traffic.stop()
        relay.lies = Lies()
        await running.settle()

    violations = check(running.history.records)
    print(f"seed {SEED}: {dict(relay.counts)}")  # noqa: T201 - the report
    assert not violations, f"TELEGRAPH_SEED={SEED}: {violations[:5]}"
    assert min(relay.counts[lie] for lie in ("repeated", "overtaken", "lost")) > 0
