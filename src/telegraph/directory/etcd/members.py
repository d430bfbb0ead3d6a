"""The members of the etcd cluster: who they are, how they fare, and changing them one at a time.

A change of members is refused by etcd for some seconds after another, while the newcomer is not connected to a majority
(``--strict-reconfig-check``, the default): :class:`telegraph.errors.MembersUnsettled`, try again. One whose fate is
unknown is not repeated either: list the members and see.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec

from telegraph.directory.etcd import rpc_pb2 as rpc
from telegraph.directory.etcd.calls import (
    MEMBER_ADD,
    MEMBER_LIST,
    MEMBER_PROMOTE,
    MEMBER_REMOVE,
    MEMBER_UPDATE,
    MOVE_LEADER,
    RANGE,
    STATUS,
)
from telegraph.directory.etcd.client import EtcdClient

CHANGE_BUDGET = 5.0
"""Seconds for a change of members, which waits for the cluster's log more than a commit does."""


class Member(msgspec.Struct, frozen=True):
    """A member. ``name`` and ``client_urls`` are empty until it has been started. A learner does not vote yet."""

    id: int
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    learner: bool

    @property
    def started(self) -> bool:
        """Whether it has ever come up and told its name."""
        return bool(self.name)


class Status(msgspec.Struct, frozen=True):
    """How a member fares. ``leader`` is the id of the leader that it knows, 0 for none."""

    member_id: int
    cluster_id: int
    version: str
    leader: int
    raft_term: int
    raft_index: int
    raft_applied_index: int
    revision: int
    db_size: int
    db_size_in_use: int
    learner: bool
    errors: tuple[str, ...]


Listed: TypeAlias = list[Member]
"""Members in the order of their ids."""


class Members:
    """See the module. Every method may raise :class:`telegraph.errors.DirectoryUnavailable`."""

    def __init__(self, client: EtcdClient) -> None:
        self._client = client

    async def list(self, *, stale: bool = False) -> Listed:
        """All members, in the order of their ids; ``stale``: as the member that is asked knows them (from etcd 3.5 on).

        In 3.4 the list is always the asked member's own.
        """
        request = rpc.MemberListRequest(linearizable=not stale)
        return _members((await self._client.call(MEMBER_LIST, request, need_leader=not stale)).members)

    async def add_learner(self, peer_urls: Sequence[str]) -> tuple[Member, Listed]:
        """Adds a member that does not vote yet: it, and all members with it.

        Raises:
            MemberExists: there is one at such a URL.
            MembersUnsettled: see the module; also if there is a learner already, for etcd takes one at a time.
            FateUnknown: see the module.
        """
        return await self._add(rpc.MemberAddRequest(peerURLs=peer_urls, isLearner=True))

    async def add_voter(self, peer_urls: Sequence[str]) -> tuple[Member, Listed]:
        """Adds a member that votes at once; only for one whose absence the others can bear. See :meth:`add_learner`."""
        return await self._add(rpc.MemberAddRequest(peerURLs=peer_urls))

    async def _add(self, request: rpc.MemberAddRequest) -> tuple[Member, Listed]:
        answer = await self._client.call(MEMBER_ADD, request, budget=CHANGE_BUDGET)
        return _member(answer.member), _members(answer.members)

    async def promote(self, member_id: int) -> Listed:
        """Makes a learner a voter: all members after it.

        Raises:
            LearnerBehind: it has not caught up with the leader's log yet.
            UnknownMember, ValueError: there is none, or it is no learner.
            FateUnknown: see the module.
        """
        request = rpc.MemberPromoteRequest(ID=member_id)
        return _members((await self._client.call(MEMBER_PROMOTE, request, budget=CHANGE_BUDGET)).members)

    async def remove(self, member_id: int) -> Listed:
        """Removes a member for good: those that are left.

        Raises:
            UnknownMember: there is none; so it is done.
            MembersUnsettled, FateUnknown: see the module.
        """
        request = rpc.MemberRemoveRequest(ID=member_id)
        return _members((await self._client.call(MEMBER_REMOVE, request, budget=CHANGE_BUDGET)).members)

    async def update(self, member_id: int, peer_urls: Sequence[str]) -> Listed:
        """Gives a member other peer URLs: all members after it.

        Raises:
            UnknownMember, MemberExists: there is none, or another has such a URL.
        """
        request = rpc.MemberUpdateRequest(ID=member_id, peerURLs=peer_urls)
        return _members((await self._client.call(MEMBER_UPDATE, request, budget=CHANGE_BUDGET)).members)

    async def status(self, address: str) -> Status:
        """How the member at ``HOST:PORT`` fares, leader or not, learner or not.

        Raises:
            DirectoryUnreachable: it does not answer.
        """
        answer = await self._client.call(
            STATUS, rpc.StatusRequest(), need_leader=False, at=address, budget=self._client.patience.attempt
        )
        return _status(answer)

    async def move_leader(self, leader_address: str, to: int) -> None:
        """Lets the leader hand over to another member; ``leader_address`` must be the leader's own."""
        await self._client.call(MOVE_LEADER, rpc.MoveLeaderRequest(targetID=to), at=leader_address)

    async def revision(self) -> int:
        """The cluster's present revision, linearizable."""
        return (await self._client.call(RANGE, rpc.RangeRequest(key=b"\0", count_only=True))).header.revision


def _members(found: Iterable[rpc.Member]) -> list[Member]:
    return sorted((_member(one) for one in found), key=lambda member: member.id)


def _member(found: rpc.Member) -> Member:
    return Member(found.ID, found.name, tuple(found.peerURLs), tuple(found.clientURLs), found.isLearner)


def _status(answer: rpc.StatusResponse) -> Status:
    return Status(
        member_id=answer.header.member_id,
        cluster_id=answer.header.cluster_id,
        version=answer.version,
        leader=answer.leader,
        raft_term=answer.raftTerm,
        raft_index=answer.raftIndex,
        raft_applied_index=answer.raftAppliedIndex,
        revision=answer.header.revision,
        db_size=answer.dbSize,
        db_size_in_use=answer.dbSizeInUse,
        learner=answer.isLearner,
        errors=tuple(answer.errors),
    )
