"""What a manager remembers of its group."""

from pathlib import Path

import pytest

from telegraph.errors import DataUnreadable, NotInCluster
from telegraph.manager.cluster.beside import check_data, state_of_member
from telegraph.manager.cluster.putting_aside import KEPT_DIRECTORY, put_aside
from telegraph.manager.cluster.state import STATE_FILE, ClusterState, is_member, load_state, save_state
from telegraph.manager.places import DIRECTORY_FILE

STATE = ClusterState("member", "10.0.0.1", 2379, "https://127.0.0.1:2379", ("https://10.0.0.1:2379",), {"a": "b"})


def test_it_reads_as_it_was_written(tmp_path: Path) -> None:
    assert (load_state(tmp_path), is_member(tmp_path)) == (None, False)
    save_state(tmp_path, STATE)
    assert (load_state(tmp_path), is_member(tmp_path)) == (STATE, True)


def test_a_damaged_one_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_text('{"stage": "queen"}')
    with pytest.raises(DataUnreadable, match=STATE_FILE):
        load_state(tmp_path)


def test_commands_tell_no_manager_a_single_one_and_one_that_has_left_apart(tmp_path: Path) -> None:
    with pytest.raises(DataUnreadable, match="no manager has run here"):
        check_data(tmp_path)
    (tmp_path / DIRECTORY_FILE).touch()
    with pytest.raises(NotInCluster, match="--cluster-init"):
        state_of_member(tmp_path)
    save_state(tmp_path, STATE)
    assert state_of_member(tmp_path) == STATE


def test_what_a_single_manager_kept_is_put_aside_as_often_as_need_be(tmp_path: Path) -> None:
    for name in (DIRECTORY_FILE, f"{DIRECTORY_FILE}-wal", "ca-key.pem"):
        (tmp_path / name).write_text(name)
    put_aside(tmp_path)
    put_aside(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [KEPT_DIRECTORY, f"{KEPT_DIRECTORY}-wal"]
