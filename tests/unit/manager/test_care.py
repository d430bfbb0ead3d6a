"""Sessions, settings and the end of an account, as stories of alice and bob."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from telegraph.directory import records
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.records import Account, Ending, Revocation, decode
from telegraph.errors import (
    AccountDeleted,
    Conflict,
    IllegalPassword,
    NameTaken,
    NotLoggedIn,
    RateLimited,
    RevokedKey,
    TooManyDevices,
    UnknownSession,
    WrongCredentials,
)
from telegraph.manager.accounts import MOVES_PER_HOUR
from telegraph.manager.sessions import ending_of
from telegraph.node.keys import DeviceKey
from telegraph.protocol.addresses import Address
from telegraph.protocol.identity import key_fingerprint
from telegraph.protocol.manager_api import SettingsChange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.manager.conftest import House

    from telegraph.directory.port import Delete, Put, Unchanged
    from telegraph.manager.sessions import Caller

PASSWORD = "correct horse"
FROM = "192.0.2.1"


async def account_of(house: House, user_id: str) -> Account:
    entry = await house.directory.get(records.account_key(user_id))
    assert entry is not None
    return decode(entry.value, Account)


async def revoked(house: House, user_id: str) -> list[str]:
    """Fingerprints of a user's revoked keys."""
    entries = (await house.directory.scan(f"{records.REVOCATIONS}{user_id}/")).entries
    return [entry.key.rsplit("/", 1)[1] for entry in entries]


async def plain(house: House, name: str = "alice") -> Caller:
    """A further session without a device."""
    return await house.caller((await house.log_in(name)).token)


# --- a log-in elsewhere ---


async def test_a_log_in_on_another_device_says_which_key_it_replaced_and_revokes_that(house: House) -> None:
    old, new = DeviceKey.create(), DeviceKey.create()
    alice = await house.join("alice", key=old)
    done = await house.log_in("alice", key=new)
    assert done.replaced == key_fingerprint(old.public)
    assert await revoked(house, alice.user_id) == [key_fingerprint(old.public)]
    assert (await house.people.find("alice")).device_key == b64encode(new.public).decode()


async def test_the_first_log_in_and_one_on_the_same_device_replace_nothing(house: House) -> None:
    key = DeviceKey.create()
    await house.register("alice")
    assert [(await house.log_in("alice", key=key)).replaced for _ in range(3)] == [None] * 3
    assert (await house.directory.scan(records.REVOCATIONS)).entries == ()


async def test_a_device_that_had_logged_out_is_revoked_too_when_another_takes_over(house: House) -> None:
    key = DeviceKey.create()
    alice = await house.join("alice", key=key)
    await house.accounts.log_out(alice)
    assert await revoked(house, alice.user_id) == []  # a log-out gives nothing up
    await house.log_in("alice", key=DeviceKey.create())
    assert await revoked(house, alice.user_id) == [key_fingerprint(key.public)]


async def test_a_revoked_key_never_comes_back_not_even_with_the_password(house: House) -> None:
    key = DeviceKey.create()
    await house.join("alice", key=key)
    await house.log_in("alice", key=DeviceKey.create())
    before = await house.content()
    with pytest.raises(WrongCredentials):
        await house.log_in("alice", "wrong", key=key)  # who does not know the password does not learn that
    with pytest.raises(RevokedKey):
        await house.log_in("alice", key=key)
    assert await house.content() == before


async def test_the_same_key_of_another_user_is_not_revoked(house: House) -> None:
    key = DeviceKey.create()
    await house.join("alice", key=key)
    await house.log_in("alice", key=DeviceKey.create())
    await house.join("bob", key=key)


async def test_the_revocation_outlives_a_renewed_certificate(house: House) -> None:
    key = DeviceKey.create()
    alice = await house.join("alice", key=key)
    first = (await account_of(house, alice.user_id)).certified_until
    house.clock.forward(20 * 86400)
    await house.accounts.renew_certificate(alice, key.csr())
    renewed = (await account_of(house, alice.user_id)).certified_until
    assert renewed > first
    await house.log_in("alice", key=DeviceKey.create())
    (entry,) = (await house.directory.scan(records.REVOCATIONS)).entries
    assert decode(entry.value, Revocation).until > renewed


