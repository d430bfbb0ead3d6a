import asyncio
from pathlib import Path

import pytest

from telegraph.directory.port import Put, Unchanged
from telegraph.directory.sqlite import SqliteDirectory
from telegraph.errors import DataUnreadable, DirectoryUnavailable, NewerSchema
from telegraph.storage.engine import sqlite3


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "directory.sqlite3"


async def test_what_was_acknowledged_is_there_after_reopening(file: Path) -> None:
    directory = SqliteDirectory(file)
    revision = await directory.commit([], [Put("a", b"1")])
    await directory.close()
    again = SqliteDirectory(file)
    entry = await again.get("a")
    assert entry is not None
    assert entry.revision == revision
    assert await again.commit([Unchanged("a", entry.revision)], [Put("a", b"2")]) == entry.revision + 1
    await again.close()


async def test_a_commit_is_on_disk_when_it_is_acknowledged(file: Path) -> None:
    directory = SqliteDirectory(file)
    await directory.commit([], [Put("a", b"1")])
    with sqlite3.connect(file) as other:
        assert other.execute("SELECT value FROM entries WHERE key = 'a'").fetchall() == [(b"1",)]
    other.close()
    await directory.close()


async def test_two_processes_share_the_revisions_and_the_conditions(file: Path) -> None:
    manager, invite = SqliteDirectory(file), SqliteDirectory(file)
    assert await manager.commit([Unchanged("a", 0)], [Put("a", b"1")]) == 1
    assert await invite.commit([Unchanged("a", 0)], [Put("a", b"2")]) is None
    assert await invite.commit([Unchanged("a", 1)], [Put("a", b"2")]) == 2
    assert await manager.commit([Unchanged("a", 1)], [Put("a", b"3")]) is None
    entry = await manager.get("a")
    assert entry is not None
    assert entry.value == b"2"
    await manager.close()
    await invite.close()


async def test_a_watch_sees_what_another_process_wrote_at_the_next_commit(file: Path) -> None:
    manager, invite = SqliteDirectory(file), SqliteDirectory(file)

    async def two() -> list[str]:
        keys = []
        async for change in manager.watch("", after=0):
            keys.append(change.key)
            if len(keys) == 2:
                break
        return keys

    hearing = asyncio.create_task(two())
    await asyncio.sleep(0)
    await invite.commit([], [Put("from the other", b"")])
    await manager.commit([], [Put("own", b"")])
    assert await hearing == ["from the other", "own"]
    await manager.close()
    await invite.close()


async def test_a_commit_whose_caller_gave_up_happens_and_is_heard_all_the_same(file: Path) -> None:
    directory = SqliteDirectory(file)
    watch = directory.watch("", after=0)
    hearing = asyncio.ensure_future(anext(watch))
    caller = asyncio.create_task(directory.commit([], [Put("a", b"1")]))
    await asyncio.sleep(0)
    caller.cancel()
    assert (await hearing).key == "a"
    assert caller.cancelled()
    await directory.close()


async def test_the_log_of_changes_does_not_grow_for_ever(file: Path) -> None:
    directory = SqliteDirectory(file, kept_changes=10)
    for number in range(60):
        await directory.commit([], [Put("a", bytes([number]))])
    await directory.close()
    with sqlite3.connect(file) as other:
        assert other.execute("SELECT count(*) FROM changes").fetchone()[0] <= 20
    other.close()


def test_a_file_that_is_no_database_is_said_in_one_sentence(file: Path) -> None:
    file.write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(DataUnreadable):
        SqliteDirectory(file)


def test_a_database_of_a_newer_release_is_left_alone(file: Path) -> None:
    with sqlite3.connect(file) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(NewerSchema):
        SqliteDirectory(file)


async def test_a_broken_disk_makes_the_directory_unavailable(file: Path) -> None:
    directory = SqliteDirectory(file)
    await directory.commit([], [Put("a", b"1")])
    with sqlite3.connect(file) as other:
        other.execute("DROP TABLE changes")
    other.close()
    with pytest.raises(DirectoryUnavailable):
        await directory.commit([], [Put("a", b"2")])
    entry = await directory.get("a")
    assert entry is not None
    assert entry.value == b"1"
    with pytest.raises(DirectoryUnavailable):
        await anext(directory.watch("", after=0))
    await directory.close()
