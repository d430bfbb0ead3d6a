from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.unit.manager.conftest import core_of

from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Delete
from telegraph.errors import (
    BadSignature,
    DirectoryUnavailable,
    ForeignSession,
    IllegalAddress,
    NotLoggedIn,
    StaleCounter,
)
from telegraph.manager.api.application import Application
from telegraph.manager.attendance import require_own
from telegraph.node.keys import DeviceKey
from telegraph.protocol.manager_api import ReconnectRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.manager.conftest import House

    from telegraph.directory.port import Entry, Put, Unchanged


async def revision(house: House) -> int:
    return (await house.directory.scan("")).revision


async def test_heartbeats_are_not_written(house: House) -> None:
    alice = await house.join("alice")
    before = await revision(house)
    for _ in range(10):
        house.clock.forward(10)
        await house.attendance.heard(alice)
    assert await revision(house) == before
    assert (await house.people.find("alice")).last_seen == house.clock().text


async def test_silence_makes_offline_and_the_last_heartbeat_is_when_she_was_seen(house: House) -> None:
    alice = await house.join("alice")
    house.clock.forward(10)
    await house.attendance.heard(alice)
    heard = house.clock().text
    house.clock.forward(29)
    assert await house.sweep() == 0
    house.clock.forward(1)
    assert await house.sweep() == 1
    found = await house.people.find("alice")
    assert (found.status, found.last_seen) == ("offline", heard)
    assert house.expired == [(alice.user_id, "10.0.0.2")]
    assert await house.sweep() == 0


async def test_a_heartbeat_puts_her_online_again_at_once(house: House) -> None:
    alice = await house.join("alice")
    house.clock.forward(30)
    await house.sweep()
    house.clock.forward(5)
    await house.attendance.heard(alice)
    found = await house.people.find("alice")
    assert (found.status, found.ip, found.last_seen) == ("online", "10.0.0.2", house.clock().text)


async def test_a_late_heartbeat_of_an_ended_session_changes_nothing(house: House) -> None:
    alice = await house.join("alice")
    await house.accounts.log_out(alice)
    before = await revision(house)
    with pytest.raises(NotLoggedIn):
        await house.attendance.heard(alice)
    assert (await house.people.find("alice")).status == "offline"
    assert await revision(house) == before


async def test_a_heartbeat_that_was_under_way_when_she_logged_out_changes_nothing(house: House) -> None:
    alice = await house.join("alice")
    house.clock.forward(30)
    await house.sweep()
    async with house.locks.of(alice.user_id):
        beat = asyncio.create_task(house.attendance.heard(alice))
        await asyncio.sleep(0)
        await house.directory.commit([], [Delete(alice.alive.key)])
    with pytest.raises(NotLoggedIn):
        await beat
    assert (await house.people.find("alice")).status == "offline"
    assert alice.user_id not in house.live


async def test_one_who_leaves_is_offline_at_once_and_need_not_be_told(house: House) -> None:
    alice = await house.join("alice")
    house.clock.forward(3)
    await house.attendance.leave(alice)
    found, before = await house.people.find("alice"), await revision(house)
    assert (found.status, found.last_seen) == ("offline", house.clock().text)

    await house.attendance.leave(alice)
    house.clock.forward(60)
    assert await house.sweep() == 0
    assert await revision(house) == before


async def test_one_whose_session_has_ended_cannot_leave(house: House) -> None:
    alice = await house.join("alice")
    await house.directory.commit([], [Delete(alice.alive.key)])
    before = await revision(house)
    with pytest.raises(NotLoggedIn):
        await house.attendance.leave(alice)
    assert await revision(house) == before
    assert (await house.people.find("alice")).status == "online"


async def test_whoever_comes_back_while_the_sweep_waits_for_the_lock_stays_online(house: House) -> None:
    alice = await house.join("alice")
    house.clock.forward(30)
    async with house.locks.of(alice.user_id):
        sweeping = asyncio.create_task(house.sweep())
        await asyncio.sleep(0)
        await house.attendance.heard(alice)
    assert await sweeping == 0
    assert (await house.people.find("alice")).status == "online"


async def test_after_a_restart_those_who_were_online_get_the_full_time(make_house: type[House]) -> None:
    before = make_house()
    alice = await before.join("alice")
    await before.register("bob")
    seen = (await before.people.find("alice")).last_seen
    await before.attending.end()
    before.clock.forward(1000)
    again = make_house(directory=before.directory, clock=before.clock)
    await again.attending.begin()
    assert again.live.user_ids == [alice.user_id]
    again.clock.forward(29)
    assert await again.sweep() == 0
    again.clock.forward(1)
    assert await again.sweep() == 1
    found = await again.people.find("alice")
    assert (found.status, found.last_seen) == ("offline", seen)


async def test_a_node_that_moved_is_found_at_its_new_address(house: House) -> None:
    alice = await house.join("alice")
    before = await house.people.find("alice")
    await house.attendance.reconnect(alice, "10.0.0.77", ReconnectRequest())
    after = await house.people.find("alice")
    assert (after.ip, after.port) == ("10.0.0.77", before.port)
    assert after.counter > before.counter
    await house.attendance.reconnect(alice, "10.0.0.77", ReconnectRequest(port=9999))
    assert (await house.people.find("alice")).port == 9999


async def test_moving_puts_her_online(house: House) -> None:
    alice = await house.join("alice")
    house.clock.forward(30)
    await house.sweep()
    await house.attendance.reconnect(alice, "10.0.0.77", ReconnectRequest())
    assert (await house.people.find("alice")).status == "online"
    assert alice.user_id in house.live


