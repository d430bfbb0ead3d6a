"""The pytest plugin of Telegraph: it comes with the package, as an entry point.

Fixtures: ``fake_clock``, ``memory_network`` (on that clock), ``organisation`` (a throw-away CA), and a real cluster on
loopback: ``cluster``, ``alice`` and ``bob`` (logged-in nodes on it). The asynchronous ones need pytest-asyncio.
Whatever is heavy is imported by the fixture that needs it, so that other projects' test runs stay quick.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

try:
    from pytest_asyncio import fixture as async_fixture
except ImportError:  # without it the asynchronous fixtures cannot be asked for
    async_fixture = pytest.fixture  # type: ignore[assignment]

if TYPE_CHECKING:
    from telegraph.node.app import Node
    from telegraph.testing.certificates import Organisation
    from telegraph.testing.clock import FakeClock
    from telegraph.testing.cluster import Cluster
    from telegraph.testing.network import MemoryNetwork


@pytest.fixture
def fake_clock() -> "FakeClock":
    """A clock that stands still until the test moves it."""
    from telegraph.testing.clock import FakeClock

    return FakeClock()


@async_fixture
async def memory_network(fake_clock: "FakeClock") -> "AsyncIterator[MemoryNetwork]":
    """A network in memory whose delays pass on ``fake_clock``."""
    from telegraph.testing.network import MemoryNetwork

    network = MemoryNetwork(clock=fake_clock)
    yield network
    await network.close()


@pytest.fixture
def organisation() -> "Organisation":
    """A throw-away CA that certifies devices and managers."""
    from telegraph.testing.certificates import Organisation

    return Organisation()


@async_fixture
async def cluster(tmp_path: Path) -> "AsyncIterator[Cluster]":
    """A running manager on loopback, and nobody yet."""
    from telegraph.testing.cluster import make_cluster

    async with make_cluster(tmp_path) as running:
        yield running


@async_fixture
async def alice(cluster: "Cluster") -> "Node":
    """Alice's node, logged in."""
    return await cluster.join("alice")


@async_fixture
async def bob(cluster: "Cluster") -> "Node":
    """Bob's node, logged in."""
    return await cluster.join("bob")
