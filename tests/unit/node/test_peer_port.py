"""A node comes back on the port on which it is known."""

import socket
from pathlib import Path

import pytest

from telegraph.errors import PortTaken
from telegraph.node import peer_port
from telegraph.node.peer_port import FILE, PeerPort

HERE = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


def run_once(data: Path, port: int | None) -> int:
    """A node's life: it binds, listens, ends."""
    own = PeerPort(HERE, port, data)
    own.listen().close()
    number = own.number
    own.close()
    return number


@pytest.mark.parametrize("asked", [None, 0])
def test_the_port_of_the_last_time_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int | None
) -> None:
    first = run_once(tmp_path, 0)
    monkeypatch.setattr(peer_port, "DEFAULT_PEER_PORT", free_port())  # free again since then

    assert run_once(tmp_path, asked) == first


def test_if_it_is_taken_by_now_the_default_one_is_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, default = run_once(tmp_path, 0), free_port()
    monkeypatch.setattr(peer_port, "DEFAULT_PEER_PORT", default)
    with socket.create_server((HERE, first)):
        assert run_once(tmp_path, None) == default

    assert run_once(tmp_path, 0) == default


def test_with_zero_any_other_is_next(tmp_path: Path) -> None:
    first = run_once(tmp_path, 0)
    with socket.create_server((HERE, first)):
        second = run_once(tmp_path, 0)

    assert second != first


def test_a_port_that_was_asked_for_goes_before_the_last_one(tmp_path: Path) -> None:
    run_once(tmp_path, 0)
    asked = free_port()
    assert run_once(tmp_path, asked) == asked
    with socket.create_server((HERE, asked)), pytest.raises(PortTaken):
        PeerPort(HERE, asked, tmp_path)


@pytest.mark.parametrize("written", ["", "nonsense", "0", "70000", "-1", "½"])
def test_a_damaged_memory_is_as_good_as_none(tmp_path: Path, written: str) -> None:
    (tmp_path / FILE).write_text(written, encoding="utf-8")
    assert 0 < run_once(tmp_path, 0) < 65536


def test_a_port_on_which_nobody_ever_listened_is_not_remembered(tmp_path: Path) -> None:
    PeerPort(HERE, 0, tmp_path).close()
    assert not (tmp_path / FILE).exists()
