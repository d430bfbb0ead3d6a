"""A whole Telegraph inside the test: one real manager and real nodes, on free ports of this machine's loopback."""

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from telegraph.manager.app import Manager
from telegraph.manager.settings import ManagerSettings
from telegraph.node.app import Node
from telegraph.node.settings import NodeSettings

PASSWORD = "a password for tests"
"""Everybody's."""

_CHEAP_BCRYPT = 4
_CHEAP_ARGON2 = 32
"""KiB, the least for four lanes (RFC 9106, section 3.1)."""

_SWITCH = "TELEGRAPH_TESTING"


class Cluster:
    """A running manager and the nodes of the people who joined, by name."""

    def __init__(self, manager: Manager, directory: Path) -> None:
        self.manager = manager
        self.nodes: dict[str, Node] = {}
        self._directory = directory

    async def join(self, name: str) -> Node:
        """Starts a node for somebody new: registered and logged in."""
        node = await self.start(name)
        await node.register(name, PASSWORD)
        return node

    async def start(self, name: str) -> Node:
        """Starts somebody's node, with all that it stored before: a key file unlocks it."""
        settings = NodeSettings(
            data=self._directory / name,
            managers=(self.manager.url,),
            ca_file=self.manager.ca_path,
            host="127.0.0.1",
            peer_port=0,
            key_file=self._directory / f"{name}.key",
            argon2_memory=_CHEAP_ARGON2,
        )
        with _testing_allowed():
            node = Node.with_settings(settings)
        await node.start()
        self.nodes[name] = node
        return node

    async def stop(self, name: str) -> None:
        """Stops somebody's node; what it stored stays."""
        await self.nodes.pop(name).close()

    async def close(self) -> None:
        """Stops every node."""
        while self.nodes:
            await self.stop(next(iter(self.nodes)))


@contextlib.asynccontextmanager
async def make_cluster(directory: Path, *names: str, **settings: Any) -> AsyncIterator[Cluster]:
    """A running cluster.

    Args:
        directory: an empty directory for everybody's data.
        names: who joins at once.
        settings: of the manager, see :class:`telegraph.manager.settings.ManagerSettings`.
    """
    chosen = ManagerSettings(
        data=directory / "manager", **{"port": 0, "udp_port": 0, "bcrypt_cost": _CHEAP_BCRYPT, **settings}
    )
    manager = Manager(chosen)
    with _testing_allowed():
        await manager.start()
    cluster = Cluster(manager, directory)
    try:
        for name in names:
            await cluster.join(name)
        yield cluster
    finally:
        await cluster.close()
        await manager.stop()


@contextlib.contextmanager
def _testing_allowed() -> Iterator[None]:
    """Turns the switch on that cheap password hashes need, for as long as it takes."""
    before = os.environ.get(_SWITCH)
    os.environ[_SWITCH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SWITCH]
        else:
            os.environ[_SWITCH] = before
