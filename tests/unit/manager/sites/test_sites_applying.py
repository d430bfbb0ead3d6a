"""Two sites with real managers' insides, each over a directory in memory, which hear of each other's changes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from telegraph.directory import records
from telegraph.directory.merging import names
from telegraph.directory.port import Put, Unchanged
from telegraph.directory.records import Account, Claim, Cursor, Ending, NameClaim, Use, decode, encode
from telegraph.directory.state_hash import state_hash
from telegraph.errors import AccountDeleted, Conflict, NotLoggedIn, RevokedKey, WrongCredentials
from telegraph.manager.sites.applying import Applied, Applier
from telegraph.node.keys import DeviceKey
from telegraph.protocol.identity import key_fingerprint
from telegraph.protocol.manager_api import SettingsChange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.manager.conftest import House

    from telegraph.directory.port import Delete
    from telegraph.manager.sessions import Caller

PASSWORD, NEW, OTHER = "correct horse", "battery staple", "stapled battery"
FROM = "192.0.2.1"
LIFETIME = timedelta(days=30)


class Site:
    """A manager's inside and what merges into it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.home = house.attendance.itself.home
        self.home.several = True
        self.applier = Applier(house.directory, self.home, house.clock, LIFETIME)
        self.applied: list[Applied] = []
        self.applier.on_applied = self.applied.append

    async def hear(self, other: Site, cursor: Cursor | None = None) -> None:
        """All that the other site has."""
        await self.applier.apply(other.home.name, await other.told(), cursor, ())

    async def told(self) -> dict[str, bytes]:
        content = await self.house.content()
        return {key: value for key, value in content.items() if key.startswith(records.EXCHANGED)}

    async def account(self, user_id: str) -> Account | None:
        entry = await self.house.directory.get(records.account_key(user_id))
        return None if entry is None else decode(entry.value, Account)

    async def caller(self, name: str, password: str = PASSWORD, *, key: DeviceKey | None = None) -> Caller:
        return await self.house.caller((await self.house.log_in(name, password, key=key)).token)

    async def is_alive(self, caller: Caller) -> bool:
        return await self.house.directory.get(caller.alive.key) is not None

    async def ending(self, caller: Caller) -> str | None:
        entry = await self.house.directory.get(records.ending_key(caller.user_id, caller.token_hash))
        return None if entry is None else decode(entry.value, Ending).reason


@pytest.fixture
def lima(make_house: type[House]) -> Site:
    return Site(make_house(site="lima", name="l1"))


@pytest.fixture
def quito(make_house: type[House]) -> Site:
    return Site(make_house(site="quito", name="q1"))


async def heal(one: Site, other: Site) -> None:
    """Both hear of each other until there is no news; then both have the same."""
    for _ in range(3):
        await one.hear(other)
        await other.hear(one)
    assert await one.told() == await other.told()
    entries = [(await site.house.directory.scan("")).entries for site in (one, other)]
    assert state_hash(entries[0]) == state_hash(entries[1])


async def found(site: Site, caller: Caller) -> Caller:
    """The same session as it is at a site."""
    entry = await site.house.directory.get(caller.alive.key)
    assert entry is not None
    return replace(caller, revision=entry.revision)


async def test_whoever_registered_at_one_site_logs_in_at_the_other(lima: Site, quito: Site) -> None:
    user_id = await lima.house.register("Alice")
    await heal(lima, quito)
    alice = await quito.caller("alice")
    assert alice.user_id == user_id
    await heal(lima, quito)
    assert await lima.is_alive(alice)
    assert (await lima.house.people.find("alice")).user_id == user_id


async def test_what_is_known_already_is_not_written_again(lima: Site, quito: Site) -> None:
    await lima.house.join("alice", key=DeviceKey.create())
    await heal(lima, quito)
    before = [(await site.house.directory.scan("")).revision for site in (lima, quito)]
    await heal(lima, quito)
    assert before == [(await site.house.directory.scan("")).revision for site in (lima, quito)]


async def test_a_password_that_was_changed_holds_at_both_sites_and_ends_what_began_with_the_old_one(
    lima: Site, quito: Site
) -> None:
    alice = await lima.house.join("alice")
    await heal(lima, quito)
    there, phone = await quito.caller("alice"), DeviceKey.create()
    device = await quito.caller("alice", key=phone)
    await lima.house.accounts.change_password(alice, PASSWORD, NEW, FROM)
    await heal(lima, quito)
    with pytest.raises(WrongCredentials):
        await quito.house.log_in("alice", PASSWORD)
    assert [await quito.is_alive(each) for each in (alice, there, device)] == [True, False, False]
    assert [await lima.ending(each) for each in (there, device)] == ["password_changed"] * 2
    with pytest.raises(RevokedKey):
        await lima.caller("alice", NEW, key=phone)
    account = await lima.account(alice.user_id)
    assert account is not None
    assert account.device_key is None


