from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telegraph.directory import records
from telegraph.directory.memory import MemoryDirectory
from telegraph.errors import DirectoryUnavailable
from telegraph.manager import uses
from telegraph.manager.uses import Uses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.manager.conftest import House

    from telegraph.directory.port import Delete, Put, Unchanged
    from telegraph.manager.sessions import Caller


async def last(house: House, caller: Caller) -> str | None:
    return await house.attendance.uses.last(caller.user_id, caller.token_hash)


async def test_a_heartbeat_is_remembered_to_the_second_and_written_to_the_hour(house: House) -> None:
    alice = await house.join("alice")
    before = await house.content()
    house.clock.forward(10)
    await house.attendance.seen(alice)
    assert await last(house, alice) == house.clock().text
    assert await house.content() == before
    house.clock.forward(uses.WRITTEN_EVERY)
    await house.attendance.seen(alice)
    house.clock.forward(10)
    await house.attendance.seen(alice)
    stored = await house.attendance.uses.stored(alice.user_id, alice.token_hash)
    assert stored == house.clock().earlier(10).text


async def test_a_manager_that_starts_anew_knows_the_last_use_to_the_hour(house: House) -> None:
    alice = await house.join("alice")
    house.clock.forward(uses.WRITTEN_EVERY)
    await house.attendance.seen(alice)
    written = house.clock().text
    again = Uses(house.directory)
    assert await again.last(alice.user_id, alice.token_hash) == written
    before = await house.content()
    house.clock.forward(20)
    await again.note(alice, house.clock())
    assert await house.content() == before  # it is less than an hour old
    assert await again.last(alice.user_id, alice.token_hash) == house.clock().text


async def test_the_use_of_a_session_goes_with_it(house: House) -> None:
    alice = await house.join("alice")
    house.clock.forward(uses.WRITTEN_EVERY)
    await house.attendance.seen(alice)
    await house.accounts.log_out(alice)
    assert await last(house, alice) is None
    assert (await house.directory.scan(records.USES)).entries == ()


async def test_a_session_that_ended_meanwhile_leaves_no_use(house: House) -> None:
    alice = await house.join("alice")
    await house.accounts.log_out(alice)
    await Uses(house.directory).note(alice, house.clock())
    assert (await house.directory.scan(records.USES)).entries == ()


class Broken(MemoryDirectory):
    broken = False

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        if self.broken:
            raise DirectoryUnavailable
        return await super().commit(conditions, writes)


async def test_a_use_that_cannot_be_written_spoils_no_call(make_house: type[House]) -> None:
    directory = Broken()
    house = make_house(directory=directory)
    alice: Caller = await house.join("alice")
    house.clock.forward(uses.WRITTEN_EVERY)
    directory.broken = True
    await house.attendance.seen(alice)
    assert await last(house, alice) == house.clock().text


async def test_sessions_are_remembered_up_to_a_bound(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uses, "MAX_SESSIONS", 2)
    remembered = Uses(house.directory)
    for token_hash in ("a", "b", "c"):
        remembered.begin(token_hash, house.clock())
    assert [await remembered.last("u1", token_hash) is None for token_hash in ("a", "b", "c")] == [True, False, False]
