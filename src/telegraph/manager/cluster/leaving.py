"""A manager leaves its group for good, or is taken out: the others go on without waiting for it."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from telegraph.directory.etcd.members import Member
from telegraph.errors import CannotLeave, DataInUse
from telegraph.manager.cluster.authority import ETCD_CA_KEY
from telegraph.manager.cluster.beside import group_beside, state_of_member
from telegraph.manager.cluster.command import ETCD_CERTIFICATE_FILE, ETCD_DATA, ETCD_KEY_FILE
from telegraph.manager.cluster.joining import forget_record
from telegraph.manager.cluster.links import Links
from telegraph.manager.cluster.membership import MembershipLock, check_may_leave, membership_lock
from telegraph.manager.cluster.patience import patiently
from telegraph.manager.cluster.rekeying import PENDING_FILE
from telegraph.manager.cluster.secret import SECRET_FILE
from telegraph.manager.cluster.state import save_state
from telegraph.manager.places import load_or_create_id
from telegraph.storage.datadir import DataDirectory

_ENDED_WITHIN: Final = 20.0
_LOOK_EVERY: Final = 0.1

_SECRETS: Final = (SECRET_FILE, PENDING_FILE, ETCD_CA_KEY, ETCD_KEY_FILE, ETCD_CERTIFICATE_FILE)
"""With these files anybody could get into the group's etcd, and unseal the keys of both CAs."""


async def leave(data: Path) -> int:
    """Takes the manager of a data directory out of its group; if it runs, it ends: how many managers are left.

    Raises:
        NotInCluster: it is part of none.
        CannotLeave: it is the last, or the others would have no majority.
        DirectoryUnavailable: the others do not answer.
    """
    state, manager_id = state_of_member(data), load_or_create_id(data)
    async with group_beside(data, without_itself=True) as links, membership_lock(links.directory, manager_id) as lock:
        members = await links.admin.list()
        left = await _take_out(links, lock, members, manager_id)
    save_state(data, msgspec.structs.replace(state, stage="left"))
    await _forget_data(data)
    return left


async def expel(data: Path, manager_id: str) -> int:
    """Takes another manager out of the group of a data directory's: how many are left. If it runs, it ends.

    Raises:
        NotInCluster: the data directory's is part of none.
        CannotLeave: there is no such manager, it is this one, or the others would have no majority.
        DirectoryUnavailable: most of the group does not answer.
    """
    state_of_member(data)
    if manager_id == load_or_create_id(data):
        raise CannotLeave(detail="it is the one of this data directory; use: telegraph manager leave")
    async with group_beside(data) as links, membership_lock(links.directory, load_or_create_id(data)) as lock:
        members = await links.admin.list()
        if all(member.name != manager_id for member in members):
            raise CannotLeave(detail=f"the cluster has no manager {manager_id}; see: telegraph manager status")
        return await _take_out(links, lock, members, manager_id)


async def _take_out(links: Links, lock: MembershipLock, members: Sequence[Member], manager_id: str) -> int:
    """Removes a member and its record, and counts the others who vote."""
    own = next((member for member in members if member.name == manager_id), None)
    if own is not None:
        check_may_leave(members, own.id, await _healthy(links, members, own))
        await _remove(links, lock, own)
    await forget_record(links.directory, lock, manager_id)
    return sum(not member.learner and member.name != manager_id for member in members)


async def _healthy(links: Links, members: Sequence[Member], own: Member) -> int:
    """How many of the other voters answer."""
    others = [member for member in members if not member.learner and member.id != own.id]
    found = await asyncio.gather(*(links.status_of(member) for member in others))
    return sum(status is not None for status in found)


async def _remove(links: Links, lock: MembershipLock, own: Member) -> None:
    async def remove() -> None:
        if any(member.id == own.id for member in await links.admin.list()):
            await lock.check()
            await links.admin.remove(own.id)

    await patiently(remove)


async def _forget_data(data: Path) -> None:
    """Waits until the manager has ended, which learns of its removal by itself; deletes its etcd data and secrets."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _ENDED_WITHIN
    while True:
        try:
            claim = DataDirectory(data)
            break
        except DataInUse:
            if loop.time() > deadline:
                raise CannotLeave(detail="it has left, but its process still runs; stop it") from None
            await asyncio.sleep(_LOOK_EVERY)
    try:
        shutil.rmtree(data / ETCD_DATA, ignore_errors=True)
        for name in _SECRETS:
            (data / name).unlink(missing_ok=True)
    finally:
        claim.release()
