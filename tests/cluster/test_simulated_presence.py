"""Presence at several managers over one directory: who is attached where, who says who is offline, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from presence_simulation import BEAT, LEASE, OFFLINE_AFTER, Node, Site, clock

from telegraph.directory.port import Delete
from telegraph.errors import Conflict, DirectoryUnavailable, NotLoggedIn
from telegraph.manager.sessions import Caller
from telegraph.testing.virtual_time import run

Story = Callable[[Site], Awaitable[None]]


def tell(story: Story, count: int = 3) -> None:
    """A story of so many managers, in virtual time."""

    async def told() -> None:
        async with Site(count) as site:
            await story(site)

    run(told())


@pytest.mark.parametrize("count", [1, 3])
def test_a_hundred_heartbeats_are_no_write(count: int) -> None:
    async def story(site: Site) -> None:
        alice = Node(site, await site.join("alice"))
        await alice.beat()
        before = await site.revision()
        await alice.live(100 * BEAT)
        assert await site.revision() == before
        assert site.managers[0].attendance.live.last_seen("alice") is not None
        assert site.statuses["alice"] == ["offline", "online"]

    tell(story, count)


def test_a_node_that_moves_is_attached_to_the_other_manager_in_one_commit_and_its_presence_stays_as_it_was() -> None:
    async def story(site: Site) -> None:
        alice = Node(site, await site.join("alice"))
        await alice.beat()
        before, presence = await site.revision(), await site.presence("alice")
        alice.at = 1
        await alice.beat()
        await asyncio.sleep(0.1)
        assert await site.revision() == before + 1
        assert await site.presence("alice") == presence
        attached = await site.attached("alice")
        assert attached is not None
        assert attached.manager == "m1"
        assert "alice" not in site.managers[0].attendance.live
        assert "alice" in site.managers[1].attendance.live
        await alice.live(100)
        assert await site.revision() == before + 1

    tell(story)


def test_all_managers_say_the_same_of_everybody() -> None:
    async def story(site: Site) -> None:
        for number, name in enumerate(("alice", "bob", "carol")):
            await Node(site, await site.join(name), at=number).beat()
        await site.join("dave")
        await asyncio.sleep(0.1)
        for manager in site.managers:
            assert [user.username for user in await manager.people.online()] == ["alice", "bob", "carol"]
            assert manager.attendance.count_online() == 3

    tell(story)


def test_silence_is_told_once_by_the_leader_with_the_time_of_the_last_heartbeat() -> None:
    async def story(site: Site) -> None:
        follower = next(number for number, each in enumerate(site.managers) if each is not site.leader)
        alice = Node(site, await site.join("alice"), at=follower)
        await alice.live(25)
        heard = clock().earlier(5).text
        await asyncio.sleep(OFFLINE_AFTER - 6)
        assert site.told == []
        await asyncio.sleep(1.5)
        assert site.leader.expired == site.told == ["alice"]
        presence = await site.presence("alice")
        assert (presence.status, presence.last_seen) == ("offline", heard)
        assert await site.attached("alice") is None
        await asyncio.sleep(1000)
        assert site.told == ["alice"]
        assert site.statuses["alice"] == ["offline", "online", "offline"]

    tell(story)


def test_after_a_crash_of_her_manager_nobody_sees_her_offline() -> None:
    async def story(site: Site) -> None:
        alice = Node(site, await site.join("alice"))
        await alice.live(15)
        await site.managers[0].crash()
        await alice.live(100)
        assert site.statuses["alice"] == ["offline", "online"]
        assert alice.at == 1

    tell(story)


def test_whoever_is_silent_since_her_manager_crashed_is_offline_in_time() -> None:
    async def story(site: Site) -> None:
        await Node(site, await site.join("alice")).beat()
        await site.managers[0].crash()
        await asyncio.sleep(OFFLINE_AFTER - 0.1)
        assert site.told == []
        await asyncio.sleep(LEASE + 1)
        assert site.told == ["alice"]

    tell(story)


def test_when_the_leader_crashes_the_next_one_says_who_is_offline() -> None:
    async def story(site: Site) -> None:
        first = site.leader
        number = next(number for number, each in enumerate(site.managers) if each is not first)
        await Node(site, await site.join("alice"), at=number).beat()
        await asyncio.sleep(OFFLINE_AFTER - 2)
        await first.crash()
        await asyncio.sleep(3)
        assert (site.told, (await site.presence("alice")).status) == ([], "online")
        silent = await site.attached("alice")
        assert silent is not None
        assert silent.silent
        await asyncio.sleep(6)
        assert site.leader is not first
        assert site.leader.expired == ["alice"]

    tell(story)


def test_whoever_shows_life_after_she_was_given_up_and_before_the_leader_said_so_stays_online() -> None:
    async def story(site: Site) -> None:
        alice = Node(site, await site.join("alice"), at=1)
        await alice.beat()
        await asyncio.sleep(OFFLINE_AFTER - 2)
        await site.leader.crash()
        await asyncio.sleep(3)
        given_up = await site.attached("alice")
        assert given_up is not None
        assert given_up.silent
        alice.at = 2
        await alice.live(200)
        assert site.statuses["alice"] == ["offline", "online"]

    tell(story)


def test_a_leader_that_was_paused_and_wakes_up_late_changes_nothing() -> None:
    async def story(site: Site) -> None:
        late, holder = site.leader, next(each for each in site.managers if each is not site.leader)
        leadership = late.election.leadership
        assert leadership is not None
        await Node(site, await site.join("alice"), at=site.managers.index(holder)).beat()
        await holder.crash()
        await asyncio.sleep(LEASE + 1)

        await late.crash()
        late.way.cut = False
        late.attending.sweep.begin()
        await asyncio.sleep(OFFLINE_AFTER + 1)
        assert site.leader not in (late, holder)
        before = await site.revision()
        with pytest.raises(Conflict):
            await late.attending.sweep.once((leadership.condition,))
        assert (late.expired, await site.revision()) == ([], before)
        assert (await site.presence("alice")).status == "online"

        await asyncio.sleep(6)
        assert site.told == site.leader.expired == ["alice"]

    tell(story)


def test_a_manager_whose_lease_ran_out_attaches_its_users_again_in_few_commits_and_nobody_flaps() -> None:
    async def story(site: Site) -> None:
        names = [f"user{number:03}" for number in range(250)]
        for name in names:
            await Node(site, await site.join(name)).beat()
        before = await site.revision()
        await site.directory.revoke(await site.managers[0].attending.attendance.itself.lease.current())
        assert await site.attached("user007") is None
        await asyncio.sleep(4)
        attached = [await site.attached(name) for name in names]
        assert {each.manager if each else None for each in attached} == {"m0"}
        assert await site.revision() <= before + 1 + 4
        assert all(site.statuses[name] == ["offline", "online"] for name in names)

    tell(story)


def test_whoever_went_elsewhere_or_logged_out_meanwhile_is_not_attached_again() -> None:
    async def story(site: Site) -> None:
        alice, bob, carol = [Node(site, await site.join(name)) for name in ("alice", "bob", "carol")]
        for each in (alice, bob, carol):
            await each.beat()
        first = site.managers[0]
        first.way.cut = True
        alice.at = bob.at = 1
        await alice.beat()
        await bob.beat()
        await site.managers[1].attendance.leave(bob.caller)
        await asyncio.sleep(LEASE + 1)
        assert await site.attached("carol") is None
        first.way.cut = False
        await asyncio.sleep(2)
        holders = [await site.attached(name) for name in ("alice", "bob", "carol")]
        assert [each.manager if each else None for each in holders] == ["m1", None, "m0"]
        assert first.attendance.live.user_ids == ["carol"]
        assert site.statuses["bob"] == ["offline", "online", "offline"]

    tell(story)


def test_without_a_directory_heartbeats_of_ones_own_are_heard_and_nobody_flaps_when_it_is_back() -> None:
    async def story(site: Site) -> None:
        alice, bob = Node(site, await site.join("alice")), await site.join("bob")
        await alice.beat()
        for manager in site.managers:
            manager.way.cut = True
        for _ in range(10):
            await site.managers[0].heartbeat(alice.caller)
            await asyncio.sleep(BEAT)
        with pytest.raises(DirectoryUnavailable):
            await site.managers[0].heartbeat(bob)
        with pytest.raises(DirectoryUnavailable):
            await site.managers[1].heartbeat(alice.caller)
        await site.managers[1].attendance.seen(alice.caller)  # a look-up is not refused for that
        for manager in site.managers:
            manager.way.cut = False
        await alice.live(200)
        assert site.statuses["alice"] == ["offline", "online"]
        assert site.told == []

    tell(story)


def test_a_heartbeat_of_a_session_that_ended_at_another_manager_changes_nothing() -> None:
    async def story(site: Site) -> None:
        alice = Node(site, await site.join("alice"))
        await alice.beat()
        await site.directory.commit([], [Delete(alice.caller.alive.key)])
        alice.at = 1
        before = await site.revision()
        with pytest.raises(NotLoggedIn):
            await alice.beat()
        assert await site.revision() == before

    tell(story)


def test_other_calls_at_another_manager_fetch_nobody_who_was_heard_lately_and_keep_online_who_was_not() -> None:
    async def story(site: Site) -> None:
        alice = Node(site, await site.join("alice"))
        await alice.beat()
        await asyncio.sleep(0.1)
        before = await site.revision()
        for _ in range(10):
            await site.managers[1].attendance.seen(alice.caller)
            await asyncio.sleep(1)
        assert await site.revision() == before
        for _ in range(20):
            await asyncio.sleep(BEAT)
            await site.managers[1].attendance.seen(alice.caller)
        assert await site.revision() == before + 1
        assert site.statuses["alice"] == ["offline", "online"]

    tell(story)


def test_at_a_cold_start_everybody_has_the_full_time_to_show_life() -> None:
    async def story(site: Site) -> None:
        alice, bob = [Node(site, await site.join(name)) for name in ("alice", "bob")]
        await alice.beat()
        await bob.beat()
        for manager in site.managers:
            await manager.crash()
        await asyncio.sleep(1000)
        for manager in site.managers:
            await manager.start()
        await asyncio.sleep(OFFLINE_AFTER - 3)
        await alice.live(60)
        assert site.statuses["alice"] == ["offline", "online"]
        assert site.statuses["bob"] == ["offline", "online", "offline"]
        assert site.told == ["bob"]

    tell(story)


def test_a_manager_that_crashed_and_comes_back_at_once_keeps_its_users() -> None:
    async def story(site: Site) -> None:
        alice, bob = [Node(site, await site.join(name)) for name in ("alice", "bob")]
        await alice.beat()
        await bob.beat()
        before = await site.attached("alice")
        await site.managers[0].crash()
        await asyncio.sleep(1)
        await site.managers[0].start()
        await alice.live(5)
        assert await site.attached("alice") == before
        await alice.live(55)
        assert (alice.at, site.told) == (0, ["bob"])
        assert site.statuses["alice"] == ["offline", "online"]

    tell(story)


def test_a_manager_that_stops_leaves_nobody_attached() -> None:
    async def story(site: Site) -> None:
        alice = Node(site, await site.join("alice"))
        await alice.beat()
        await site.managers[0].stop()
        assert await site.attached("alice") is None
        await alice.live(60)
        assert site.statuses["alice"] == ["offline", "online"]

    tell(story)


# --- any order of events ---

HAPPENINGS = st.lists(
    st.tuples(
        st.floats(0.1, 25.0),
        st.sampled_from(["crash", "cut", "lose the lease", "move", "silence", "look up elsewhere"]),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=8,
)


class Chaos:
    """Does to managers what happens to them, and mends it: never to two at once."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.node = Node(site, Caller("alice", "alice", "hash", 0, device=True))
        self.silences = 0

    async def happen(self, what: str, number: int) -> None:
        manager = self.site.managers[number]
        match what:
            case "crash":
                await manager.crash()
                await self.node.live(15)
                await manager.start()
            case "cut":
                manager.way.cut = True
                await self.node.live(18)
                manager.way.cut = False
            case "lose the lease":
                await self.site.directory.revoke(await manager.attendance.itself.lease.current())
            case "move":
                self.node.at = number
            case "look up elsewhere":
                await manager.attendance.seen(self.node.caller)
            case _:
                self.silences += 1
                await asyncio.sleep(OFFLINE_AFTER + LEASE + 10)
        await self.node.live(0.2)


@given(HAPPENINGS)
def test_whatever_happens_whoever_shows_life_stays_online_and_who_is_silent_is_told_so_once(
    happenings: list[tuple[float, str, int]],
) -> None:
    async def story(site: Site) -> None:
        chaos = Chaos(site)
        chaos.node.caller = await site.join("alice")
        for pause, what, number in happenings:
            await chaos.node.live(pause)
            await chaos.happen(what, number)
        await chaos.node.live(60)
        assert site.statuses["alice"] == ["offline", "online"] * (chaos.silences + 1)
        assert site.told == ["alice"] * chaos.silences

    tell(story)
