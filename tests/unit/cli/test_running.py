from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING

import pytest

from telegraph.cli.running import allow_many_connections, hand_over_quickly

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


def test_a_daemons_threads_do_not_wait_long_for_one_another() -> None:
    before = sys.getswitchinterval()
    try:
        hand_over_quickly()
        assert sys.getswitchinterval() < 0.001
    finally:
        sys.setswitchinterval(before)
