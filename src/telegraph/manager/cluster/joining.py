"""A newcomer becomes a member: asks, is added without a vote, catches up, gets its vote. A broken-off join is repeated.

The newcomer does all of it itself, once its certificates are signed and it has been given what makes it a manager; so
there is one place that knows how far it is, and the manager that it asked need remember nothing.
"""

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog

from telegraph.directory import cluster_records
from telegraph.directory.cluster_records import ManagerRecord, decode
from telegraph.directory.etcd.members import Member as EtcdMember
from telegraph.directory.port import Delete, Directory
from telegraph.errors import CannotJoin, LockLost, MembersUnsettled, NotInCluster, UnknownMember
from telegraph.manager.ca import CA_FILE
from telegraph.manager.cluster.applying import Admission, Applicant
from telegraph.manager.cluster.certificates import client_identity
from telegraph.manager.cluster.command import Member
from telegraph.manager.cluster.links import Links, open_links
from telegraph.manager.cluster.members import put_record
from telegraph.manager.cluster.membership import (
    MembershipLock,
    clear_learners,
    initial_cluster,
    member_at,
    membership_lock,
)
from telegraph.manager.cluster.organisation import load_etcd_authority
from telegraph.manager.cluster.patience import patiently
from telegraph.manager.cluster.place import Place
from telegraph.manager.cluster.running import Running, forget_etcd, majority, start_etcd
from telegraph.manager.cluster.state import ClusterState, Stage, save_state
from telegraph.manager.cluster.token import JoinToken
from telegraph.manager.places import DIRECTORY_FILE, ca_fingerprint
from telegraph.protocol.invites import check_manager_url

log = structlog.get_logger(__name__)

_STARTED_WITHIN: Final = 60.0


async def join(place: Place, url: str, token: JoinToken, stack: contextlib.AsyncExitStack) -> Running:
    """Makes this manager a member of the group that the manager at ``url`` belongs to.

    Raises:
        CannotJoin: something here or there is in the way; the sentence says what.
        ManagerAway, CaMismatch, WrongToken: see :meth:`telegraph.manager.cluster.applying.Applicant.ask`.
        CannotStart: etcd cannot be started, see its subclasses.
    """
    check_own_data(place, token)
    applicant = Applicant(place, token)
    return await enter(place, applicant, await applicant.ask(check_manager_url(url)), stack)


async def enter(place: Place, applicant: Applicant, admission: Admission, stack: contextlib.AsyncExitStack) -> Running:
    """Makes this manager a member of the group that has let it in.

    Raises:
        CannotJoin: something here or there is in the way; the sentence says what.
        CannotStart: etcd cannot be started, see its subclasses.
    """
    applicant.keep(admission)
    async with (
        open_links(admission.clients, admission.member) as links,
        membership_lock(links.directory, place.manager_id) as lock,
    ):
        running = await _enter(place, links, lock, admission.clients, stack)
    return dataclasses.replace(running, credentials=admission.credentials)


def check_own_data(place: Place, token: JoinToken) -> None:
    """Makes sure that joining loses nothing that is here.

    Raises:
        CannotJoin: it would.
    """
    if (place.data / DIRECTORY_FILE).exists():
        raise CannotJoin(detail=f"{place.data} holds a directory of its own, which would be lost; use another --data")
    if (place.data / CA_FILE).exists() and ca_fingerprint(place.data) != token.ca:
        raise CannotJoin(detail=f"{place.data} belongs to another organisation; use another --data")


async def _enter(
    place: Place, links: Links, lock: MembershipLock, clients: list[str], stack: contextlib.AsyncExitStack
) -> Running:
    """Under the lock, all the way to the vote."""
    member = place.new_member()
    await clear_learners(links.admin, lock)
    known = member_at(await links.admin.list(), member.peer_url)
    if known is not None:
        await _replace(place, links, lock, known)
    forget_etcd(place)
    state = ClusterState("joining", member.host, member.port, member.local_url, tuple(clients), existing=True)
    save_state(place.data, state)
    known = await _add(links, lock, member)
    members = await links.admin.list()
    state = _with_initial(state, initial_cluster(members, place.manager_id, known.id))
    save_state(place.data, state)
    running = await start_etcd(place, member, state.initial, "existing", stack)
    await running.process.ready(_STARTED_WITHIN)
    state = _at(state, "promoting")
    save_state(place.data, state)
    await _take_vote(place, links, running, state, lock)
    return running