async def test_a_signed_move_carries_its_signature_to_others(house: House) -> None:
    key = DeviceKey.create()
    alice = await house.join("alice", key=key)
    counter = (await house.people.find("alice")).counter + 5
    signature = b64encode(key.sign_address(alice.user_id, "10.0.0.77", 8001, counter).signature).decode()
    await house.attendance.reconnect(alice, "10.0.0.77", ReconnectRequest(counter=counter, signature=signature))
    found = await house.people.find("alice")
    assert (found.counter, found.signature) == (counter, signature)


async def test_a_move_that_is_old_badly_signed_or_nowhere_changes_nothing(house: House) -> None:
    alice = await house.join("alice", key=DeviceKey.create())
    before = await house.content()
    counter = (await house.people.find("alice")).counter
    stolen = b64encode(DeviceKey.create().sign_address(alice.user_id, "10.0.0.77", 8001, counter + 1).signature)
    with pytest.raises(StaleCounter):
        await house.attendance.reconnect(alice, "10.0.0.77", ReconnectRequest(counter=counter))
    with pytest.raises(BadSignature):
        await house.attendance.reconnect(
            alice, "10.0.0.77", ReconnectRequest(counter=counter + 1, signature=stolen.decode())
        )
    with pytest.raises(IllegalAddress):
        await house.attendance.reconnect(alice, "not an address", ReconnectRequest())
    await house.directory.commit([], [Delete(alice.alive.key)])
    with pytest.raises(NotLoggedIn):
        await house.attendance.reconnect(alice, "10.0.0.77", ReconnectRequest())
    del before[alice.alive.key]
    assert await house.content() == before


async def test_a_session_acts_for_its_own_user_only(house: House) -> None:
    alice = await house.join("alice")
    require_own(alice, "ＡＬＩＣＥ")
    for name in ("bob", "", "alice2", "\ud800"):
        with pytest.raises(ForeignSession):
            require_own(alice, name)


class HeldUp(MemoryDirectory):
    """Once ``hold`` is set, commits are done but not acknowledged until ``release`` is."""

    def __init__(self) -> None:
        super().__init__()
        self.holding, self.committed, self.release = False, asyncio.Event(), asyncio.Event()

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        done = await super().commit(conditions, writes)
        if self.holding:
            self.committed.set()
            await self.release.wait()
        return done


async def test_a_heartbeat_that_comes_while_the_sweep_writes_is_not_lost(make_house: type[House]) -> None:
    directory = HeldUp()
    house = make_house(directory=directory)
    alice = await house.join("alice")
    house.clock.forward(30)
    directory.holding = True
    sweeping = asyncio.create_task(house.sweep())
    await directory.committed.wait()
    heartbeat = asyncio.create_task(house.attendance.heard(alice))
    await asyncio.sleep(0)
    directory.release.set()
    await asyncio.gather(sweeping, heartbeat)
    assert (await house.people.find("alice")).status == "online"
    assert alice.user_id in house.live


class Away(MemoryDirectory):
    """Answers nothing once ``away``."""

    away = False

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        if self.away:
            raise DirectoryUnavailable
        return await super().get(key, stale=stale)


class Unwritable(MemoryDirectory):
    """Refuses to write once ``full``."""

    full = False

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        if self.full:
            raise DirectoryUnavailable
        return await super().commit(conditions, writes)


async def test_whom_the_sweep_could_not_write_it_tries_again(make_house: type[House]) -> None:
    directory = Unwritable()
    house = make_house(directory=directory)
    await house.join("alice")
    house.clock.forward(30)
    directory.full = True
    with pytest.raises(DirectoryUnavailable):
        await house.sweep()
    directory.full = False
    assert await house.sweep() == 1
    assert (await house.people.find("alice")).status == "offline"


async def test_who_asks_something_while_the_directory_is_away_waits_for_one_refusal_only(
    make_house: type[House], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = Away()
    house = make_house(directory=directory)
    alice = await house.join("alice")
    house.live.leave(alice.user_id)
    house.attendance.uses.forget(alice.token_hash)
    directory.away, asked, get = True, [], directory.get

    async def noted(key: str, *, stale: bool = False) -> Entry | None:
        asked.append(key)
        return await get(key, stale=stale)

    monkeypatch.setattr(directory, "get", noted)
    await house.attendance.seen(alice)
    assert len(asked) == 1


async def test_a_user_who_does_not_exist_has_no_presence(house: House) -> None:
    with pytest.raises(NotLoggedIn):
        await house.attendance.read("0" * 32)


def web_of(house: House) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Application(core_of(house)), client=("127.0.0.1", 4000))
    return httpx.AsyncClient(transport=transport, base_url="https://manager")


async def test_while_the_directory_is_away_a_heartbeat_over_http_is_answered_from_memory(
    make_house: type[House],
) -> None:
    directory = Away()
    house = make_house(directory=directory)
    await house.register("alice")
    token, other = [(await house.log_in("alice")).token for _ in range(2)]

    async def beat(session: str) -> int:
        async with web_of(house) as web:
            headers = {"Authorization": f"Bearer {session}"}
            return (await web.post("/heartbeat", json={"username": "alice"}, headers=headers)).status_code

    assert await beat(token) == 200
    directory.away = True
    house.clock.forward(20)
    assert await beat(token) == 200
    assert house.live.last_seen((token.partition("."))[0]) == house.clock().text
    assert await beat(other) == 503
    async with web_of(house) as web:
        look = await web.get("/users/alice", headers={"Authorization": f"Bearer {token}"})
    assert look.status_code == 503
    house.clock.forward(30)
    house.live.leave(token.partition(".")[0])
    assert await beat(token) == 503
