"""Alice keeps a copy of her node elsewhere, and brings it back."""

import io
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telegraph.errors import BackupUnreadable, DataUnreadable, WrongPassword
from telegraph.node import backup
from telegraph.node import vault as vaults
from telegraph.node.store import Store
from telegraph.node.unattended import KeyFile
from telegraph.storage.stretching import Stretching

QUICK = Stretching(iterations=1, lanes=1, memory=8)
PASSWORD = "correct horse battery"
SECRET = b"meet me at the old bridge at nine"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Store]:
    (tmp_path / "home").mkdir()
    made = Store(tmp_path / "home", QUICK)
    await made.make(PASSWORD)
    await made.establish(PASSWORD)
    await made.database.set(secret=SECRET)
    yield made
    await made.lock()


async def test_the_copy_opens_elsewhere_with_the_password(home: Store, tmp_path: Path) -> None:
    copy = tmp_path / "copy.tar"
    await home.back_up(copy)
    await home.database.set(secret=b"changed after the copy")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert SECRET not in copy.read_bytes()

    backup.restore(copy, tmp_path / "away")

    away = Store(tmp_path / "away", QUICK)
    with pytest.raises(WrongPassword):
        await away.unlock("another password")
    await away.unlock(PASSWORD)
    assert away.database.setting("secret") == SECRET
    await away.lock()
    assert sorted(file.name for file in (tmp_path / "home").iterdir() if "copy" in file.name) == []


async def test_the_key_file_does_not_open_the_copy(home: Store, tmp_path: Path) -> None:
    kept = KeyFile(tmp_path / "a.key")
    await home.allow_unattended(kept)
    await home.back_up(tmp_path / "copy.tar")
    backup.restore(tmp_path / "copy.tar", tmp_path / "away")
    assert not await Store(tmp_path / "away", QUICK).unlock_unattended(kept)


async def test_a_directory_with_an_account_is_not_written_over(home: Store, tmp_path: Path) -> None:
    await home.back_up(tmp_path / "copy.tar")
    with pytest.raises(DataUnreadable):
        backup.restore(tmp_path / "copy.tar", tmp_path / "home")
    assert home.database.setting("secret") == SECRET


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def _archive(path: Path, **members: bytes) -> None:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name.replace("__", ".").replace("_", "-"))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


async def test_a_damaged_copy_is_refused_and_leaves_nothing_behind(home: Store, tmp_path: Path) -> None:
    await home.back_up(tmp_path / "copy.tar")
    content = bytearray((tmp_path / "copy.tar").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "damaged.tar").write_bytes(content)
    (tmp_path / "short.tar").write_bytes(content[: len(content) // 3])

    for name in ("damaged.tar", "short.tar"):
        with pytest.raises(BackupUnreadable):
            backup.restore(tmp_path / name, tmp_path / "away")
        assert [file.name for file in (tmp_path / "away").iterdir()] == ["lock"]


def test_what_is_no_copy_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    _archive(tmp_path / "other.tar", readme=b"x")
    newer = msgspec.json.encode(backup.Manifest(99, "9", 0, ""))
    _archive(tmp_path / "newer.tar", telegraph_backup__json=newer)
    for name in ("text", "other.tar", "newer.tar", "nothing"):
        with pytest.raises(BackupUnreadable):
            backup.restore(tmp_path / name, tmp_path / "away")


async def test_a_disk_that_does_not_take_it_leaves_no_file(home: Store, tmp_path: Path) -> None:
    with pytest.raises(DataUnreadable):
        await home.back_up(tmp_path / "no such folder" / "copy.tar")


async def test_an_earlier_copy_is_neither_written_over_nor_lost(home: Store, tmp_path: Path) -> None:
    copy = tmp_path / "copy.tar"
    await home.back_up(copy)
    before = copy.read_bytes()
    with pytest.raises(DataUnreadable):
        await home.back_up(copy)
    assert copy.read_bytes() == before
    assert names(tmp_path) == ["copy.tar", "home"]


async def test_a_disk_that_fills_up_leaves_no_half_a_copy(
    home: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataUnreadable, match="No space left"):
        await home.back_up(tmp_path / "copy.tar")
    assert names(tmp_path) == ["home"]


async def test_what_a_crash_left_of_copies_to_be_sent_is_removed_and_nothing_else(home: Store, tmp_path: Path) -> None:
    left = backup.unsent(tmp_path)
    await home.back_up(left)
    kept = tmp_path / "backup-2026-11-24.tar"
    left.with_name(f"{left.name}.store").touch()
    await home.back_up(kept)

    backup.remove_unsent(tmp_path)

    assert names(tmp_path) == [kept.name, "home"]


async def test_a_log_that_was_left_behind_is_not_taken_for_that_of_the_copy(home: Store, tmp_path: Path) -> None:
    await home.back_up(tmp_path / "copy.tar")
    (tmp_path / "away").mkdir()
    log = (tmp_path / "home" / "store.sqlite3-wal").read_bytes()
    (tmp_path / "away" / "store.sqlite3-wal").write_bytes(log)
    with pytest.raises(DataUnreadable):
        backup.restore(tmp_path / "copy.tar", tmp_path / "away")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_copy_whose_members_are_no_plain_files_is_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "trick.tar", "w") as archive:
        entry = tarfile.TarInfo("telegraph-backup.json")
        entry.type, entry.linkname = kind, "telegraph-backup.json"
        archive.addfile(entry)
    with pytest.raises(BackupUnreadable):
        backup.restore(tmp_path / "trick.tar", tmp_path / "away")


def test_a_hole_does_not_fill_the_disk(tmp_path: Path) -> None:
    vault, _, _ = vaults.create(PASSWORD, QUICK)
    manifest = msgspec.json.encode(backup.Manifest(1, "1", 0, "x"))
    with tarfile.open(tmp_path / "hole.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in (("telegraph-backup.json", manifest), ("vault.json", msgspec.json.encode(vault))):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        hole = tarfile.TarInfo("store.sqlite3")
        hole.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.map": "0,0", "GNU.sparse.size": str(2**30)}
        archive.addfile(hole)
    with pytest.raises(BackupUnreadable, match="it is none"):
        backup.restore(tmp_path / "hole.tar", tmp_path / "away")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 3 * 1024), st.integers(0, 255)), max_size=6), cut=st.integers(0, 4096))
def test_whatever_a_file_holds_it_is_a_copy_or_said_to_be_none(
    tmp_path: Path, changes: list[tuple[int, int]], cut: int
) -> None:
    _archive(tmp_path / "any.tar", telegraph_backup__json=b"{}", vault__json=b"{}")
    content = bytearray((tmp_path / "any.tar").read_bytes())
    for at, value in changes:
        content[at] = value
    (tmp_path / "any.tar").write_bytes(content[: cut or None])
    with pytest.raises(BackupUnreadable):
        backup.restore(tmp_path / "any.tar", tmp_path / "away")
