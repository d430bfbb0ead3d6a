"""Changes of the membership: one at a time, never to the group's harm."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory import cluster_records
from telegraph.directory.etcd.members import Member
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Put
from telegraph.errors import CannotJoin, CannotLeave, DirectoryUnavailable, LockLost, MembersUnsettled
from telegraph.manager.cluster.membership import (
    check_may_leave,
    initial_cluster,
    member_at,
    membership_lock,
)
from telegraph.manager.cluster.patience import patiently
from telegraph.testing.virtual_time import run


def member(number: int, *, learner: bool = False, started: bool = True) -> Member:
    name = f"m{number}" if started else ""
    return Member(number, name, (f"https://10.0.0.{number}:2380",), (), learner)


async def test_only_one_holds_the_lock_and_the_next_gets_it_at_once(directory: MemoryDirectory) -> None:
    order: list[str] = []

    async def change(name: str) -> None:
        async with membership_lock(directory, name):
            order.append(f"{name} begins")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    await asyncio.gather(change("a"), change("b"), change("c"))
    assert [step.split()[1] for step in order] == ["begins", "ends"] * 3
    assert [order[at][0] for at in (0, 2, 4)] == [order[at][0] for at in (1, 3, 5)]
    assert await directory.get(cluster_records.LOCK) is None


async def test_the_lock_ends_with_the_lease_of_a_holder_that_died(directory: MemoryDirectory) -> None:
    holding = membership_lock(directory, "dead")
    await holding.__aenter__()
    entry = await directory.get(cluster_records.LOCK)
    assert entry is not None

    async def change() -> str:
        async with membership_lock(directory, "next"):
            found = await directory.get(cluster_records.LOCK)
            return found.value.decode() if found else ""

    waiting = asyncio.create_task(change())
    await asyncio.sleep(0)
    assert not waiting.done()
    await directory.revoke(entry.lease)  # as if it had run out
    assert await waiting == "next"
    await holding.__aexit__(None, None, None)


async def test_who_was_silent_for_too_long_changes_nothing_any_more(directory: MemoryDirectory) -> None:
    lost: list[str] = []

    async def change() -> None:
        async with membership_lock(directory, "paused") as lock:
            await lock.check()
            entry = await directory.get(cluster_records.LOCK)
            assert entry is not None
            await directory.revoke(entry.lease)  # as if it had run out
            async with membership_lock(directory, "next"):
                assert await directory.commit([lock.condition], [Put("record", b"")]) is None
                with pytest.raises(LockLost):
                    await lock.check()
                lost.append("checked")
            await asyncio.Event().wait()  # a change that would go on for ever is cut off

    with pytest.raises(LockLost):
        await asyncio.wait_for(change(), 10)
    assert lost == ["checked"]
    assert await directory.get(cluster_records.LOCK) is None


class Away(MemoryDirectory):
    """A directory that cannot be reached for a while."""

    away = False

    async def keep_alive(self, lease: int) -> float:
        if self.away:
            raise DirectoryUnavailable
        return await super().keep_alive(lease)


def test_who_cannot_renew_the_lock_stops_before_another_can_have_it() -> None:
    async def story() -> float:
        directory = Away()
        clock = asyncio.get_running_loop().time
        with pytest.raises(LockLost):
            await _hold(directory)
        return clock()

    assert 5 < run(story()) < 10


async def _hold(directory: Away) -> None:
    async with membership_lock(directory, "cut off") as lock:
        directory.away = True
        with pytest.raises(DirectoryUnavailable):
            await lock.check()
        await asyncio.Event().wait()


async def test_an_error_of_what_is_done_under_the_lock_is_its_own(directory: MemoryDirectory) -> None:
    with pytest.raises(TimeoutError):
        async with membership_lock(directory, "a"):
            raise TimeoutError
    assert await directory.get(cluster_records.LOCK) is None


async def test_a_refusal_for_now_is_tried_again_and_one_for_good_is_told() -> None:
    left = [MembersUnsettled(), MembersUnsettled()]

    async def change() -> None:
        if left:
            raise left.pop()

    await patiently(change, pause=0)
    assert not left

    async def never() -> None:
        raise MembersUnsettled

    with pytest.raises(MembersUnsettled):
        await patiently(never, -1)


def test_a_newcomer_is_told_all_names_with_its_own() -> None:
    members = [member(1), member(2), member(3, learner=True, started=False)]
    assert initial_cluster(members, "me", 3) == {
        "m1": "https://10.0.0.1:2380",
        "m2": "https://10.0.0.2:2380",
        "me": "https://10.0.0.3:2380",
    }
    with pytest.raises(CannotJoin, match="never started"):
        initial_cluster([*members, member(4, started=False)], "me", 3)
    assert member_at(members, "https://10.0.0.2:2380") == members[1]
    assert member_at(members, "https://10.0.0.9:2380") is None


@given(st.integers(1, 7), st.integers(0, 7), st.booleans())
def test_whoever_leaves_leaves_a_majority_behind(voters: int, healthy: int, learner: bool) -> None:
    members = [member(number) for number in range(voters)] + ([member(9, learner=True)] if learner else [])
    others = voters - 1
    healthy = min(healthy, others)
    if others and 2 * healthy > others:
        check_may_leave(members, 0, healthy)
    else:
        with pytest.raises(CannotLeave):
            check_may_leave(members, 0, healthy)
