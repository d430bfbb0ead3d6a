from __future__ import annotations

import gc
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from telegraph.cli.running import COLLECT_AFTER, allow_many_connections, collect_seldom, hand_over_quickly

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


def test_garbage_is_looked_for_less_often_and_not_in_what_was_there() -> None:
    before = gc.get_threshold()
    try:
        collect_seldom()
        assert gc.get_threshold() == COLLECT_AFTER
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
