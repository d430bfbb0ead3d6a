from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from telegraph.cli.running import allow_many_connections

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def most() -> Iterator[int]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 512), hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_daemon_takes_as_many_connections_as_it_may(most: int) -> None:
    allow_many_connections()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
