"""What a site writes so that a merge with others can tell which value is newer, and which sessions have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from telegraph.directory import records
from telegraph.directory.port import Put
from telegraph.directory.records import ORIGIN, Account, Ending, Presence, Session, decode, encode
from telegraph.manager.home import Home
from telegraph.node.keys import DeviceKey
from telegraph.protocol.manager_api import SettingsChange

if TYPE_CHECKING:
    from tests.unit.manager.conftest import House

    from telegraph.manager.sessions import Caller

PASSWORD, NEW = "correct horse", "battery staple"
FROM = "192.0.2.1"


async def account_of(house: House, user_id: str) -> Account:
    entry = await house.directory.get(records.account_key(user_id))
    assert entry is not None
    return decode(entry.value, Account)


async def session_of(house: House, caller: Caller) -> Session:
    entry = await house.directory.get(caller.alive.key)
    assert entry is not None
    return decode(entry.value, Session)


async def presence_of(house: House, user_id: str) -> Presence:
    entry = await house.directory.get(records.presence_key(user_id))
    assert entry is not None
    return decode(entry.value, Presence)


async def become_several(house: House) -> None:
    await house.directory.commit([], [Put(records.SEVERAL, b"true")])


def test_the_next_version_is_above_every_other_sites_of_the_same_counter() -> None:
    assert Home("lima").next((4, "zamora")) == (5, "lima")
    assert Home("lima").next((4, "zamora")) > (4, "zamora")


async def test_a_new_password_has_a_version_and_names_the_session_that_goes_on(make_house: type[House]) -> None:
    house = make_house(site="lima")
    alice = await house.join("alice")
    assert (await account_of(house, alice.user_id)).password_version == ORIGIN
    await house.accounts.change_password(alice, PASSWORD, NEW, FROM)
    account = await account_of(house, alice.user_id)
    assert (account.password_version, account.password_kept) == ((1, "lima"), alice.token_hash)
    later = await house.caller((await house.log_in("alice", NEW)).token)
    assert (await session_of(house, later)).password_version == (1, "lima")
    assert (await session_of(house, alice)).password_version == ORIGIN


async def test_another_device_and_a_revocation_raise_the_devices_version_and_the_same_device_does_not(
    make_house: type[House],
) -> None:
    house, first, second = make_house(site="lima"), DeviceKey.create(), DeviceKey.create()
    alice = await house.join("alice", key=first)
    assert (await account_of(house, alice.user_id)).device_version == (1, "lima")
    await house.log_in("alice", key=first)
    assert (await account_of(house, alice.user_id)).device_version == (1, "lima")
    moved = await house.caller((await house.log_in("alice", key=second)).token)
    assert (await session_of(house, moved)).device_version == (2, "lima")
    plain = await house.caller((await house.log_in("alice")).token)
    assert (await session_of(house, plain)).device_version == ORIGIN
    await house.care.end_session(plain, moved.token_hash[:16])
    account = await account_of(house, alice.user_id)
    assert (account.device_key, account.device_version) == (None, (3, "lima"))


async def test_settings_have_a_version_which_only_a_change_raises(make_house: type[House]) -> None:
    house = make_house(site="lima")
    alice = await house.join("alice")
    for hidden, expected in ((False, ORIGIN), (True, (1, "lima")), (True, (1, "lima")), (False, (2, "lima"))):
        await house.care.change_settings(alice, SettingsChange(last_seen=not hidden))
        assert (await account_of(house, alice.user_id)).settings_version == expected


async def test_every_write_of_a_presence_raises_its_version_and_names_the_site(make_house: type[House]) -> None:
    house = make_house(site="lima")
    alice = await house.join("alice")
    before = await presence_of(house, alice.user_id)
    await house.attendance.leave(alice)
    after = await presence_of(house, alice.user_id)
    assert (before.site, after.site, after.version) == ("lima", "lima", before.version + 1)


async def test_a_single_site_marks_no_end_of_a_plain_session_and_several_mark_all(house: House) -> None:
    alice = await house.join("alice")
    await house.accounts.log_out(alice)
    assert not (await house.directory.scan(records.ENDINGS)).entries
    alice = await house.caller((await house.log_in("alice")).token)
    await become_several(house)
    await house.accounts.log_out(alice)
    (entry,) = (await house.directory.scan(records.ENDINGS)).entries
    assert entry.key == records.ending_key(alice.user_id, alice.token_hash)
    assert decode(entry.value, Ending).reason == "logged_out"
    assert house.attendance.itself.home.several


async def test_no_session_ends_without_a_mark_while_the_manager_has_not_heard_yet_of_other_sites(house: House) -> None:
    alice = await house.join("alice")
    doomed = [await house.caller((await house.log_in("alice")).token) for _ in range(2)]
    await become_several(house)
    await house.care.end_session(alice, doomed[0].token_hash[:16])
    house.attendance.itself.home.several = False
    await house.accounts.change_password(alice, PASSWORD, NEW, FROM)
    for session in doomed:
        assert await house.directory.get(records.ending_key(alice.user_id, session.token_hash)) is not None


async def test_a_device_that_logged_in_at_two_sites_keeps_its_key_when_it_ends_the_other_session(house: House) -> None:
    key = DeviceKey.create()
    alice = await house.join("alice", key=key)
    twin = records.session_key(alice.user_id, "f" * 64)
    await house.directory.commit([], [Put(twin, encode(await session_of(house, alice)))])  # as a merge brings it
    await house.care.end_session(alice, "f" * 16)
    assert (await account_of(house, alice.user_id)).device_key is not None
    await house.directory.commit([], [Put(twin, encode(await session_of(house, alice)))])
    await house.accounts.change_password(alice, PASSWORD, NEW, FROM)
    assert (await account_of(house, alice.user_id)).device_key is not None
    assert await house.directory.get(twin) is None


@pytest.mark.parametrize(("site", "marked"), [("zamora", 0), ("lima", 1), ("", 1)])
async def test_the_sweep_leaves_those_to_other_sites_who_are_online_there(
    make_house: type[House], site: str, marked: int
) -> None:
    house = make_house(site="lima")
    alice = await house.join("alice")
    here = replace(await presence_of(house, alice.user_id), site=site, version=9)
    await house.attendance.itself.lease.end()  # nobody is attached to this manager any more
    await house.directory.commit([], [Put(records.presence_key(alice.user_id), encode(here))])
    await house.attendance.load()
    house.attending.sweep.begin()
    house.clock.forward(60)
    assert await house.attending.sweep.once(()) == marked
    assert (await presence_of(house, alice.user_id)).status == ("offline" if marked else "online")


async def test_the_sweep_looks_again_where_somebody_is_before_it_writes(make_house: type[House]) -> None:
    house = make_house(site="lima")
    alice = await house.join("alice")
    await house.attendance.itself.lease.end()
    await house.attendance.load()
    house.attending.sweep.begin()
    house.clock.forward(60)
    there = replace(await presence_of(house, alice.user_id), site="zamora", version=9)
    await house.directory.commit([], [Put(records.presence_key(alice.user_id), encode(there))])
    assert await house.attending.sweep.once(()) == 0
    assert (await presence_of(house, alice.user_id)) == there


async def test_whom_another_site_has_missed_is_online_again_with_the_next_heartbeat(make_house: type[House]) -> None:
    house = make_house(site="lima")
    alice = await house.join("alice")
    here = await presence_of(house, alice.user_id)
    missed = replace(here, status="offline", site="zamora", version=9)
    await house.directory.commit([], [Put(records.presence_key(alice.user_id), encode(missed))])
    await house.attendance.presences.load()
    await house.attendance.heard(alice)
    again = await presence_of(house, alice.user_id)
    assert (again.status, again.site, again.version) == ("online", "lima", 10)


async def test_who_comes_from_another_site_is_this_ones_from_the_first_heartbeat_on(make_house: type[House]) -> None:
    house = make_house(site="lima")
    alice = await house.join("alice")
    house.live.leave(alice.user_id)
    there = replace(await presence_of(house, alice.user_id), site="zamora", version=9)
    await house.directory.commit([], [Put(records.presence_key(alice.user_id), encode(there))])
    await house.attendance.heard(alice)
    taken = await presence_of(house, alice.user_id)
    assert (taken.status, taken.site, taken.version) == ("online", "lima", 10)
