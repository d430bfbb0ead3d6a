import os
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from telegraph.errors import DataInUse, DataUnreadable
from telegraph.storage.datadir import DataDirectory, read_record, write_private, write_record


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_data_directory_is_its_owners_alone(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "home" / "alice")
    assert _mode(directory.path) == 0o700
    directory.release()


def test_a_claimed_directory_is_refused_to_the_second_in_one_sentence(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path)
    with pytest.raises(DataInUse) as refused:
        DataDirectory(tmp_path)
    assert str(tmp_path) in str(refused.value)
    first.release()


def test_a_released_directory_can_be_claimed_again_and_released_twice(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path)
    first.release()
    second = DataDirectory(tmp_path)
    first.release()  # must not take the lock, or another file, from the second
    with pytest.raises(DataInUse):
        DataDirectory(tmp_path)
    second.release()


def test_the_claim_ends_with_the_process_however_it_ends(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys\n"
        "from telegraph.storage.datadir import DataDirectory\n"
        "claim = DataDirectory(pathlib.Path(sys.argv[1]))\n"
        "print('claimed', flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        with pytest.raises(DataInUse):
            DataDirectory(tmp_path)
        process.kill()
    DataDirectory(tmp_path).release()


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/alice"])
def test_a_place_where_no_directory_can_be_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataUnreadable):
        DataDirectory(tmp_path / place)


def test_a_secret_is_readable_by_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        write_private(tmp_path / "api-token", "s3cr3t")
    finally:
        os.umask(old)
    assert _mode(tmp_path / "api-token") == 0o600
    assert (tmp_path / "api-token").read_text(encoding="utf-8") == "s3cr3t"


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_private(tmp_path / "endpoint", "http://127.0.0.1:8420")
    with (tmp_path / "endpoint").open(encoding="utf-8") as reader:
        write_private(tmp_path / "endpoint", "ñ")
        assert reader.read() == "http://127.0.0.1:8420", "who had it open reads the old one to its end"
    assert (tmp_path / "endpoint").read_text(encoding="utf-8") == "ñ"
    assert [file.name for file in tmp_path.iterdir()] == ["endpoint"]


def test_a_full_disk_leaves_the_old_content_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_private(tmp_path / "a", "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_private(tmp_path / "a", "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a", "old")]


class _Note(msgspec.Struct):
    text: str


def test_a_record_is_read_as_it_was_written_and_none_where_none_was(tmp_path: Path) -> None:
    assert read_record(tmp_path, "note.json", _Note) is None
    write_record(tmp_path, "note.json", _Note("hello"))
    assert read_record(tmp_path, "note.json", _Note) == _Note("hello")
    assert (tmp_path / "note.json").stat().st_mode & 0o777 == 0o600


def test_a_record_that_is_none_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "note.json").write_text("[]")
    with pytest.raises(DataUnreadable, match=r"note\.json is damaged"):
        read_record(tmp_path, "note.json", _Note)
