from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from telegraph.directory import records
from telegraph.directory.memory import MemoryDirectory
from telegraph.errors import NotLoggedIn
from telegraph.manager.feed import Feed, changed_user
from telegraph.manager.people import People
from telegraph.manager.sessions import Caller
from telegraph.manager.streams import Hub, Stream
from telegraph.node.keys import DeviceKey
from telegraph.protocol.identity import key_fingerprint
from telegraph.protocol.manager_events import Revoked, SessionEnded, UserChanged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.unit.manager.conftest import House


@asynccontextmanager
async def watching(house: House, *user_ids: str) -> AsyncIterator[Stream]:
    """A stream that watches, and a feed that runs."""
    hub = Hub()
    stream = hub.open(Caller("id-eve", "eve", "s", 1, device=True))
    for user_id in user_ids:
        hub.watch(stream, user_id)
    feed = await house.feed(hub)
    task = asyncio.create_task(feed.follow())
    yield stream
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def heard(stream: Stream) -> UserChanged:
    event = await asyncio.wait_for(stream.next(), 5)
    assert isinstance(event, UserChanged)
    return event


async def test_a_log_in_a_move_and_a_log_out_are_told_in_order(house: House) -> None:
    user_id = await house.register("alice")
    async with watching(house, user_id) as stream:
        alice = await house.caller((await house.log_in("alice", host="10.0.0.7")).token)
        event = await heard(stream)
        assert (event.user.status, event.user.ip) == ("online", "10.0.0.7")
        house.clock.forward(1)
        await house.accounts.log_out(alice)
        assert (await heard(stream)).user.status == "offline"


async def test_one_commit_is_told_once_though_account_and_presence_changed(house: House) -> None:
    user_id = await house.register("alice")
    key = DeviceKey.create()
    async with watching(house, user_id) as stream:
        alice = await house.caller((await house.log_in("alice", key=key)).token)
        assert (await heard(stream)).user.device_key is not None
        await house.accounts.log_out(alice)
        assert (await heard(stream)).user.status == "offline"


async def test_nobody_hears_of_somebody_who_is_not_watched(house: House) -> None:
    alice, bob = await house.register("alice"), await house.register("bob")
    async with watching(house, bob) as stream:
        await house.log_in("alice")
        await house.log_in("bob")
        event = await heard(stream)
        assert (event.user.user_id, alice != bob) == (bob, True)


async def test_whoever_fell_behind_the_kept_history_shows_the_present_state(make_house: type[House]) -> None:
    house = make_house(directory=MemoryDirectory(kept_changes=2))
    eve, user_id = await house.join("eve"), await house.register("alice")
    for _ in range(4):
        house.clock.forward(1)
        await house.log_in("alice")
    hub = Hub()
    stream = hub.open(eve)
    hub.watch(stream, user_id)
    feed = Feed(house.directory, house.people, house.attendance, hub, house.revoked, 0)
    await feed.follow()
    assert (await heard(stream)).user.status == "online"
    following = asyncio.create_task(feed.follow())
    await asyncio.sleep(0)
    await house.accounts.log_out(await house.caller((await house.log_in("alice")).token))
    assert (await heard(stream)).user.status == "offline"
    following.cancel()


async def test_whoever_fell_behind_is_told_of_the_keys_revoked_meanwhile(make_house: type[House]) -> None:
    house = make_house(directory=MemoryDirectory(kept_changes=2))
    await house.register("alice")
    await house.revoked.load()
    hub, key = Hub(), DeviceKey.create()
    stream = hub.open(Caller("id-eve", "eve", "s", 1, device=True))
    hub.tell_of_revocations(stream, [])
    for each in (key, DeviceKey.create()):
        await house.log_in("alice", key=each)
    await house.register("bob")
    await Feed(house.directory, house.people, house.attendance, hub, house.revoked, 0).follow()
    event = await asyncio.wait_for(stream.next(), 5)
    assert isinstance(event, Revoked)
    assert [each.key for each in event.keys] == [key_fingerprint(key.public)]