async def test_a_certificate_is_not_renewed_by_a_session_that_moved(house: House) -> None:
    key = DeviceKey.create()
    alice = await house.join("alice", key=key)
    await house.log_in("alice", key=DeviceKey.create())
    before = await house.content()
    with pytest.raises(Exception) as refused:  # noqa: PT011 - either says it
        await house.accounts.renew_certificate(alice, key.csr())
    assert refused.value.code in ("illegal_csr", "not_logged_in")  # type: ignore[attr-defined]
    assert await house.content() == before


async def test_an_account_cannot_fill_everybodys_list_by_moving_around(house: House) -> None:
    alice = await house.join("alice", key=DeviceKey.create())
    for _ in range(MOVES_PER_HOUR):
        await house.log_in("alice", key=DeviceKey.create())
    with pytest.raises(TooManyDevices):
        await house.log_in("alice", key=DeviceKey.create())
    assert len(await revoked(house, alice.user_id)) == MOVES_PER_HOUR
    await house.join("bob", key=DeviceKey.create())
    house.clock.forward(3601)
    await house.log_in("alice", key=DeviceKey.create())


async def test_the_device_that_was_away_can_ask_why_its_session_ended(house: House) -> None:
    await house.register("alice")
    token = (await house.log_in("alice", key=DeviceKey.create())).token
    assert await ending_of(house.directory, token) is None
    house.clock.forward(5)
    await house.log_in("alice", key=DeviceKey.create())
    ending = await ending_of(house.directory, token)
    assert ending is not None
    assert (ending.reason, ending.at) == ("logged_in_elsewhere", house.clock().text)
    assert [ended.at for ended in house.ended] == [ending.at]
    assert await ending_of(house.directory, "garbage") is None
    assert await ending_of(house.directory, token[:-1] + ("x" if token[-1] != "x" else "y")) is None


# --- the list of sessions ---


async def test_the_list_says_which_session_is_which_and_shows_no_token(house: House) -> None:
    key = DeviceKey.create()
    await house.register("alice")
    device = await house.log_in("alice", key=key)
    house.clock.forward(60)
    other = await house.log_in("alice")
    house.clock.forward(60)
    caller = await house.caller(other.token)
    await house.attendance.seen(caller)
    newest, oldest = await house.care.sessions(caller)
    assert (newest.kind, newest.key, newest.current) == ("plain", None, True)
    assert (oldest.kind, oldest.key, oldest.current) == ("device", key_fingerprint(key.public), False)
    assert newest.last_used == house.clock().text
    assert oldest.last_used == oldest.created == house.clock().earlier(120).text
    shown = repr((newest, oldest))
    assert not any(secret in shown for secret in (device.token, other.token, caller.token_hash))


async def test_nobody_sees_anybody_elses_sessions(house: House) -> None:
    alice, bob = await house.join("alice"), await house.join("bob")
    (of_alice,) = await house.care.sessions(alice)
    (of_bob,) = await house.care.sessions(bob)
    assert of_alice.id != of_bob.id
    with pytest.raises(UnknownSession):
        await house.care.end_session(bob, of_alice.id)
    assert await house.care.sessions(alice) == [of_alice]


# --- ending one ---


async def test_ending_a_plain_session_ends_that_one_only_and_revokes_nothing(house: House) -> None:
    alice = await house.join("alice", key=DeviceKey.create())
    first, second = await plain(house), await plain(house)
    await house.care.end_session(alice, first.token_hash[:16])
    stored = {entry.key for entry in (await house.directory.scan(records.SESSIONS)).entries}
    assert stored == {alice.alive.key, second.alive.key}
    (ended,) = house.ended
    assert (ended.reason, ended.token_hashes, ended.device) == ("ended_elsewhere", (first.token_hash,), None)
    assert (await house.directory.scan(records.REVOCATIONS)).entries == ()
    assert (await house.people.find("alice")).status == "online"


async def test_ending_a_lost_devices_session_revokes_its_key_and_puts_it_offline_at_once(house: House) -> None:
    key = DeviceKey.create()
    device = await house.join("alice", key=key)
    caller = await plain(house)
    await house.care.end_session(caller, device.token_hash[:16])
    assert await revoked(house, device.user_id) == [key_fingerprint(key.public)]
    alice = await house.people.find("alice")
    assert (alice.status, alice.device_key) == ("offline", None)
    (ended,) = house.ended
    assert (ended.device_hash, ended.device) == (device.token_hash, Address("10.0.0.2", 8001))
    with pytest.raises(RevokedKey):
        await house.log_in("alice", key=key)
    assert (await house.log_in("alice", key=DeviceKey.create())).replaced is None


