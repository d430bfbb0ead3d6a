"""Commands beside a manager read its directory, and never make one."""

from pathlib import Path

import pytest

from telegraph.errors import NotInCluster
from telegraph.manager.cluster.beside import directory_beside
from telegraph.manager.cluster.state import ClusterState, Stage, save_state
from telegraph.manager.cluster.status import read_status
from telegraph.manager.places import DIRECTORY_FILE


@pytest.mark.parametrize("stage", ["beginning", "joining", "promoting", "left"])
async def test_beside_a_manager_without_a_directory_none_is_made(tmp_path: Path, stage: Stage) -> None:
    save_state(tmp_path, ClusterState(stage, "127.0.0.1", 2379, "https://127.0.0.1:2379"))
    with pytest.raises(NotInCluster):
        async with directory_beside(tmp_path):
            pass
    with pytest.raises(NotInCluster):
        await read_status(tmp_path)
    assert not (tmp_path / DIRECTORY_FILE).exists()
