"""The directory of a manager for commands that work beside it, while it runs or not."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from telegraph.directory.port import FreezableDirectory
from telegraph.directory.sqlite import SqliteDirectory
from telegraph.errors import DataUnreadable, NotInCluster
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster.state import ClusterState, load_state
from telegraph.manager.places import DIRECTORY_FILE

if TYPE_CHECKING:  # what speaks with etcd costs memory
    from telegraph.manager.cluster.links import Links

_BUDGET: Final = 2.5
"""Seconds for a call: a command may wait a little longer than a node's request, for a leader to be elected."""


def check_data(data: Path) -> None:
    """Makes sure that a manager has run in a data directory.

    Raises:
        DataUnreadable: none has.
    """
    if not (data / DIRECTORY_FILE).exists() and load_state(data) is None:
        raise DataUnreadable(data=data, detail="no manager has run here yet")


def state_of_member(data: Path) -> ClusterState:
    """The place in its group of a manager that is part of one.

    Raises:
        DataUnreadable: no manager has run here.
        NotInCluster: it is none.
    """
    check_data(data)
    state = load_state(data)
    if state is None or state.stage != "member":
        raise NotInCluster(detail="start it with --cluster-init, or let it join others with --join")
    return state


@contextlib.asynccontextmanager
async def group_beside(data: Path, *, without_itself: bool = False) -> "AsyncIterator[Links]":
    """Links to the etcd of a manager's group.

    Raises:
        NotInCluster: it is part of none.
        DataUnreadable, SealBroken, CaUnreadable: its data directory lacks something.
    """
    from telegraph.directory.etcd.client import Patience
    from telegraph.manager.cluster.certificates import client_identity
    from telegraph.manager.cluster.command import Member
    from telegraph.manager.cluster.links import open_links
    from telegraph.manager.cluster.organisation import load_etcd_authority

    state = state_of_member(data)
    own = Member(data, "", "", state.host, state.port).client_url
    others = [url for url in state.clients if url != own]
    identity = client_identity(load_etcd_authority(data), read_clock().utc)
    urls = others if without_itself and others else [state.local, *others]
    async with open_links(urls, identity, Patience(budget=_BUDGET)) as links:
        yield links


@contextlib.asynccontextmanager
async def directory_beside(data: Path) -> "AsyncIterator[FreezableDirectory]":
    """A manager's directory, SQLite or etcd. None is made: an empty one would pass for it, and stand in a join's way.

    Raises:
        DataUnreadable: no manager has run here.
        NotInCluster: it has left its group, or is not in one yet, and has no directory of its own.
        SealBroken, CaUnreadable: its data directory lacks something.
    """
    check_data(data)
    state = load_state(data)
    if state is not None and state.stage == "member":
        async with group_beside(data) as links:
            yield links.directory
        return
    if not (data / DIRECTORY_FILE).exists():
        raise NotInCluster(
            detail="it has left it, or has not entered it yet; start it with --join or what it began with"
        )
    directory = SqliteDirectory(data / DIRECTORY_FILE)
    try:
        yield directory
    finally:
        await directory.close()
