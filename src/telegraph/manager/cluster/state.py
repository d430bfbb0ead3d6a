"""What a manager remembers of its group in its own data directory: whether it is part of one, and who was last."""

from pathlib import Path
from typing import Final, Literal

import msgspec

from telegraph.storage.datadir import read_record, write_record

STATE_FILE: Final = "cluster.json"

Stage = Literal["beginning", "joining", "promoting", "member", "left"]
"""How far it is. While ``beginning`` or ``joining`` it has no vote: nothing in its etcd data is worth keeping, and to
do it all anew is safe. From ``promoting`` on it may have one, so that the group may need it for a majority."""


class ClusterState(msgspec.Struct, frozen=True):
    """A manager's place in a group.

    Attributes:
        stage: see :data:`Stage`.
        host: under which the other members dial its etcd.
        port: of etcd's clients; members talk to each other on the next one.
        local: etcd's client URL for this machine itself.
        clients: etcd's client URLs of all members when last heard of.
        initial: peer URLs by name that etcd was first started with.
        existing: whether it joined, rather than began, the group.
    """

    stage: Stage
    host: str
    port: int
    local: str
    clients: tuple[str, ...] = ()
    initial: dict[str, str] = {}
    existing: bool = False


def load_state(data: Path) -> ClusterState | None:
    """The stored one, None if this manager was never part of a group.

    Raises:
        DataUnreadable: it is damaged.
    """
    return read_record(data, STATE_FILE, ClusterState)


def save_state(data: Path, state: ClusterState) -> None:
    """Stores it, durable on return."""
    write_record(data, STATE_FILE, state)


def is_member(data: Path) -> bool:
    """Whether the manager of a data directory is part of a group."""
    state = load_state(data)
    return state is not None and state.stage == "member"
