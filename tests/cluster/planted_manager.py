"""Bugs in the directory of real managers: ``python -m planted_manager BUG …`` is ``telegraph …`` with one on its etcd.

No code of the package can do this; this folder must be on PYTHONPATH. What cannot be planted so, because etcd itself
would have to be wrong, is in directory_simulation.py.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import Any

from telegraph.directory import records
from telegraph.directory.etcd.directory import EtcdDirectory
from telegraph.directory.port import Delete, Put, Unchanged


def create_without_compare_and_set() -> None:
    """Registers without looking whether somebody else was quicker, and takes a moment for it."""
    commit = EtcdDirectory.commit

    async def blind(self: EtcdDirectory, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        seeing = [condition for condition in conditions if not condition.key.startswith(records.NAMES)]
        if len(seeing) < len(conditions):
            await asyncio.sleep(0.05)
        return await commit(self, seeing, writes)

    EtcdDirectory.commit = blind  # type: ignore[method-assign]


def read_without_quorum() -> None:
    """Answers everything from what the nearest member has, whether or not it has heard of the others lately."""
    get = EtcdDirectory.get

    async def near(self: EtcdDirectory, key: str, *, stale: bool = False) -> Any:  # noqa: ARG001 - it always is
        return await get(self, key, stale=True)

    EtcdDirectory.get = near  # type: ignore[method-assign]


BUGS: dict[str, tuple[Callable[[], None], str]] = {
    "create_without_compare_and_set": (create_without_compare_and_set, "given_twice"),
    "read_without_quorum": (read_without_quorum, "not_linearizable"),
}
"""Each bug, and what must notice it."""

if __name__ == "__main__":
    BUGS[sys.argv.pop(1)][0]()
    from telegraph.cli.main import main

    main()
