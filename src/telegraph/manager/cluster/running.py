"""A member's etcd, from its certificate to the moment at which it is part of its group."""

import asyncio
import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from telegraph.manager.background import keep_running
from telegraph.manager.cluster.binary import find_etcd
from telegraph.manager.cluster.certificates import MemberCertificate
from telegraph.manager.cluster.command import ETCD_DATA, Beginning, Member, arguments
from telegraph.manager.cluster.organisation import load_etcd_authority
from telegraph.manager.cluster.place import Place, ports_free
from telegraph.manager.cluster.process import EtcdProcess
from telegraph.manager.cluster.token import group_name
from telegraph.peer.credentials import Credentials

log = structlog.get_logger(__name__)

_TOLD_AFTER: Final = 5.0
"""Seconds after which a manager says that it waits for the others."""


@dataclass(frozen=True, slots=True)
class Running:
    """A member whose etcd runs.

    Attributes:
        member: which one.
        process: etcd.
        version: of etcd.
        credentials: the manager's own, if the group signed them just now.
    """

    member: Member
    process: EtcdProcess
    version: str
    credentials: Credentials | None = None


async def start_etcd(
    place: Place, member: Member, initial: Mapping[str, str], beginning: Beginning, stack: contextlib.AsyncExitStack
) -> Running:
    """Starts it; it need not be part of its group yet on return.

    Raises:
        EtcdMissing, EtcdTooOld: there is no usable etcd.
        PortTaken: another process has its ports.
        DataUnreadable, SealBroken, CaUnreadable: the data directory lacks something.
    """
    program, version = await find_etcd()
    authority, now = load_etcd_authority(place.data), place.clock().utc
    certificate = MemberCertificate(place.data, [member.host, member.listen])
    certificate.refresh(authority, now)
    await ports_free(member)
    process = EtcdProcess(program, arguments(member, initial, beginning, group_name(authority.pem)))
    stack.push_async_callback(process.stop)
    await process.start()
    keeping = asyncio.create_task(keep_running("etcd-certificate", lambda: certificate.keep(authority, place.clock)))
    stack.push_async_callback(_end, keeping)
    return Running(member, process, version)


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def majority(running: Running) -> None:
    """Waits, however long it takes, until most of the members are there.

    Raises:
        NotInCluster: the group has removed this member.
    """
    waiting = asyncio.ensure_future(running.process.ready())
    try:
        await asyncio.wait((waiting,), timeout=_TOLD_AFTER)
        if not waiting.done():
            log.warning("waiting_for_other_managers", etcd=running.member.peer_url)
        await waiting
    finally:
        waiting.cancel()


def forget_etcd(place: Place) -> None:
    """Removes etcd's data; only where nothing in it was ever acknowledged to anybody, or the group has it."""
    shutil.rmtree(place.data / ETCD_DATA, ignore_errors=True)
