"""What another site is shown: every change once, in order, or all at one revision."""

import asyncio
from contextlib import aclosing

import pytest

from telegraph.directory import records
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Delete, Put
from telegraph.errors import DirectoryUnavailable
from telegraph.manager.sites.serving import Feed, snapshot
from telegraph.protocol.sites import MAX_ENTRIES, Batch


@pytest.fixture
def directory() -> MemoryDirectory:
    return MemoryDirectory()


async def put(directory: MemoryDirectory, *keys: str, value: bytes = b"1") -> int:
    revision = await directory.commit([], [Put(key, value) for key in keys])
    assert revision is not None
    return revision


async def read(feed: Feed, enough: int) -> list[Batch]:
    """Batches until so many entries have come."""
    found: list[Batch] = []
    async with asyncio.timeout(5), aclosing(feed.batches()) as batches:
        async for batch in batches:
            found.append(batch)
            if sum(len(each.entries) for each in found) >= enough:
                break
    return found


def keys(batches: list[Batch]) -> list[str]:
    return [key for batch in batches for key, _ in batch.entries]


async def test_changes_after_a_revision_come_in_order_and_others_do_not(directory: MemoryDirectory) -> None:
    after = await put(directory, "account/a")
    await put(directory, "account/b")
    await put(directory, "attached/b", "invite/x", "setting/y", "manager/m", "cluster/ca", "leader/jobs", "link/z")
    await put(directory, "name/c", "tombstone/user/d")
    assert keys(await read(Feed(directory, after), 3)) == ["account/b", "name/c", "tombstone/user/d"]


async def test_what_is_gone_is_not_told_and_a_later_value_stands_for_earlier_ones(directory: MemoryDirectory) -> None:
    await put(directory, "account/a", value=b"1")
    await put(directory, "account/a", value=b"2")
    await put(directory, "session/a/1")
    await directory.commit([], [Delete("session/a/1"), Put("ended/a/1", b"x")])
    found = await read(Feed(directory, 0), 3)
    assert dict(pair for batch in found for pair in batch.entries) == {
        "account/a": b"2",
        "session/a/1": b"1",
        "ended/a/1": b"x",
    }


async def test_whoever_resumes_at_a_batchs_revision_misses_nothing(directory: MemoryDirectory) -> None:
    for number in range(3 * MAX_ENTRIES):
        await put(directory, f"account/{number:03}", f"name/{number:03}")
    seen: set[str] = set()
    after = 0
    while len(seen) < 6 * MAX_ENTRIES:  # one batch a connection
        async with asyncio.timeout(5), aclosing(Feed(directory, after).batches()) as batches:
            batch = await anext(batches)
        assert len(batch.entries) <= MAX_ENTRIES
        after = batch.revision
        seen |= set(dict(batch.entries))


async def test_a_commit_counts_as_sent_only_when_the_next_has_begun(directory: MemoryDirectory) -> None:
    revision = await put(directory, "account/a", "name/a")
    (batch,) = await read(Feed(directory, 0), 2)
    assert (batch.revision, batch.sent, batch.head) == (revision - 1, revision, revision)


async def test_when_nothing_happens_a_beat_tells_how_far_the_directory_is(directory: MemoryDirectory) -> None:
    revision = await put(directory, "account/a")
    async with asyncio.timeout(5), aclosing(Feed(directory, revision, beat=0.01).batches()) as batches:
        assert await anext(batches) == Batch(revision, revision, revision)
        assert await anext(batches) == Batch(revision, revision, revision)


async def test_forgotten_history_and_a_revision_of_the_future_are_said_to_be_gone() -> None:
    directory = MemoryDirectory(kept_changes=1)
    await put(directory, "account/a")
    await put(directory, "account/b")
    for after in (0, 99):
        async with asyncio.timeout(5), aclosing(Feed(directory, after).batches()) as batches:
            assert (await anext(batches)).gone


async def test_without_a_quorum_there_is_no_beat(directory: MemoryDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    revision = await put(directory, "account/a")
    feed = Feed(directory, revision, beat=0.01)
    async with asyncio.timeout(5), aclosing(feed.batches()) as batches:
        await anext(batches)
        scan, asked = directory.scan, asyncio.Event()

        async def refuse(*_: object, **__: object) -> None:
            asked.set()
            raise DirectoryUnavailable

        monkeypatch.setattr(directory, "scan", refuse)
        coming = asyncio.ensure_future(anext(batches))
        await asked.wait()
        assert not coming.done()
        monkeypatch.setattr(directory, "scan", scan)
        assert (await coming).head == revision


async def test_a_reader_that_is_slow_does_not_make_the_server_read_on() -> None:
    directory = MemoryDirectory()
    for number in range(3000):
        await put(directory, f"account/{number}")
    feed = Feed(directory, 0)
    async with asyncio.timeout(5), aclosing(feed.batches()) as batches:
        await anext(batches)
        await asyncio.sleep(0)
        assert len(feed._waiting) <= 1024


async def test_a_snapshot_is_everything_of_one_revision(directory: MemoryDirectory) -> None:
    wanted = [f"account/{number:03}" for number in range(2 * MAX_ENTRIES + 1)]
    for key in wanted:
        revision = await put(directory, key)
    revision = await put(directory, "attached/b", records.REGISTRATION)
    found = [batch async for batch in snapshot(directory)]
    assert keys(found) == wanted
    assert [batch.done for batch in found] == [False, False, False, True]
    assert {batch.revision for batch in found} == {revision}