async def resume(place: Place, state: ClusterState, stack: contextlib.AsyncExitStack) -> Running:
    """Goes on with a join that may have got its vote: the group may need this manager to admit anybody, even itself.

    Raises:
        NotInCluster: the group has removed it meanwhile; a start with ``--join`` begins anew.
        CannotStart: etcd cannot be started, see its subclasses.
    """
    running = await start_etcd(place, place.member(state.host, state.port), state.initial, "existing", stack)
    identity = client_identity(load_etcd_authority(place.data), place.clock().utc)
    try:
        await majority(running)
        async with open_links([*state.clients, running.member.local_url], identity) as links:
            await patiently(lambda: _take_vote(place, links, running, state))
    except NotInCluster:
        save_state(place.data, _at(state, "joining"))
        raise
    return running


async def _take_vote(
    place: Place, links: Links, running: Running, state: ClusterState, lock: MembershipLock | None = None
) -> None:
    """Becomes a voter. Without the lock too: the group may need this vote for anybody to get it."""
    own = member_at(await links.admin.list(), running.member.peer_url)
    if own is None:
        raise NotInCluster(detail="the group has removed it; let it join anew with --join")
    await _promote(links, own.id, lock)
    await put_record(links.directory, place.record(running.member, running.version))
    save_state(place.data, _at(state, "member"))
    log.info("joined")


def _with_initial(state: ClusterState, initial: Mapping[str, str]) -> ClusterState:
    return msgspec.structs.replace(state, initial=dict(initial))


def _at(state: ClusterState, stage: Stage) -> ClusterState:
    return msgspec.structs.replace(state, stage=stage)


async def _replace(place: Place, links: Links, lock: MembershipLock, known: EtcdMember) -> None:
    if not place.settings.cluster.replace:
        raise CannotJoin(
            detail=f"the group has a manager at {known.peer_urls[0]} already; if its data is lost, add --replace"
        )
    if await links.status_of(known) is not None:
        raise CannotJoin(detail=f"the manager at {known.peer_urls[0]} is alive; let it leave first")

    async def remove() -> None:
        await lock.check()
        await links.admin.remove(known.id)

    await patiently(remove)
    await forget_record(links.directory, lock, known.name, known.peer_urls)
    log.warning("lost_member_removed", member=f"{known.id:x}")


async def forget_record(
    directory: Directory, lock: MembershipLock, manager_id: str, peer_urls: tuple[str, ...] = ()
) -> None:
    """Removes the record of a manager that is none any more, and of any with its etcd address.

    Raises:
        LockLost: it is not held any more; nothing was removed.
    """
    entries = (await directory.scan(cluster_records.MANAGERS)).entries
    gone = [
        entry.key
        for entry in entries
        if entry.key == cluster_records.manager_key(manager_id)
        or decode(entry.value, ManagerRecord).etcd_peer in peer_urls
    ]
    if gone and await directory.commit([lock.condition], [Delete(key) for key in gone]) is None:
        raise LockLost


async def _add(links: Links, lock: MembershipLock, member: Member) -> EtcdMember:
    async def add() -> None:
        if member_at(await links.admin.list(), member.peer_url) is not None:
            return  # an earlier try has gone through
        await lock.check()
        try:
            await links.admin.add_learner([member.peer_url])
        except UnknownMember:  # its id, made of the address and the second, is that of one removed in this second
            raise MembersUnsettled(detail="removed just now") from None

    await patiently(add)
    added = member_at(await links.admin.list(), member.peer_url)
    if added is None:
        raise CannotJoin(detail="etcd does not list this manager, though it was added; try again")
    return added


async def _promote(links: Links, member_id: int, lock: MembershipLock | None) -> None:
    async def promote() -> None:
        if any(member.id == member_id and member.learner for member in await links.admin.list()):
            if lock is not None:
                await lock.check()
            await links.admin.promote(member_id)

    await patiently(promote)
