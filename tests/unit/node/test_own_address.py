"""Alice's node signs where it is, under counters that only rise."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telegraph.node.address_rules import HIGHEST_REPORT
from telegraph.node.database import Database
from telegraph.node.keys import DeviceKey, verify_address
from telegraph.node.own_address import OwnAddress, last_address
from telegraph.protocol.addresses import Address
from telegraph.protocol.frames import SignedAddress

KEY = DeviceKey.create()


class Alice:
    """Her address and what her node told of it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.here = Address("192.0.2.1", 8000)
        self.told: list[SignedAddress] = []
        self.start()

    def start(self, counter: int = 0) -> None:
        self.own = OwnAddress(self.database, KEY, "alice-id", lambda: self.here, counter)
        self.own.on_moved = self.told.append


@pytest.fixture
async def alice(tmp_path: Path) -> AsyncIterator[Alice]:
    database = Database.open(tmp_path, bytes(32))
    yield Alice(database)
    await database.close()


def counters(alice: Alice) -> list[int]:
    return [signed.counter for signed in alice.told]


async def test_it_signs_at_the_start_and_at_each_move_and_tells_it(alice: Alice) -> None:
    assert alice.own.signed is None
    assert await alice.own.refresh()
    assert not await alice.own.refresh()
    alice.here = Address("192.0.2.1", 8001)
    assert await alice.own.refresh()

    assert [signed.port for signed in alice.told] == [8000, 8001]
    assert counters(alice) == sorted(set(counters(alice)))
    assert all(verify_address(KEY.public, "alice-id", signed) for signed in alice.told)


async def test_the_counter_is_on_disk_before_it_is_told_and_rises_over_restarts(alice: Alice) -> None:
    on_disk: list[SignedAddress | None] = []

    def told(signed: SignedAddress) -> None:
        alice.told.append(signed)
        on_disk.append(last_address(alice.database))

    alice.own.on_moved = told
    await alice.own.refresh()
    assert on_disk == alice.told

    alice.start()
    await alice.own.refresh()

    assert counters(alice)[0] < counters(alice)[1]


@pytest.mark.parametrize("ahead", [1, 10**9, 2**60])
async def test_what_others_know_of_a_node_restored_from_a_backup_puts_it_above_that(alice: Alice, ahead: int) -> None:
    await alice.own.refresh()
    known = counters(alice)[0] + ahead

    assert await alice.own.overtaken(known)
    assert counters(alice)[-1] > known
    assert not await alice.own.overtaken(known)


async def test_a_report_before_the_first_signature_counts_as_well(alice: Alice) -> None:
    assert not await alice.own.overtaken(2**60)
    await alice.own.refresh()
    assert counters(alice)[0] > 2**60


async def test_a_report_that_would_use_up_the_counters_is_ignored(alice: Alice) -> None:
    assert not await alice.own.overtaken(HIGHEST_REPORT + 1)
    await alice.own.refresh()
    assert not await alice.own.overtaken(HIGHEST_REPORT + 1)

    assert len(alice.told) == 1
    assert counters(alice)[0] < 2**50


async def test_a_counter_that_the_manager_gave_is_passed(alice: Alice) -> None:
    alice.start(counter=2**55)
    await alice.own.refresh()
    assert counters(alice) == [2**55 + 1]


async def test_the_same_address_can_be_made_news(alice: Alice) -> None:
    await alice.own.renew()
    assert alice.told == []
    await alice.own.refresh()
    await alice.own.renew()
    assert [signed.port for signed in alice.told] == [8000, 8000]
    assert counters(alice)[0] < counters(alice)[1]
