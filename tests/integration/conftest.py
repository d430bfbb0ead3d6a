"""A real manager and real nodes, as processes, for the stories of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from telegraph.testing.processes import RealTelegraph


@pytest.fixture
def org(tmp_path: Path) -> Iterator[RealTelegraph]:
    running = RealTelegraph(tmp_path)
    yield running
    running.close()


@pytest.fixture(scope="module")
def shared_org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealTelegraph]:
    """Alice and bob, for tests that change nothing."""
    running = RealTelegraph(tmp_path_factory.mktemp("shared"))
    running.join("alice")
    running.join("bob")
    yield running
    running.close()