async def test_of_two_passwords_changed_at_both_sites_one_holds_and_both_people_hear_of_it(
    lima: Site, quito: Site
) -> None:
    alice = await lima.house.join("alice")
    await heal(lima, quito)
    there = await quito.caller("alice")
    await lima.house.accounts.change_password(alice, PASSWORD, OTHER, FROM)
    await quito.house.accounts.change_password(there, PASSWORD, NEW, FROM)
    await heal(lima, quito)
    await lima.caller("alice", NEW)  # one counter, and quito comes after lima
    with pytest.raises(WrongCredentials):
        await quito.house.log_in("alice", OTHER)
    assert await quito.ending(alice) == "password_changed"


async def test_a_session_that_was_ended_at_one_site_is_gone_at_the_other(lima: Site, quito: Site) -> None:
    alice = await lima.house.join("alice")
    plain = await lima.caller("alice")
    await heal(lima, quito)
    stale = await lima.told()
    await quito.house.accounts.log_out(await found(quito, plain))
    await heal(lima, quito)
    await lima.applier.apply("quito", stale, None, ())
    await quito.applier.apply("lima", stale, None, ())
    assert not await lima.is_alive(plain)
    assert not await quito.is_alive(plain)
    assert await lima.is_alive(alice)


async def test_a_device_replaced_at_both_sites_is_one_and_the_other_is_revoked(lima: Site, quito: Site) -> None:
    desk, phone = DeviceKey.create(), DeviceKey.create()
    await lima.house.register("alice")
    await heal(lima, quito)
    at_desk, at_phone = await lima.caller("alice", key=desk), await quito.caller("alice", key=phone)
    await heal(lima, quito)
    account = await lima.account(at_desk.user_id)
    assert account is not None
    assert account.device_key == phone.public  # one counter, and quito comes after lima
    assert not await quito.is_alive(at_desk)
    assert await lima.is_alive(at_phone)
    assert await lima.ending(at_desk) == "logged_in_elsewhere"
    place = records.revocation_key(at_desk.user_id, key_fingerprint(desk.public))
    assert await quito.house.directory.get(place) is not None


async def test_an_account_that_was_deleted_at_one_site_is_gone_whatever_happened_to_it_at_the_other(
    lima: Site, quito: Site
) -> None:
    alice = await lima.house.join("alice")
    await heal(lima, quito)
    there = await quito.caller("alice", key=(phone := DeviceKey.create()))
    await quito.house.care.change_settings(there, SettingsChange(last_seen=False))
    await quito.house.directory.commit([], [Put(records.use_key(there.user_id, there.token_hash), encode(Use("now")))])
    await lima.house.care.delete_account(alice, PASSWORD, FROM)
    await heal(lima, quito)
    with pytest.raises(AccountDeleted):
        await quito.house.people.find("alice")
    left = [key for key in await quito.house.content() if alice.user_id in key]
    kinds = {key.split("/")[0] + "/" for key in left}
    assert kinds <= {records.TOMBSTONES, records.ENDINGS, records.REVOCATIONS}
    assert records.revocation_key(alice.user_id, key_fingerprint(phone.public)) in left
    assert await quito.ending(there) == "removed"


async def registered(site: Site, name: str, state: str, user_id: str) -> None:
    """What a registration with several sites writes."""
    place = records.name_record_key(name)
    claim = Claim(user_id, name, site.home.name, state, "2030-01-01T00:00:00Z")  # type: ignore[arg-type]
    account = Account(user_id, name, "hash", "2030", home=site.home.name, name_state=state)  # type: ignore[arg-type]
    writes = [Put(place, encode(NameClaim(user_id, (claim,)))), Put(records.account_key(user_id), encode(account))]
    await site.house.directory.commit([], writes)


async def test_two_who_registered_one_name_during_a_cut_keep_their_accounts_and_one_is_renamed(
    lima: Site, quito: Site
) -> None:
    await registered(lima, "bob", "provisional", "u-lima")
    await registered(quito, "bob", "provisional", "u-quito")
    await heal(lima, quito)
    shown = {name: await lima.account(name) for name in ("u-lima", "u-quito")}
    found = {user_id: account.username for user_id, account in shown.items() if account is not None}
    place = records.name_record_key("bob")
    first = min(found, key=lambda user_id: names.hashed(place, Claim(user_id)))
    other = "u-quito" if first == "u-lima" else "u-lima"
    assert found == {first: "bob", other: "bob~" + other.removeprefix("u-")}


