"""Alice keeps a copy of her node elsewhere, and brings it back."""

import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from telegraph.errors import BackupUnreadable, DataUnreadable, WrongPassword
from telegraph.node import backup
from telegraph.node.store import Store
from telegraph.node.unattended import KeyFile
from telegraph.node.vault import Stretching

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
