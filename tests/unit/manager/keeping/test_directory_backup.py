"""A directory goes into a file and comes back whole, or not at all and with one plain sentence."""

import io
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telegraph.directory import cluster_records, records
from telegraph.directory.port import Entry, HistoryGone, Put
from telegraph.directory.records import Presence, decode, encode
from telegraph.directory.sqlite import SqliteDirectory
from telegraph.directory.state_hash import state_hash
from telegraph.errors import (
    BackupNotWritten,
    BackupUnreadable,
    CaUnreadable,
    DataUnreadable,
    DirectoryUnavailable,
    WrongPassphrase,
)
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster.state import ClusterState, save_state
from telegraph.manager.keeping import restoring, writing
from telegraph.manager.keeping.restoring import check_place, restore
from telegraph.manager.keeping.sealing import FORMAT, HEADER_BYTES, MAGIC, Sealer
from telegraph.manager.keeping.writing import Kept, back_up, check_target
from telegraph.manager.places import DIRECTORY_FILE, load_or_create_ca
from telegraph.manager.revocations import directory_id
from telegraph.storage.stretching import Stretching

QUICK = Stretching(iterations=1, lanes=1, memory=8)
PASSPHRASE = "correct horse battery staple"
ALICE = "a" * 32


@pytest.fixture
def data(tmp_path: Path) -> Path:
    place = tmp_path / "manager"
    place.mkdir()
    load_or_create_ca(place, read_clock())
    return place


@pytest.fixture
async def copy(data: Path, tmp_path: Path) -> Path:
    """A backup of a directory with alice, who is online."""
    directory = SqliteDirectory(data / DIRECTORY_FILE)
    await directory_id(directory)
    people = [Put(records.account_key(f"{number:032x}"), b"x" * 400) for number in range(700)]
    await directory.commit([], [Put(records.account_key(ALICE), b"alice"), Put("name/alice", b"a"), *people])
    online = encode(Presence("192.0.2.7", 9000, 42, "online"))
    await directory.commit([], [Put(records.presence_key(ALICE), online), Put(records.session_key(ALICE, "t"), b"s")])
    await directory.commit([], [Put(cluster_records.manager_key("m1"), b"m"), Put(records.REGISTRATION, b'"invite"')])
    await directory.commit([], [Put("leader/x", b"led", await directory.grant(60.0))])
    written = await back_up(data, tmp_path / "copy", PASSPHRASE, QUICK)  # beside whoever has it open
    assert written == Kept(701, 4 + 1, state_hash(await content(directory)))
    await directory.close()
    return tmp_path / "copy"


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def put(path: Path, content: bytes | bytearray) -> None:
    path.write_bytes(content)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def content(directory: SqliteDirectory) -> tuple[Entry, ...]:
    return (await directory.scan("")).entries


async def test_a_directory_comes_back_with_its_ca_everybody_offline_and_nobody_logged_in(
    data: Path, copy: Path, tmp_path: Path
) -> None:
    before = bytes_of(copy)
    assert mode_of(copy) == 0o600
    assert (b"alice" in before, b"PRIVATE KEY" in before) == (False, False)
    again = tmp_path / "deep" / "again"

    kept = await restore(copy, again, PASSPHRASE)

    assert CertificateAuthority.load(again).pem == CertificateAuthority.load(data).pem
    assert again.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in again.iterdir()) == ["ca-key.pem", "ca.pem", DIRECTORY_FILE]
    assert [path.name for path in again.parent.iterdir()] == ["again"]
    restored = SqliteDirectory(again / DIRECTORY_FILE)
    found = {entry.key: entry.value for entry in await content(restored)}
    assert state_hash(await content(restored)) == kept.state_hash
    assert (kept.accounts, len(found)) == (701, 701 + 3)
    assert decode(found[records.presence_key(ALICE)], Presence) == Presence("192.0.2.7", 9000, 42, "offline")
    assert found[records.REGISTRATION] == b'"invite"'
    await restored.close()
    assert bytes_of(copy) == before


