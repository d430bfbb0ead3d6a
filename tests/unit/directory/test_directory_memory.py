"""Leases in virtual time; what every back end does alike is in tests/contract."""

import pytest

from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import LeaseGone, Put
from telegraph.testing.clock import FakeClock


async def test_a_lease_runs_out_to_the_second_counted_from_its_last_renewal() -> None:
    clock = FakeClock()
    directory = MemoryDirectory(timers=clock)
    lease = await directory.grant(10)
    await directory.commit([], [Put("a", b"1", lease)])
    await clock.advance(9)
    assert await directory.keep_alive(lease) == 10
    await clock.advance(9.9)
    assert await directory.get("a") is not None
    await clock.advance(0.1)
    assert await directory.get("a") is None
    with pytest.raises(LeaseGone):
        await directory.keep_alive(lease)


async def test_nothing_waits_for_a_lease_of_a_closed_directory() -> None:
    clock = FakeClock()
    directory = MemoryDirectory(timers=clock)
    await directory.revoke(await directory.grant(10))
    await directory.grant(10)
    assert clock.waiting == 1
    await directory.close()
    assert clock.waiting == 0
