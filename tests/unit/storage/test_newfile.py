"""A new file is whole and durable, or not there; another of its name is never touched."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

from telegraph.storage.newfile import new_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    with new_file(tmp_path / "copy") as file:
        file.write(b"all of it")
        assert not (tmp_path / "copy").exists()
        assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]
    assert names(tmp_path) == ["copy"]
    assert (tmp_path / "copy").read_bytes() == b"all of it"


def test_after_an_error_nothing_is_left(tmp_path: Path) -> None:
    def fail() -> None:
        with new_file(tmp_path / "copy") as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(tmp_path) == []


def write(path: Path, meanwhile: bytes | None = None) -> None:
    with new_file(path) as file:
        file.write(b"new")
        if meanwhile is not None:
            path.write_bytes(meanwhile)


def _no_links(*_: object, **__: object) -> NoReturn:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False])
def test_what_is_there_stays_also_if_it_came_meanwhile(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    write(tmp_path / "free")
    assert (tmp_path / "free").read_bytes() == b"new"
    with pytest.raises(FileExistsError):
        write(tmp_path / "free")
    with pytest.raises(FileExistsError):
        write(tmp_path / "late", b"old")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        write(tmp_path / "link")
    assert names(tmp_path) == ["free", "late", "link"]
    assert (tmp_path / "late").read_bytes() == b"old"