async def test_log_ins_are_kept_where_that_is_asked_for(copy: Path, tmp_path: Path) -> None:
    await restore(copy, tmp_path / "again", PASSPHRASE, sessions=True)
    restored = SqliteDirectory(tmp_path / "again" / DIRECTORY_FILE)
    assert await restored.get(records.session_key(ALICE, "t")) is not None
    assert await restored.get(records.DIRECTORY_ID) is None
    await restored.close()


async def test_a_restored_directory_can_be_backed_up_and_restored_again(copy: Path, tmp_path: Path) -> None:
    first = await restore(copy, tmp_path / "one", PASSPHRASE)
    await back_up(tmp_path / "one", tmp_path / "copy-2", "another passphrase", QUICK)
    (tmp_path / "two").mkdir()
    second = await restore(tmp_path / "copy-2", tmp_path / "two", "another passphrase")
    assert (second.accounts, second.state_hash) == (first.accounts, first.state_hash)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_another_passphrase_restores_nothing_and_leaves_nothing(copy: Path, tmp_path: Path) -> None:
    before = left_in(tmp_path)
    with pytest.raises(WrongPassphrase) as refused:
        await restore(copy, tmp_path / "again", "correct horse battery")
    assert (str(copy) in str(refused.value), "horse" in str(refused.value)) == (True, False)
    assert left_in(tmp_path) == before


@pytest.mark.parametrize("at", [HEADER_BYTES, 100_000, -1])
async def test_a_changed_file_restores_nothing_and_leaves_nothing(copy: Path, tmp_path: Path, at: int) -> None:
    changed = bytearray(bytes_of(copy))
    changed[at] ^= 1
    put(copy, changed)
    before = left_in(tmp_path)
    with pytest.raises(BackupUnreadable, match="damaged, cut off"):
        await restore(copy, tmp_path / "again", PASSPHRASE)
    assert left_in(tmp_path) == before


@pytest.mark.parametrize("length", [0, 10, HEADER_BYTES, HEADER_BYTES + 65536 + 16, 100_000])
async def test_a_file_that_was_cut_off_restores_nothing_and_leaves_nothing(
    copy: Path, tmp_path: Path, length: int
) -> None:
    whole = bytes_of(copy)
    assert len(whole) > 100_000
    put(copy, whole[:length])
    (tmp_path / "again").mkdir()
    before = left_in(tmp_path)
    with pytest.raises(BackupUnreadable, match="damaged, cut off"):
        await restore(copy, tmp_path / "again", PASSPHRASE)
    assert (left_in(tmp_path), left_in(tmp_path / "again")) == (before, [])


async def test_a_newer_format_is_called_so(copy: Path, tmp_path: Path) -> None:
    newer = bytearray(bytes_of(copy))
    newer[len(MAGIC)] = FORMAT + 1
    put(copy, newer)
    with pytest.raises(BackupUnreadable, match="a newer Telegraph made it"):
        await restore(copy, tmp_path / "again", PASSPHRASE)


async def test_what_is_there_is_never_written_over(data: Path, copy: Path, tmp_path: Path) -> None:
    whole = bytes_of(copy)
    with pytest.raises(BackupNotWritten, match="there is a file of that name"):
        await back_up(data, copy, PASSPHRASE, QUICK)
    assert bytes_of(copy) == whole
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    before = left_in(data)
    for place in (data, tmp_path / "file", tmp_path / "link"):
        with pytest.raises(DataUnreadable, match="new or empty directory"):
            await restore(copy, place, PASSPHRASE)
    assert left_in(data) == before


async def test_a_backup_that_cannot_be_written_or_read_says_so(data: Path, copy: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupNotWritten, match="No such file"):
        await back_up(data, tmp_path / "nowhere" / "copy", PASSPHRASE, QUICK)
    with pytest.raises(BackupUnreadable, match="no such file"):
        check_place(tmp_path / "nowhere", tmp_path / "again")
    with pytest.raises(DataUnreadable, match="File exists"):
        await restore(copy, copy / "again", PASSPHRASE)


