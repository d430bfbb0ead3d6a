"""How a manager's group fares, or a single manager: what ``telegraph manager status`` shows."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from telegraph.directory import cluster_records
from telegraph.directory.cluster_records import ManagerRecord, decode
from telegraph.directory.port import Directory, Snapshot
from telegraph.directory.state_hash import state_hash
from telegraph.errors import Unavailable
from telegraph.manager.cluster.beside import check_data, directory_beside, group_beside
from telegraph.manager.cluster.state import is_member
from telegraph.manager.places import ENDPOINT_FILE, load_or_create_id
from telegraph.protocol.version import __version__

if TYPE_CHECKING:  # what speaks with etcd costs memory
    from telegraph.directory.etcd.members import Member, Status
    from telegraph.manager.cluster.links import Links


class MemberStatus(msgspec.Struct, frozen=True):
    """One manager.

    Attributes:
        id: its own random id.
        url: where nodes reach it; None if it has not told yet.
        etcd: where etcd's clients reach its member, None for a single manager.
        started: whether its etcd has ever come up.
        is_learner: it has no vote yet.
        healthy: whether its etcd answers and knows a leader. One that answers and is not healthy waits for the others.
        raft_index: the last entry of the log that it has applied; None if it does not answer.
        lag: how many entries it is behind the foremost.
        version: of Telegraph.
        etcd_version: of etcd.
    """

    id: str
    url: str | None
    etcd: str | None
    started: bool
    is_learner: bool
    healthy: bool
    raft_index: int | None
    lag: int | None
    version: str
    etcd_version: str


class GroupStatus(msgspec.Struct, frozen=True):
    """All of it.

    Attributes:
        site: the site that the managers belong to.
        clustered: whether this is a group, rather than a single manager.
        leader: URL of the manager that does the leader's jobs, None if nobody does now.
        raft_leader: URL of the manager whose etcd leads, None if none does.
        quorum: whether most of the members answer, so that the directory can be written.
        members: all managers.
        revision: of the directory, None without a quorum.
        state_hash: of the consistent part of the directory at that revision (DESIGN.md 10.5), None without a quorum.
    """

    site: str | None
    clustered: bool
    leader: str | None
    raft_leader: str | None
    quorum: bool
    members: list[MemberStatus]
    revision: int | None
    state_hash: str | None


async def read_status(data: Path) -> GroupStatus:
    """How the manager of a data directory, or its group, fares now.

    Raises:
        DataUnreadable: no manager has run here.
        DirectoryUnavailable: not even a part of the group answers.
    """
    check_data(data)
    if not is_member(data):
        return await _single(data)
    async with group_beside(data) as links:
        members = await links.admin.list(stale=True)
        found, records = await asyncio.gather(_statuses(links, members), _records(links.directory))
        snapshot = await _content(links.directory) if has_quorum(members, found) else None
        return group_status(members, found, records, snapshot, await _leader(links.directory) if snapshot else None)


async def _statuses(links: "Links", members: "Sequence[Member]") -> "Sequence[Status | None]":
    return await asyncio.gather(*(links.status_of(member) for member in members))


async def _content(directory: Directory) -> Snapshot | None:
    """Everything, None if the members were well and are not any more."""
    try:
        return await directory.scan("")
    except Unavailable:
        return None


async def _records(directory: Directory) -> dict[str, ManagerRecord]:
    try:
        entries = (await directory.scan(cluster_records.MANAGERS, stale=True)).entries
    except Unavailable:
        return {}
    return {record.id: record for record in (decode(entry.value, ManagerRecord) for entry in entries)}


async def _leader(directory: Directory) -> str | None:
    try:
        entry = await directory.get(cluster_records.LEADER, stale=True)
    except Unavailable:
        return None
    return None if entry is None else entry.value.decode()


async def _single(data: Path) -> GroupStatus:
    url, manager_id = _running_url(data), load_or_create_id(data)
    async with directory_beside(data) as directory:
        snapshot = await directory.scan("")
    member = MemberStatus(
        id=manager_id,
        url=url,
        etcd=None,
        started=True,
        is_learner=False,
        healthy=url is not None,
        raft_index=None,
        lag=None,
        version=__version__,
        etcd_version="",
    )
    return GroupStatus(
        site=None,
        clustered=False,
        leader=url,
        raft_leader=None,
        quorum=True,
        members=[member],
        revision=snapshot.revision,
        state_hash=state_hash(snapshot.entries),
    )


def _running_url(data: Path) -> str | None:
    try:
        return (data / ENDPOINT_FILE).read_text(encoding="ascii").strip() or None
    except OSError:
        return None


def group_status(
    members: "Sequence[Member]",
    found: "Sequence[Status | None]",
    records: dict[str, ManagerRecord],
    snapshot: Snapshot | None,
    leader: str | None,
) -> GroupStatus:
    """What the members' own answers come to. Pure."""
    foremost = max((status.raft_applied_index for status in found if status is not None), default=0)
    shown = [
        _member_status(member, status, records.get(member.name), foremost)
        for member, status in zip(members, found, strict=True)
    ]
    leaders = {status.leader for status in found if status is not None and status.leader}
    leading = next((member.name for member in members if member.id in leaders), None)
    return GroupStatus(
        site=next((record.site for record in records.values()), None),
        clustered=True,
        leader=leader,
        raft_leader=records[leading].url if leading in records else None,
        quorum=snapshot is not None and has_quorum(members, found),
        members=shown,
        revision=None if snapshot is None else snapshot.revision,
        state_hash=None if snapshot is None else state_hash(snapshot.entries),
    )


def has_quorum(members: "Sequence[Member]", found: "Sequence[Status | None]") -> bool:
    """Whether most of those who vote answer and know a leader. Pure."""
    well = [_is_well(status) for member, status in zip(members, found, strict=True) if not member.learner]
    return sum(well) > len(well) // 2


def _is_well(status: "Status | None") -> bool:
    return status is not None and status.leader != 0


def _member_status(
    member: "Member", status: "Status | None", record: ManagerRecord | None, foremost: int
) -> MemberStatus:
    return MemberStatus(
        id=member.name or f"{member.id:x}",
        url=record.url if record else None,
        etcd=next(iter(member.client_urls), None),
        started=bool(member.name),
        is_learner=member.learner,
        healthy=_is_well(status),
        raft_index=status.raft_applied_index if status else None,
        lag=foremost - status.raft_applied_index if status else None,
        version=record.version if record else "",
        etcd_version=status.version if status else (record.etcd_version if record else ""),
    )
