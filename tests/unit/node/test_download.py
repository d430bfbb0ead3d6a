"""A file that is sent has no name any more, whoever goes away when."""

from pathlib import Path

import pytest

from telegraph.node.api.download import pieces_of, taken


async def test_it_is_sent_whole_and_leaves_nothing(tmp_path: Path) -> None:
    content = bytes(range(256)) * 3000
    (tmp_path / "a").write_bytes(content)
    opened = taken(tmp_path / "a")
    assert not (tmp_path / "a").exists(), "also if nobody ever asks for the first piece"

    assert b"".join([piece async for piece in pieces_of(opened)]) == content

    assert opened.closed


async def test_one_who_leaves_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1024 * 1024))
    opened = taken(tmp_path / "a")
    pieces = pieces_of(opened)
    await anext(pieces)
    await pieces.aclose()
    assert opened.closed


def test_one_that_cannot_be_opened_is_removed_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").touch()

    def refused(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(OSError):  # noqa: PT011 - any
        taken(tmp_path / "a")
    assert not (tmp_path / "a").exists()
