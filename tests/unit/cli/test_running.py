from __future__ import annotations

import resource
import subprocess
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


def test_a_daemon_does_not_load_what_it_never_uses() -> None:
    code = (
        "import sys, telegraph.cli.node, telegraph.node.app, telegraph.node.api.server;"
        "print([name for name in ('rich', 'pygments', 'dns', 'prometheus_client') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