async def test_a_name_whose_owner_deleted_the_account_goes_to_nobody_who_claimed_it_meanwhile(
    lima: Site, quito: Site
) -> None:
    bob = await lima.house.join("bob")
    await registered(quito, "bob", "provisional", "u-quito")
    await lima.house.care.delete_account(bob, PASSWORD, FROM)
    await heal(lima, quito)
    account = await lima.account("u-quito")
    assert account is not None
    assert account.username == "bob~quito"


async def test_an_own_tentative_claim_that_lost_is_aborted_with_its_account(lima: Site, quito: Site) -> None:
    await registered(lima, "bob", "tentative", "u-lima")
    await registered(quito, "bob", "final", "u-quito")
    await heal(lima, quito)
    assert await lima.account("u-lima") is None
    assert await quito.account("u-lima") is None
    entry = await lima.house.directory.get(records.name_record_key("bob"))
    assert entry is not None
    states = {claim.user_id: claim.state for claim in names.claims_of(decode(entry.value, NameClaim))}
    assert states == {"u-lima": "aborted", "u-quito": "final"}


async def test_the_cursor_is_written_with_the_last_of_what_it_stands_for(lima: Site, quito: Site) -> None:
    for index in range(30):
        await lima.house.register(f"user{index}")
    cursor = Cursor(7, "2030", "abc")
    seen: list[tuple[int, bool]] = []
    commit = quito.house.directory.commit

    async def watched(conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        seen.append((len(writes), any(write.key == records.cursor_key("lima") for write in writes)))
        return await commit(conditions, writes)

    quito.house.directory.commit = watched  # type: ignore[method-assign]
    await quito.hear(lima, cursor)
    assert len(seen) > 1
    assert [has_cursor for _, has_cursor in seen] == [False] * (len(seen) - 1) + [True]
    entry = await quito.house.directory.get(records.cursor_key("lima"))
    assert entry is not None
    assert decode(entry.value, Cursor) == cursor
    seen.clear()
    await quito.applier.apply("lima", {}, Cursor(8), ())
    assert seen == [(1, True)]


async def test_a_leader_that_leads_no_more_changes_nothing(lima: Site, quito: Site) -> None:
    await lima.house.register("alice")
    before = await quito.house.content()
    with pytest.raises(Conflict):
        await quito.applier.apply("lima", await lima.told(), Cursor(3), [Unchanged("leader/jobs", 5)])
    assert await quito.house.content() == before
    assert quito.applied == []


async def test_what_changes_while_it_is_merged_is_merged_too(lima: Site, quito: Site) -> None:
    alice = await lima.house.join("alice")
    await heal(lima, quito)
    there = await quito.caller("alice")
    await lima.house.accounts.change_password(alice, PASSWORD, NEW, FROM)
    get, raced = quito.house.directory.get, False

    async def racing(key: str, *, stale: bool = False) -> object:
        nonlocal raced
        found = await get(key, stale=stale)
        if key.startswith(records.ACCOUNTS) and not raced:
            raced = True
            quito.house.directory.get = get  # type: ignore[method-assign]
            await quito.house.care.change_settings(there, SettingsChange(last_seen=False))
        return found

    quito.house.directory.get = racing  # type: ignore[method-assign, assignment]
    await quito.hear(lima)
    account = await quito.account(alice.user_id)
    assert account is not None
    assert (raced, account.hides_last_seen, account.password_version) == (True, True, (1, "lima"))


async def test_what_is_no_record_or_not_exchanged_is_left_out(lima: Site) -> None:
    before = await lima.house.content()
    strange = {"account/x": b"nonsense", "cluster/ca": b"{}", "setting/directory-id": b"x", "attached/x": b"{}"}
    await lima.applier.apply("quito", strange, None, ())
    assert await lima.house.content() == before


async def test_who_has_too_many_sessions_for_one_commit_is_merged_in_several(
    lima: Site, quito: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telegraph.manager.sites.applying.MOST_OPERATIONS", 20)
    alice = await lima.house.join("alice")
    await heal(lima, quito)
    callers = [await quito.caller("alice") for _ in range(12)]
    await heal(lima, quito)
    await lima.house.accounts.change_password(alice, PASSWORD, NEW, FROM)
    await heal(lima, quito)
    for each in callers:
        with pytest.raises(NotLoggedIn):
            await quito.house.attendance.require_alive(each)


async def test_who_follows_is_told_what_each_commit_changed(lima: Site, quito: Site) -> None:
    alice = await lima.house.join("alice")
    await heal(lima, quito)
    quito.applied.clear()
    await lima.house.accounts.log_out(alice)
    await quito.hear(lima)
    (told,) = quito.applied
    assert told.before[alice.alive.key] is not None
    assert told.after[alice.alive.key] is None
