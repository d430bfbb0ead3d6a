"""Several who follow a directory, and the one watch that they share."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from telegraph.directory import sharing
from telegraph.directory.changelog import ChangeLog
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Change, HistoryGone, Put
from telegraph.directory.sharing import SharedWatch


class Town:
    """A directory whose watches are counted, and can break."""

    def __init__(self, kept_changes: int = 1000) -> None:
        self.directory = MemoryDirectory(kept_changes)
        self.watches: list[int] = []
        self.running: list[bool] = []
        self.broken = asyncio.Event()
        self.told: list[str] = []
        self.shared = SharedWatch(self._watch, self.told.append, self.running.append)

    async def _watch(self, after: int) -> AsyncGenerator[Change]:
        self.watches.append(after)
        told = self.directory.watch("", after=after)
        while True:
            coming = asyncio.ensure_future(anext(aiter(told)))
            breaking = asyncio.ensure_future(self.broken.wait())
            try:
                await asyncio.wait((coming, breaking), return_when=asyncio.FIRST_COMPLETED)
                if breaking.done():
                    self.broken.clear()
                    raise ConnectionResetError
                yield coming.result()
            finally:
                for each in (coming, breaking):
                    each.cancel()
                await asyncio.gather(coming, breaking, return_exceptions=True)

    async def write(self, *keys: str) -> None:
        await self.directory.commit([], [Put(key, b"1") for key in keys])


class Follower:
    """Reads what is told below a prefix; begins anew where it was when the watch breaks."""

    def __init__(self, town: Town, prefix: str, after: int = 0) -> None:
        self.keys: list[str] = []
        self.gone = False
        self.go_on = asyncio.Event()
        self.go_on.set()
        self._after = after
        self._town, self._prefix = town, prefix
        self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            try:
                async with aclosing(self._town.shared.changes(self._prefix, self._after)) as changes:
                    async for change in changes:
                        await self.go_on.wait()
                        self.keys.append(change.key)
                        self._after = change.revision
            except ConnectionResetError:
                continue
            except HistoryGone:
                self.gone = True
                return

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def turns() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    made = Town()
    yield made
    await made.directory.close()


async def test_each_hears_their_part_by_one_watch(town: Town) -> None:
    alice, bob = Follower(town, "a/"), Follower(town, "b/")
    await turns()
    await town.write("a/1", "b/1")
    await town.write("a/2")
    await turns()
    everything = Follower(town, "")
    await turns()
    assert (alice.keys, bob.keys, everything.keys) == (["a/1", "a/2"], ["b/1"], ["a/1", "b/1", "a/2"])
    assert (town.watches, town.told) == ([0], ["a/1", "b/1", "a/2"])
    for follower in (alice, bob, everything):
        await follower.end()
    assert town.running == [True, False]


async def test_who_comes_later_is_told_nothing_from_before(town: Town) -> None:
    alice = Follower(town, "")
    await turns()
    await town.write("a/1")
    await turns()
    bob = Follower(town, "", after=1)
    await town.write("a/2")
    await turns()
    assert (alice.keys, bob.keys, town.watches) == (["a/1", "a/2"], ["a/2"], [0])
    await alice.end()
    await bob.end()


async def test_after_a_break_it_goes_on_with_nothing_left_out_or_repeated(town: Town) -> None:
    alice, bob = Follower(town, "a/"), Follower(town, "")
    await turns()
    await town.write("a/1", "b/1")
    await turns()
    town.broken.set()
    await turns()
    await town.write("a/2")
    await turns()
    assert (alice.keys, bob.keys) == (["a/1", "a/2"], ["a/1", "b/1", "a/2"])
    assert town.watches == [0, 0]  # the last commit is told anew: its end might have been missing
    await alice.end()
    await bob.end()
    assert town.running == [True, False, True, False]


async def test_it_begins_anew_when_somebody_follows_again(town: Town) -> None:
    alice = Follower(town, "")
    await turns()
    await town.write("a/1")
    await turns()
    await alice.end()
    assert not town.shared.reaches(-1)
    await town.write("a/2")
    bob = Follower(town, "", after=1)
    await turns()
    assert bob.keys == ["a/2"]
    await bob.end()


async def test_one_who_is_too_slow_is_told_so_and_the_others_hear_all(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "ChangeLog", lambda after: ChangeLog(after, kept=2, most=5))
    quick, slow, elsewhere = Follower(town, ""), Follower(town, ""), Follower(town, "b/")
    await turns()
    slow.go_on.clear()
    for number in range(20):
        await town.write(f"a/{number}")
        await turns()
    await town.write("b/1")
    slow.go_on.set()
    await turns()
    assert (len(quick.keys), slow.gone, quick.gone) == (21, True, False)
    assert elsewhere.keys == ["b/1"]  # whoever only waits is not slow
    for follower in (quick, slow, elsewhere):
        await follower.end()


async def test_when_the_directory_has_forgotten_all_are_told_and_may_begin_anew() -> None:
    town = Town(kept_changes=2)
    for number in range(5):
        await town.write(f"a/{number}")
    alice = Follower(town, "")
    await turns()
    assert alice.gone
    bob = Follower(town, "", after=4)
    await turns()
    assert bob.keys == ["a/4"]
    await bob.end()
    await town.directory.close()