async def test_a_stream_ends_when_its_session_was_ended_at_another_manager(house: House) -> None:
    alice, plain = (
        await house.join("alice", key=DeviceKey.create()),
        await house.caller((await house.log_in("alice")).token),
    )
    hub = Hub()
    device, other = hub.open(alice), hub.open(plain)
    feed = await house.feed(hub)
    following = asyncio.create_task(feed.follow())
    await house.log_in("alice", key=DeviceKey.create())
    told = await asyncio.wait_for(device.next(), 5)
    assert isinstance(told, SessionEnded)
    assert told.reason == "logged_in_elsewhere"
    assert not other.closing
    await house.accounts.log_out(plain)
    assert await asyncio.wait_for(other.next(), 5) == SessionEnded("logged_out")
    following.cancel()


async def test_a_stream_ends_when_its_session_ended_before_the_kept_history(make_house: type[House]) -> None:
    house = make_house(directory=MemoryDirectory(kept_changes=2))
    alice, bob = await house.join("alice"), await house.join("bob")
    hub = Hub()
    stream, stays = hub.open(alice), hub.open(bob)
    await house.accounts.log_out(alice)
    for name in ("carol", "dave", "erin"):
        await house.register(name)
    await Feed(house.directory, house.people, house.attendance, hub, house.revoked, 0).follow()
    assert await asyncio.wait_for(stream.next(), 5) == SessionEnded("logged_out")
    assert not stays.closing


async def test_a_session_that_was_ended_elsewhere_sends_no_more_heartbeats(make_house: type[House]) -> None:
    here = make_house(name="here", alone=False)
    there = make_house(directory=here.directory, name="there", alone=False)
    token = await _online(here)
    alice = await here.caller(token)
    feed = await here.feed(Hub())
    following = asyncio.create_task(feed.follow())
    assert here.attendance.last_caller(token) == alice
    await there.accounts.log_out(alice)
    await here.join("carol")
    while here.attendance.last_caller(token) is not None:  # noqa: ASYNC110 - what the feed hears it tells nobody
        await asyncio.sleep(0)
    with pytest.raises(NotLoggedIn):
        await here.attendance.heard(alice)  # one that was under way when the session ended
    assert here.attendance.last_caller(token) is None
    following.cancel()


async def test_whoever_fell_behind_trusts_no_session_that_it_remembers(make_house: type[House]) -> None:
    house = make_house(directory=MemoryDirectory(kept_changes=2))
    token = await _online(house)
    for name in ("carol", "dave", "erin"):
        await house.register(name)
    assert house.attendance.last_caller(token) is not None
    await Feed(house.directory, house.people, house.attendance, Hub(), house.revoked, 0).follow()
    assert house.attendance.last_caller(token) is None


async def _online(house: House) -> str:
    """The token with which alice has just sent a heartbeat."""
    await house.register("alice")
    token = (await house.log_in("alice")).token
    await house.attendance.heard(await house.caller(token))
    return token


@pytest.mark.parametrize(
    ("key", "user_id"),
    [
        (records.account_key("u1"), "u1"),
        (records.presence_key("u1"), "u1"),
        (records.session_key("u1", "ff"), None),
        (records.name_record_key("alice"), None),
        (records.REGISTRATION, None),
    ],
)
def test_only_accounts_and_presences_tell_of_users(key: str, user_id: str | None) -> None:
    assert changed_user(key) == user_id


async def test_when_a_site_is_cut_off_or_heard_again_its_users_are_shown_anew(house: House) -> None:
    users = [await house.register("alice"), await house.register("bob")]
    sites: dict[str, tuple[str, str | None]] = {"": ("cusco", None)}
    people = People(house.directory, house.live, house.attendance.roll, lambda site: sites[site])
    hub = Hub()
    stream = hub.open(Caller("id-eve", "eve", "s", 1, device=True))
    hub.watch(stream, users[0])
    feed = Feed(house.directory, people, house.attendance, hub, house.revoked, 0)
    looking = asyncio.create_task(feed.keep_looking())
    feed.look_again("lima")  # nobody of whom is watched
    sites[""] = ("cusco", "2030-01-01T00:00:00Z")
    feed.look_again("cusco")
    event = await heard(stream)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    assert (event.user.user_id, event.user.site, event.user.as_of) == (users[0], "cusco", "2030-01-01T00:00:00Z")
