from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Change, Delete, Entry, HistoryGone, Put, Unchanged
from telegraph.directory.remembering import TRUSTED, RememberingDirectory


class Counting(MemoryDirectory):
    """Counts reads, and can hold them up or fail them."""

    def __init__(self, kept_changes: int = 1000) -> None:
        super().__init__(kept_changes)
        self.reads = 0

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        self.reads += 1
        return await super().get(key, stale=stale)


class Manager:
    """A directory that others write to as well, seen through a memory whose watch a feed reads."""

    def __init__(self) -> None:
        self.directory = Counting()
        self.alive = math.inf
        self.own = RememberingDirectory(self.directory, lambda: self.alive, ("account/",))
        self.told: list[Change] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    @asynccontextmanager
    async def following(self, prefix: str = "") -> AsyncIterator[None]:
        feed = asyncio.create_task(self._follow(prefix))
        await turns()
        yield
        feed.cancel()
        await asyncio.gather(feed, return_exceptions=True)

    async def _follow(self, prefix: str) -> None:
        async for change in self.own.watch(prefix, after=0):
            await self.go_on.wait()
            self.told.append(change)

    async def value(self, key: str = "account/alice") -> bytes | None:
        entry = await self.own.recent.get(key)
        return None if entry is None else entry.value

    def is_trusted(self) -> bool:
        return self.own.trusted

    async def others_write(self, value: bytes, key: str = "account/alice") -> None:
        await self.directory.commit([], [Put(key, value)])


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def manager() -> AsyncIterator[Manager]:
    made = Manager()
    await made.others_write(b"1")
    yield made
    await made.own.close()


async def test_a_second_look_costs_no_read(manager: Manager) -> None:
    async with manager.following():
        assert [await manager.value(), await manager.value()] == [b"1", b"1"]
        assert manager.directory.reads == 1


async def test_what_others_write_is_seen_when_the_watch_tells_it(manager: Manager) -> None:
    async with manager.following():
        await manager.value()
        await manager.others_write(b"2")
        await turns()
        assert await manager.value() == b"2"


async def test_ones_own_writes_are_seen_at_once(manager: Manager) -> None:
    async with manager.following():
        await manager.value()
        await manager.own.commit([], [Put("account/alice", b"2")])
        assert await manager.value() == b"2"
        await manager.own.commit([], [Delete("account/alice")])
        assert await manager.value() is None


async def test_after_a_condition_failed_its_key_is_read_anew(manager: Manager) -> None:
    async with manager.following():
        await manager.value()
        await MemoryDirectory.commit(manager.directory, [], [Put("account/alice", b"2")])
        assert await manager.own.commit([Unchanged("account/alice", 1)], [Put("account/bob", b"1")]) is None
        assert await manager.value() == b"2"


async def test_exact_reads_never_come_from_memory(manager: Manager) -> None:
    async with manager.following():
        await manager.value()
        await manager.own.get("account/alice")
        await manager.own.get("account/alice", stale=True)
        assert manager.directory.reads == 3


async def test_without_a_watch_nothing_is_remembered(manager: Manager) -> None:
    await manager.value()
    await manager.value()
    assert manager.directory.reads == 2


async def test_who_watches_only_a_part_feeds_the_memory_of_all(manager: Manager) -> None:
    async with manager.following("name/"):
        assert [await manager.value(), await manager.value()] == [b"1", b"1"]
        assert manager.directory.reads == 1
        await manager.others_write(b"2")
        await turns()
        assert await manager.value() == b"2"
        assert manager.told == []


async def test_who_knows_too_little_for_the_shared_watch_gets_one_of_their_own(manager: Manager) -> None:
    await manager.others_write(b"2")
    async with aclosing(manager.own.watch("", after=1)) as later:
        assert (await anext(later)).revision == 2
        async with manager.following():
            assert [change.revision for change in manager.told] == [1, 2]


async def test_a_watch_without_a_sign_of_life_is_not_trusted(manager: Manager) -> None:
    async with manager.following():
        await manager.value()
        now = asyncio.get_running_loop().time()
        manager.alive = now - TRUSTED + 1
        await manager.value()
        assert manager.directory.reads == 1
        manager.alive = now - TRUSTED - 0.1
        await manager.value()
        assert manager.directory.reads == 2


async def test_what_was_known_before_a_watch_ended_is_forgotten(manager: Manager) -> None:
    async with manager.following():
        await manager.value()
    await manager.others_write(b"2")
    async with manager.following():
        assert await manager.value() == b"2"


async def test_other_keys_and_missing_ones_are_read_each_time(manager: Manager) -> None:
    await manager.others_write(b"x", "setting/registration")
    async with manager.following():
        for _ in range(2):
            assert await manager.value("setting/registration") == b"x"
            assert await manager.value("account/nobody") is None
        assert manager.directory.reads == 4


async def test_a_slow_reader_of_the_watch_holds_nothing_up_and_misses_nothing(manager: Manager) -> None:
    async with manager.following():
        manager.go_on.clear()
        await manager.value()
        for number in range(2, 22):
            await manager.others_write(b"%d" % number)
        await turns()
        assert await manager.value() == b"21"  # told to the memory before its reader has taken it
        assert manager.is_trusted()
        manager.go_on.set()
        await turns()
        assert [change.revision for change in manager.told] == list(range(1, 22))


async def test_a_watch_that_cannot_go_on_says_so() -> None:
    short = RememberingDirectory(Counting(2), lambda: math.inf, ("account/",))
    for number in range(5):
        await short.commit([], [Put("account/alice", b"%d" % number)])
    with pytest.raises(HistoryGone):
        await anext(aiter(short.watch("", after=0)))
    assert not short.trusted
    await short.close()


async def test_a_lease_that_ends_takes_what_was_remembered_with_it(manager: Manager) -> None:
    async with manager.following():
        lease = await manager.own.grant(60)
        assert await manager.own.keep_alive(lease) == 60
        await manager.own.commit([], [Put("account/bob", b"1", lease)])
        assert await manager.value("account/bob") == b"1"
        await manager.own.revoke(lease)
        assert await manager.value("account/bob") is None
        assert [entry.key for entry in (await manager.own.scan("account/")).entries] == ["account/alice"]
