import asyncio
from pathlib import Path
from typing import cast

import pytest

from telegraph.directory.port import Entry, LeaseGone, Put, Unchanged
from telegraph.directory.sqlite import SqliteDirectory
from telegraph.errors import DataUnreadable, DirectoryUnavailable, NewerSchema
from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import schema_steps


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


async def test_a_lease_outlives_the_process_and_runs_out_all_the_same(file: Path) -> None:
    now = [1000.0]
    directory = SqliteDirectory(file, clock=lambda: now[0])
    lease = await directory.grant(10)
    await directory.commit([], [Put("a", b"1", lease)])
    await directory.close()

    now[0] += 9
    again = SqliteDirectory(file, clock=lambda: now[0])
    assert await again.keep_alive(lease) == 10
    await again.close()

    now[0] += 11
    later = SqliteDirectory(file, clock=lambda: now[0])
    assert (await anext(later.watch("a", after=1))).value is None
    assert await later.get("a") is None
    assert await later.grant(10) != lease
    await later.close()


async def test_a_lease_has_run_out_after_a_restart_of_the_machine(file: Path) -> None:
    before = SqliteDirectory(file, clock=lambda: 1_000_000.0)
    lease = await before.grant(10)
    await before.commit([], [Put("a", b"1", lease)])
    await before.close()

    after = SqliteDirectory(file, clock=lambda: 30.0)
    with pytest.raises(LeaseGone):
        await after.keep_alive(lease)
    assert await after.commit([Unchanged("a", 0)], [Put("a", b"2")]) == 3
    await after.close()


async def test_what_has_run_out_is_collected_before_a_commit_looks_at_its_conditions(file: Path) -> None:
    now = [1000.0]
    directory = SqliteDirectory(file, clock=lambda: now[0])
    lease = await directory.grant(10)
    await directory.commit([], [Put("a", b"1", lease)])
    now[0] += 10
    assert await directory.commit([Unchanged("a", 0)], [Put("a", b"2")]) == 3
    now[0] += 10
    with pytest.raises(LeaseGone):
        await directory.commit([], [Put("b", b"1", lease)])
    await directory.close()


async def test_a_directory_of_before_there_were_leases_is_brought_up_to_date(file: Path) -> None:
    first = schema_steps("telegraph.directory")[0]
    with sqlite3.connect(file) as other:
        other.executescript(f"{first} PRAGMA user_version = 1; INSERT INTO entries VALUES ('a', x'31', 1);")
    other.close()
    directory = SqliteDirectory(file)
    assert await directory.get("a") == Entry("a", b"1", 1)
    await directory.close()


async def test_a_disk_that_fails_while_a_lease_is_collected_is_tried_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telegraph.directory.sqlite._COLLECT_AGAIN", 0.01)
    directory = SqliteDirectory(file)
    lease = await directory.grant(0.5)  # time for what follows, on a busy machine too
    revision = await directory.commit([], [Put("a", b"1", lease)])
    with sqlite3.connect(file) as other:
        other.execute("ALTER TABLE changes RENAME TO hidden")
    other.close()
    failed = asyncio.Event()
    ring_in = directory._ring_in

    def seen(seconds: float) -> None:
        failed.set()
        ring_in(seconds)

    monkeypatch.setattr(directory, "_ring_in", seen)
    await failed.wait()
    with sqlite3.connect(file) as other:
        other.execute("ALTER TABLE hidden RENAME TO changes")
    other.close()
    assert (await anext(directory.watch("a", after=cast("int", revision)))).value is None
    await directory.close()
