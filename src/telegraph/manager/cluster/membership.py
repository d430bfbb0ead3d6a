"""Who is a member of the etcd group: added as a learner, promoted, removed; one change at a time.

Whoever changes the membership holds a key of the directory under a lease (``cluster/lock``), so that two newcomers
never get in each other's way; when its holder dies, the key goes. Every learner that is there when the lock is taken is
therefore left over from a join that was broken off, and is removed: it has no vote, nobody misses it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import structlog

from telegraph.directory import cluster_records
from telegraph.directory.etcd.members import Member, Members
from telegraph.directory.port import Directory, HistoryGone, LeaseGone, Put, Unchanged
from telegraph.directory.tenure import Tenure
from telegraph.errors import CannotJoin, CannotLeave, LockLost, Unavailable

log = structlog.get_logger(__name__)

_LOCK_TTL: Final = 10.0


class MembershipLock:
    """The lock while it is held.

    Attributes:
        condition: belongs into what its holder writes to the directory: it fails once the lock is somebody else's.
    """

    def __init__(self, directory: Directory, lease: int, condition: Unchanged) -> None:
        self._directory = directory
        self._lease = lease
        self.condition = condition

    async def check(self) -> None:
        """To be called before each change of the members, which etcd takes without conditions.

        The lease then lasts for longer than such a change may take
        (:data:`telegraph.directory.etcd.members.CHANGE_BUDGET`).

        Raises:
            LockLost: others may change the members by now, so this one must not.
            DirectoryUnavailable: it cannot be said.
        """
        try:
            await self._directory.keep_alive(self._lease)
        except LeaseGone:
            raise LockLost from None
        entry = await self._directory.get(self.condition.key)
        if entry is None or entry.revision != self.condition.revision:
            raise LockLost

    async def keep(self) -> None:
        """Renews the lease; returns when it is lost, or could be."""
        clock = asyncio.get_running_loop().time
        tenure = Tenure(clock(), _LOCK_TTL)
        while tenure.certain(clock()):
            await asyncio.sleep(max(0.0, min(tenure.next, tenure.end) - clock()))
            sent = clock()
            try:
                tenure.renewed(sent, await self._directory.keep_alive(self._lease))
            except LeaseGone:
                return
            except Unavailable:
                tenure.failed(clock())


@contextlib.asynccontextmanager
async def membership_lock(directory: Directory, holder: str) -> AsyncIterator[MembershipLock]:
    """Waits until nobody else changes the membership, and keeps others waiting meanwhile.

    Raises:
        LockLost: the lock was lost; what was being done under it was cut off.
    """
    lease, revision = await _taken(directory, holder)
    lock = MembershipLock(directory, lease, Unchanged(cluster_records.LOCK, revision))
    limit, loop = asyncio.timeout(None), asyncio.get_running_loop()

    async def keep() -> None:
        await lock.keep()
        log.warning("membership_lock_lost")
        limit.reschedule(loop.time())

    keeping = asyncio.create_task(keep())
    try:
        async with limit:
            yield lock
    except TimeoutError:
        if not limit.expired():
            raise
        raise LockLost from None
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        with contextlib.suppress(Unavailable):  # then it runs out
            await directory.revoke(lease)


async def _taken(directory: Directory, holder: str) -> tuple[int, int]:
    """The lease and the revision of the lock, once it is free."""
    while True:
        await _released(directory)
        lease = await directory.grant(_LOCK_TTL)
        revision = None
        try:
            revision = await directory.commit(
                [Unchanged(cluster_records.LOCK, 0)], [Put(cluster_records.LOCK, holder.encode(), lease)]
            )
        except LeaseGone:
            continue
        finally:
            if revision is None:
                with contextlib.suppress(Unavailable):
                    await directory.revoke(lease)
        if revision is not None:
            return lease, revision


async def _released(directory: Directory) -> None:
    snapshot = await directory.scan(cluster_records.LOCK)
    if not snapshot.entries:
        return
    log.info("membership_locked", by=snapshot.entries[0].value.decode())
    with contextlib.suppress(HistoryGone):
        async for change in directory.watch(cluster_records.LOCK, after=snapshot.revision):
            if change.value is None:
                return


async def clear_learners(admin: Members, lock: MembershipLock) -> None:
    """Removes what joins left that were broken off. Only under the lock."""
    for member in await admin.list():
        if member.learner:
            await lock.check()
            log.info("learner_removed", member=f"{member.id:x}")
            await admin.remove(member.id)


def member_at(members: Sequence[Member], peer_url: str) -> Member | None:
    """The member with a peer URL."""
    return next((member for member in members if peer_url in member.peer_urls), None)


def initial_cluster(members: Sequence[Member], own_name: str, own_id: int) -> dict[str, str]:
    """Peer URLs by name, as a newcomer's etcd is to be told them.

    Raises:
        CannotJoin: a member has never started, so that it has no name.
    """
    names = {member.id: own_name if member.id == own_id else member.name for member in members}
    if not all(names.values()):
        raise CannotJoin(detail="a member of the group has never started; start it or remove it, then try again")
    return {names[member.id]: member.peer_urls[0] for member in members}


def check_may_leave(members: Sequence[Member], own_id: int, healthy: int) -> None:
    """Makes sure that the group can do without a member.

    Args:
        members: all of them.
        own_id: the one that leaves.
        healthy: how many of the other voters answer.

    Raises:
        CannotLeave: it is the last, or the others would have no majority.
    """
    others = [member for member in members if not member.learner and member.id != own_id]
    if not others:
        raise CannotLeave(detail="it is the last of its group; stop it and keep its data directory instead")
    if healthy <= len(others) // 2:
        raise CannotLeave(
            detail=f"only {healthy} of the other {len(others)} managers answer, too few without it; start them first"
        )
