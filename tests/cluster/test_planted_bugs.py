"""Real nodes with a bug in them: the same suite must notice, or its silence would mean nothing.

The bugs are planted by the test in the node's process (planted.py); the package has no switch for any of them.
"""

import asyncio
import contextlib
from pathlib import Path

import pytest
from people import RealTown, town
from planted import BUGS
from relay import Lies, Relay
from storms import DAY, Traffic

from telegraph.testing.history import Told
from telegraph.testing.validators import check

pytestmark = pytest.mark.timeout(300)  # processes start slowly on a busy machine


async def broken(running: RealTown) -> set[str]:
    """The promises that were broken, whether or not it ever becomes quiet: what is lost may be waited for for ever."""
    with contextlib.suppress(TimeoutError):
        await running.settle(within=3)
        return {violation.promise for violation in check(running.history.records)}
    await running.finish()
    return {violation.promise for violation in check(running.history.records)}


async def ticked(running: RealTown, name: str) -> None:
    """Waits until somebody was shown that a message of theirs is delivered."""
    async with asyncio.timeout(60):
        while not any(  # noqa: ASYNC110 - the history is written by whoever follows the nodes
            isinstance(record, Told) and record.node == name and record.mine and record.state == "delivered"
            for record in running.history.records
        ):
            await asyncio.sleep(0.005)


async def test_acknowledging_before_the_commit_is_caught_as_a_tick_without_the_message(tmp_path: Path) -> None:
    bug = "acknowledge_before_commit"
    async with town(tmp_path, "alice", "bob", bug=bug, bug_of="bob") as running:
        traffic = Traffic(running, 1)
        await ticked(running, "alice")
        await running.people["bob"].kill()
        await running.people["bob"].start()
        await traffic.until(traffic.tried + 100)
        await traffic.stop()

        assert BUGS[bug][1] in await broken(running)


async def test_no_deduplication_is_caught_as_doubled(tmp_path: Path) -> None:
    bug = "do_not_deduplicate"
    async with town(tmp_path, "alice", "bob", bug=bug, relay=True) as running, Relay(running, Lies(repeat=0.5), 1):
        traffic = Traffic(running, 1, writers=1, pause=0.01)
        await traffic.until(100)
        await traffic.stop()

        assert BUGS[bug][1] in await broken(running)


async def test_order_by_the_wall_clock_is_caught_as_an_inversion(tmp_path: Path) -> None:
    bug = "order_by_wall_clock"
    async with town(tmp_path, "alice", "bob", bug=bug, fake_clocks=True) as running:
        alice, bob = running.people["alice"], running.people["bob"]
        bob.set_clock(-DAY)
        await bob.kill()
        await bob.start()
        await alice.send("bob")
        await running.seen("bob", 1)
        await bob.send("alice")
        await running.seen("alice", 1)

        assert BUGS[bug][1] in await broken(running)