async def test_a_session_is_named_by_the_whole_of_its_id(house: House) -> None:
    alice, other = await house.join("alice"), await plain_after_joining(house)
    for session_id in ("", other.token_hash[:15], other.token_hash[:17], other.token_hash, "0" * 16, "../x"):
        with pytest.raises(UnknownSession):
            await house.care.end_session(alice, session_id)
    assert len((await house.directory.scan(records.SESSIONS)).entries) == 2


async def plain_after_joining(house: House) -> Caller:
    return await plain(house)


async def test_an_ended_session_ends_no_other(house: House) -> None:
    alice = await house.join("alice")
    other = await plain(house)
    await house.accounts.log_out(alice)
    with pytest.raises(NotLoggedIn):
        await house.care.end_session(alice, other.token_hash[:16])
    assert len((await house.directory.scan(records.SESSIONS)).entries) == 1


async def test_a_password_changed_elsewhere_takes_the_devices_key_with_it(house: House) -> None:
    key = DeviceKey.create()
    device = await house.join("alice", key=key)
    caller = await plain(house)
    await house.accounts.change_password(caller, PASSWORD, "battery staple", FROM)
    assert await revoked(house, device.user_id) == [key_fingerprint(key.public)]
    assert (await account_of(house, device.user_id)).device_key is None


async def test_a_device_that_changes_the_password_keeps_its_key(house: House) -> None:
    key = DeviceKey.create()
    device = await house.join("alice", key=key)
    await plain(house)
    await house.accounts.change_password(device, PASSWORD, "battery staple", FROM)
    assert await revoked(house, device.user_id) == []
    assert (await account_of(house, device.user_id)).device_key == key.public


# --- the end of an account ---


async def test_a_deleted_account_leaves_tombstones_and_nothing_of_the_person(house: House) -> None:
    key = DeviceKey.create()
    alice = await house.join("alice", key=key)
    await plain(house)
    house.clock.forward(7200)
    await house.attendance.seen(alice)
    await house.care.delete_account(alice, PASSWORD, FROM)
    left = await house.content()
    assert set(left) == {
        records.tombstone_key(alice.user_id),
        records.name_tombstone_key("alice"),
        records.revocation_key(alice.user_id, key_fingerprint(key.public)),
        records.ending_key(alice.user_id, alice.token_hash),
    }
    assert b"alice" not in b"".join(left.values())
    assert not any("alice" in place for place in left)
    ending = decode(left[records.ending_key(alice.user_id, alice.token_hash)], Ending)
    assert (ending.reason, ending.at) == ("removed", house.clock().text)
    assert alice.user_id not in house.live


async def test_those_who_were_logged_in_are_told_and_their_tokens_are_worth_nothing(house: House) -> None:
    alice = await house.join("alice", key=DeviceKey.create())
    other = await plain(house)
    await house.care.delete_account(other, PASSWORD, FROM)
    (ended,) = house.ended
    assert (ended.reason, set(ended.token_hashes)) == ("removed", {alice.token_hash, other.token_hash})
    assert ended.device == Address("10.0.0.2", 8001)
    for caller in (alice, other):
        with pytest.raises(NotLoggedIn):
            await house.care.sessions(caller)
    with pytest.raises(WrongCredentials):
        await house.log_in("alice")


@pytest.mark.parametrize("name", ["alice", "ALICE", "ａｌｉｃｅ"])
async def test_the_name_is_never_given_to_somebody_else(house: House, name: str) -> None:
    alice = await house.join("alice")
    await house.care.delete_account(alice, PASSWORD, FROM)
    before = await house.content()
    with pytest.raises(NameTaken):
        await house.register(name)
    with pytest.raises(NameTaken):
        await house.register(name, request_id="the same as always")
    with pytest.raises(AccountDeleted):
        await house.people.find(name)
    assert await house.content() == before
    await house.register("alicia")


