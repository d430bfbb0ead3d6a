"""Elections in memory and in virtual time; tests/integration has them on etcd."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from telegraph.directory.election import TTL, Election, Leadership
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Change, Delete, Entry, Put, Snapshot, Unchanged
from telegraph.directory.sqlite import SqliteDirectory
from telegraph.errors import DirectoryUnavailable, FateUnknown
from telegraph.testing import virtual_time

KEY = "leader/jobs"


class Cable(MemoryDirectory):
    """What one manager sees of a directory that it shares with others: it can be cut off."""

    def __init__(self, shared: MemoryDirectory) -> None:
        super().__init__()
        self.shared = shared
        self.cut = False
        self.hang = False
        self.lose_answers = False

    async def _pass(self) -> None:
        if self.hang:
            await asyncio.sleep(1.5)  # as long as a client of etcd tries
        if self.cut or self.hang:
            raise DirectoryUnavailable

    async def scan(self, prefix: str, *, limit: int = 0, stale: bool = False) -> Snapshot:
        await self._pass()
        return await self.shared.scan(prefix, limit=limit, stale=stale)

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        await self._pass()
        return await self.shared.get(key, stale=stale)

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        await self._pass()
        revision = await self.shared.commit(conditions, writes)
        if self.lose_answers:
            raise FateUnknown
        return revision

    async def grant(self, ttl: float) -> int:
        await self._pass()
        return await self.shared.grant(ttl)

    async def keep_alive(self, lease: int) -> float:
        await self._pass()
        return await self.shared.keep_alive(lease)

    async def revoke(self, lease: int) -> None:
        await self._pass()
        await self.shared.revoke(lease)

    def watch(self, prefix: str, *, after: int) -> AsyncIterator[Change]:
        return self.shared.watch(prefix, after=after)


class Manager:
    """One who stands for election, and writes down when it led."""

    def __init__(self, shared: MemoryDirectory, name: str, story: list[str]) -> None:
        self.cable = Cable(shared)
        self.election = Election(self.cable, KEY, name)
        self.name, self.story = name, story
        self.last: Leadership | None = None
        self.leads = asyncio.Event()
        self.mistake: Exception | None = None
        self.task = asyncio.ensure_future(self.election.run(self._work))

    async def _work(self, leadership: Leadership) -> None:
        self.last = leadership
        self.story.append(f"{self.name} leads")
        self.leads.set()
        try:
            if self.mistake is not None:
                raise self.mistake
            await asyncio.Event().wait()
        finally:
            self.leads.clear()
            self.story.append(f"{self.name} stops")

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


def lived(story: Callable[[MemoryDirectory, list[str]], Awaitable[None]]) -> list[str]:
    """Runs a story in virtual time: what the managers wrote down."""
    written: list[str] = []

    async def live() -> None:
        await story(MemoryDirectory(), written)

    virtual_time.run(live())
    return written


async def leading(manager: Manager) -> Leadership:
    await manager.leads.wait()
    assert manager.last is not None
    return manager.last


def test_one_leads_and_when_it_stops_another_does_at_once() -> None:
    async def story(shared: MemoryDirectory, written: list[str]) -> None:
        alice = Manager(shared, "alice", written)
        first = await leading(alice)
        bob, carol = Manager(shared, "bob", written), Manager(shared, "carol", written)
        await asyncio.sleep(10 * TTL)
        assert written == ["alice leads"]
        assert await bob.election.holder() == "alice"
        assert first.certain
        began = asyncio.get_running_loop().time()
        await alice.stop()
        await asyncio.wait([asyncio.ensure_future(leading(one)) for one in (bob, carol)], return_when="FIRST_COMPLETED")
        assert asyncio.get_running_loop().time() - began < 0.1
        await bob.stop()
        await carol.stop()
        assert await carol.election.holder() is None

    written = lived(story)
    assert written[:3] in (["alice leads", "alice stops", "bob leads"], ["alice leads", "alice stops", "carol leads"])


@pytest.mark.parametrize("how", ["cut", "hang"])
def test_a_leader_that_is_cut_off_stops_before_another_can_lead(how: str) -> None:
    async def story(shared: MemoryDirectory, written: list[str]) -> None:
        alice = Manager(shared, "alice", written)
        await leading(alice)
        bob = Manager(shared, "bob", written)
        await asyncio.sleep(1)
        setattr(alice.cable, how, True)
        await leading(bob)
        assert written == ["alice leads", "alice stops", "bob leads"]
        alice.task.cancel()
        await bob.stop()

    lived(story)


def test_a_short_cut_costs_nobody_the_leadership() -> None:
    async def story(shared: MemoryDirectory, written: list[str]) -> None:
        alice = Manager(shared, "alice", written)
        leadership = await leading(alice)
        for _ in range(5):
            alice.cable.cut = True
            await asyncio.sleep(TTL * 0.5)
            alice.cable.cut = False
            await asyncio.sleep(TTL * 0.5)
            assert alice.election.leadership is leadership
        await alice.stop()

    assert lived(story) == ["alice leads", "alice stops"]


def test_a_leader_whose_key_is_taken_away_stops_at_once_and_its_late_writes_change_nothing() -> None:
    async def story(shared: MemoryDirectory, written: list[str]) -> None:
        alice = Manager(shared, "alice", written)
        leadership = await leading(alice)
        assert await shared.commit([leadership.condition], [Put("swept", b"1")]) is not None
        await shared.commit([], [Delete(KEY)])
        await asyncio.sleep(0.01)
        assert written == ["alice leads", "alice stops"]
        bob = Manager(shared, "bob", written)
        later = await leading(bob)
        assert later.condition.revision > leadership.condition.revision
        assert await shared.commit([leadership.condition], [Put("swept", b"2")]) is None
        assert await shared.commit([later.condition], [Put("swept", b"3")]) is not None
        await alice.stop()
        await bob.stop()

    lived(story)


def test_who_led_leaves_the_others_a_chance_to_lead() -> None:
    async def story(shared: MemoryDirectory, written: list[str]) -> None:
        alice = Manager(shared, "alice", written)
        alice.mistake = ValueError("a mistake of alice's")
        bob = Manager(shared, "bob", written)
        await leading(bob)
        await asyncio.sleep(10)
        await alice.stop()
        await bob.stop()

    assert lived(story) == ["alice leads", "alice stops", "bob leads", "bob stops"]


def test_a_creation_whose_answer_was_lost_is_recognised_by_its_lease() -> None:
    async def story(shared: MemoryDirectory, written: list[str]) -> None:
        alice = Manager(shared, "alice", written)
        alice.cable.lose_answers = True
        leadership = await leading(alice)
        assert await shared.commit([leadership.condition], []) is not None
        await alice.stop()

    assert lived(story) == ["alice leads", "alice stops"]


def test_a_directory_that_is_away_at_first_is_asked_until_it_is_there() -> None:
    async def story(shared: MemoryDirectory, written: list[str]) -> None:
        alice = Manager(shared, "alice", written)
        alice.cable.cut = True
        await asyncio.sleep(60)
        assert written == []
        alice.cable.cut = False
        await leading(alice)
        await alice.stop()

    assert lived(story) == ["alice leads", "alice stops"]


def test_never_do_two_lead_whatever_is_cut() -> None:
    async def story(shared: MemoryDirectory, written: list[str]) -> None:
        managers = [Manager(shared, name, written) for name in ("alice", "bob", "carol")]
        for round_ in range(60):
            managers[round_ % 3].cable.cut = round_ % 4 != 3
            managers[(round_ * 7) % 3].cable.hang = round_ % 5 == 2
            await asyncio.sleep((round_ * 1.7) % 6)
        for manager in managers:
            manager.cable.cut = manager.cable.hang = False
            await manager.stop()

    written = lived(story)
    assert len(written) > 10
    for leads, stops in zip(written[::2], written[1::2], strict=True):
        assert leads.removesuffix(" leads") == stops.removesuffix(" stops")


def test_changes_of_neighbouring_keys_are_nobodys_end() -> None:
    async def story(shared: MemoryDirectory, written: list[str]) -> None:
        alice = Manager(shared, "alice", written)
        leadership = await leading(alice)
        await shared.commit([], [Put(f"{KEY}/x", b"")])
        await shared.commit([], [Delete(f"{KEY}/x")])
        await asyncio.sleep(TTL)
        assert alice.election.leadership is leadership
        await alice.stop()

    assert lived(story) == ["alice leads", "alice stops"]


async def test_a_manager_on_sqlite_that_crashed_leads_again_when_its_lease_has_run_out(tmp_path: Path) -> None:
    async def reign(directory: SqliteDirectory) -> tuple["asyncio.Task[None]", Unchanged]:
        led: asyncio.Future[Unchanged] = asyncio.get_running_loop().create_future()

        async def work(leadership: Leadership) -> None:
            led.set_result(leadership.condition)
            await asyncio.Event().wait()

        task = asyncio.ensure_future(Election(directory, KEY, "alice", ttl=0.2).run(work))
        return task, await led

    crashing = SqliteDirectory(tmp_path / "directory.sqlite3")
    task, before = await reign(crashing)
    await crashing.close()  # nothing more reaches the disk
    task.cancel()
    await asyncio.wait([task])

    again = SqliteDirectory(tmp_path / "directory.sqlite3")
    task, after = await reign(again)
    assert after.revision > before.revision
    assert await again.commit([before], [Put("swept", b"1")]) is None
    task.cancel()
    await asyncio.wait([task])
    assert await again.get(KEY) is None
    await again.close()
