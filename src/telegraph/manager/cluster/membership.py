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
from telegraph.errors import CannotJoin, CannotLeave, Unavailable

log = structlog.get_logger(__name__)

_LOCK_TTL: Final = 10.0


@contextlib.asynccontextmanager
async def membership_lock(directory: Directory, holder: str) -> AsyncIterator[None]:
    """Waits until nobody else changes the membership, and keeps others waiting meanwhile."""
    lease = await directory.grant(_LOCK_TTL)
    keeping = asyncio.create_task(_keep(directory, lease))
    try:
        while not await directory.commit(
            [Unchanged(cluster_records.LOCK, 0)], [Put(cluster_records.LOCK, holder.encode(), lease)]
        ):
            await _released(directory)
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        with contextlib.suppress(Unavailable):  # then it runs out
            await directory.revoke(lease)


async def _keep(directory: Directory, lease: int) -> None:
    while True:
        await asyncio.sleep(_LOCK_TTL / 4)
        with contextlib.suppress(Unavailable, LeaseGone):
            await directory.keep_alive(lease)


async def _released(directory: Directory) -> None:
    snapshot = await directory.scan(cluster_records.LOCK)
    if not snapshot.entries:
        return
    log.info("membership_locked", by=snapshot.entries[0].value.decode())
    with contextlib.suppress(HistoryGone):
        async for change in directory.watch(cluster_records.LOCK, after=snapshot.revision):
            if change.value is None:
                return


async def clear_learners(admin: Members) -> None:
    """Removes what joins left that were broken off. Only under the lock."""
    for member in await admin.list():
        if member.learner:
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