@pytest.mark.parametrize("full", [DirectoryUnavailable(), OSError(28, "No space left on device")])
async def test_a_full_disk_is_called_so_and_leaves_nothing(
    copy: Path, tmp_path: Path, full: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise full

    monkeypatch.setattr(SqliteDirectory, "commit", fail)
    before = left_in(tmp_path)
    with pytest.raises(DataUnreadable, match=r"disk is full|No space left"):
        await restore(copy, tmp_path / "again", PASSPHRASE)
    assert left_in(tmp_path) == before


async def test_a_stick_that_was_pulled_out_is_not_the_new_directory_s_fault(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pulled(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", lambda *_, **__: Pulled())
    with pytest.raises(BackupUnreadable, match="Input/output error"):
        await restore(copy, tmp_path / "again", PASSPHRASE)
    assert left_in(tmp_path) == ["copy", "manager"]


async def test_a_crash_of_the_disk_leaves_nothing(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restoring, "sync_folder", full)
    before = left_in(tmp_path)
    with pytest.raises(DataUnreadable, match="No space left"):
        await restore(copy, tmp_path / "again", PASSPHRASE)
    assert left_in(tmp_path) == before


async def test_there_must_be_a_directory_and_a_ca_to_back_up(data: Path, copy: Path, tmp_path: Path) -> None:
    with pytest.raises(DataUnreadable, match="no manager has run here"):
        check_target(tmp_path / "nowhere", tmp_path / "new")
    (data / "ca-key.pem").unlink()
    with pytest.raises(CaUnreadable):
        await back_up(data, tmp_path / "new", PASSPHRASE, QUICK)
    (data / DIRECTORY_FILE).unlink()
    save_state(data, ClusterState("left", "127.0.0.1", 2379, "https://127.0.0.1:2379"))
    with pytest.raises(DataUnreadable, match="not part of a cluster now"):
        check_target(data, tmp_path / "new")
    assert not (data / DIRECTORY_FILE).exists()
    assert not (tmp_path / "new").exists()
    assert left_in(copy.parent) == ["copy", "manager"]


class Vast:
    """A directory as of one moment, whose entries are made when they are read."""

    revision = 7
    entries = 40_000

    async def pages(self, prefix: str = "") -> AsyncIterator[list[Entry]]:
        assert not prefix
        for begin in range(0, self.entries, 500):
            yield [Entry(records.account_key(f"{begin + n:032x}"), b"x" * 400, 1) for n in range(500)]


async def test_a_backup_needs_no_more_memory_for_more_accounts(tmp_path: Path) -> None:
    authority = CertificateAuthority.create("Testing", read_clock().utc)
    sealer = Sealer(PASSPHRASE, QUICK)
    tracemalloc.start()
    try:
        written = await writing._write(Vast(), authority, tmp_path / "copy", sealer)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert written.accounts == Vast.entries
    assert size_of(tmp_path / "copy") > 16 * 1024 * 1024
    assert most < 2 * 1024 * 1024


def size_of(path: Path) -> int:
    return path.stat().st_size


async def test_a_backup_that_takes_longer_than_etcd_remembers_leaves_nothing(tmp_path: Path) -> None:
    class Forgotten(Vast):
        async def pages(self, prefix: str = "") -> AsyncIterator[list[Entry]]:
            async for page in super().pages(prefix):
                yield page
                raise HistoryGone

    authority = CertificateAuthority.create("Testing", read_clock().utc)
    with pytest.raises(BackupNotWritten, match="longer than etcd keeps"):
        await writing._write(Forgotten(), authority, tmp_path / "copy", Sealer(PASSPHRASE, QUICK))
    assert left_in(tmp_path) == []