async def test_of_a_registration_and_a_deletion_at_once_nobody_gets_the_name(house: House) -> None:
    alice = await house.join("alice")
    results = await asyncio.gather(
        house.care.delete_account(alice, PASSWORD, FROM), house.register("alice"), return_exceptions=True
    )
    assert results[0] is None
    assert isinstance(results[1], NameTaken)
    assert await house.people.search("alice") == []


async def test_deletion_takes_the_password_again(house: House) -> None:
    alice = await house.join("alice")
    before = await house.content()
    with pytest.raises(WrongCredentials):
        await house.care.delete_account(alice, "wrong", FROM)
    with pytest.raises(IllegalPassword):
        await house.care.delete_account(alice, "x" * 73, FROM)
    assert await house.content() == before


async def test_guessing_the_password_with_a_stolen_session_is_limited(house: House) -> None:
    alice = await house.join("alice")
    for _ in range(20):
        with pytest.raises(WrongCredentials):
            await house.care.delete_account(alice, "wrong", FROM)
    with pytest.raises(RateLimited):
        await house.care.delete_account(alice, PASSWORD, FROM)
    assert (await house.people.find("alice")).username == "alice"


async def test_an_ended_session_deletes_nothing(house: House) -> None:
    alice = await house.join("alice")
    await plain(house)
    await house.accounts.log_out(alice)
    with pytest.raises(NotLoggedIn):
        await house.care.delete_account(alice, PASSWORD, FROM)
    assert (await house.people.find("alice")).username == "alice"


async def test_two_deletions_at_once_are_one(house: House) -> None:
    alice = await house.join("alice")
    results = await asyncio.gather(
        *(house.care.delete_account(alice, PASSWORD, FROM) for _ in range(3)), return_exceptions=True
    )
    assert results.count(None) == 1
    assert sum(isinstance(result, NotLoggedIn) for result in results) == 2


# --- settings ---


async def test_whoever_hides_when_they_were_last_seen_is_still_shown_online(house: House) -> None:
    alice = await house.join("alice")
    assert (await house.care.settings(alice)).last_seen
    changed = await house.care.change_settings(alice, SettingsChange(last_seen=False))
    assert not changed.last_seen
    assert not (await house.care.settings(alice)).last_seen
    shown = await house.people.find("alice")
    assert (shown.status, shown.last_seen) == ("online", None)
    await house.accounts.log_out(alice)
    assert (await house.people.find("alice")).last_seen is None
    again = await plain(house)
    await house.care.change_settings(again, SettingsChange(last_seen=True))
    assert (await house.people.find("alice")).last_seen is not None


async def test_what_is_not_given_stays_and_no_change_writes_nothing(house: House) -> None:
    alice = await house.join("alice")
    await house.care.change_settings(alice, SettingsChange(last_seen=False))
    before = await house.content()
    assert not (await house.care.change_settings(alice, SettingsChange())).last_seen
    assert not (await house.care.change_settings(alice, SettingsChange(last_seen=False))).last_seen
    assert await house.content() == before


async def test_an_ended_session_changes_no_setting(house: House) -> None:
    alice = await house.join("alice")
    await house.accounts.log_out(alice)
    with pytest.raises(NotLoggedIn):
        await house.care.change_settings(alice, SettingsChange(last_seen=False))


# --- when somebody else is always quicker ---


class NeverQuickEnough(MemoryDirectory):
    refusing = False

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        return None if self.refusing and conditions else await super().commit(conditions, writes)


async def test_trying_again_has_an_end_and_a_move_that_was_not_done_does_not_count(make_house: type[House]) -> None:
    directory = NeverQuickEnough()
    house = make_house(directory=directory)
    alice: Caller = await house.join("alice", key=DeviceKey.create())
    other = await plain(house)
    directory.refusing = True
    before = await house.content()
    for _ in range(MOVES_PER_HOUR + 1):
        with pytest.raises(Conflict):
            await house.log_in("alice", key=DeviceKey.create())
    with pytest.raises(Conflict):
        await house.care.end_session(other, alice.token_hash[:16])
    with pytest.raises(Conflict):
        await house.care.delete_account(alice, PASSWORD, FROM)
    with pytest.raises(Conflict):
        await house.care.change_settings(alice, SettingsChange(last_seen=False))
    assert await house.content() == before
    assert house.ended == []
