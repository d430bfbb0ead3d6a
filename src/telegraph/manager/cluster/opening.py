"""How a manager comes to its directory: SQLite of its own, or etcd of its group, which it may have to enter first."""

import contextlib
import dataclasses
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from telegraph.directory import records
from telegraph.directory.guarded import GuardedDirectory
from telegraph.directory.quorum import Quorum
from telegraph.directory.remembering import RememberingDirectory
from telegraph.directory.sqlite import SqliteDirectory
from telegraph.errors import CannotStart, NotInCluster
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.cluster.gathering import load_standing
from telegraph.manager.cluster.own_site import DEFAULT, settle_site
from telegraph.manager.cluster.patience import PATIENCE, patiently
from telegraph.manager.cluster.place import Place
from telegraph.manager.cluster.state import ClusterState, load_state
from telegraph.manager.cluster.token import parse_token
from telegraph.manager.places import DIRECTORY_FILE, load_or_create_ca
from telegraph.peer.credentials import Credentials

if TYPE_CHECKING:  # what speaks with etcd costs memory that a single manager need not have
    from telegraph.directory.cluster_records import OwnSite
    from telegraph.manager.cluster.group import Group
    from telegraph.manager.cluster.running import Running

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opened:
    """An open directory, the organisation's CA, and the group and its quorum if the manager is part of one.

    ``credentials`` are the manager's own if the group signed them just now, ``site`` what the group is among others.
    """

    directory: RememberingDirectory
    ca: CertificateAuthority
    group: "Group | None" = None
    credentials: Credentials | None = None
    site: "OwnSite | None" = None
    quorum: Quorum | None = None

    def site_name(self, told: str) -> str:
        """The site that the manager belongs to: as its group says, or as it was told."""
        return self.site.name if self.site else told or DEFAULT

    async def loaded(self, load: Callable[[], Awaitable[T]]) -> T:
        """Does a part of the start; a group's directory may be without a leader for a moment, one of SQLite never is.

        Raises:
            DirectoryUnavailable: it stays unavailable.
        """
        return await patiently(load, 0.0 if self.group is None else PATIENCE)


async def open_directory(place: Place, stack: contextlib.AsyncExitStack) -> Opened:
    """Opens it, and enters or begins a group first if that is what the settings want.

    Raises:
        CannotStart: see its subclasses.
        Unavailable: the manager to join does not answer.
    """
    running = await _enter(place, load_state(place.data), stack)
    if running is None:
        return await _alone(place, stack)
    return await _together(place, running, stack)


async def _enter(place: Place, state: ClusterState | None, stack: contextlib.AsyncExitStack) -> "Running | None":
    """This manager's etcd, part of its group; None if there is no group."""
    wanted = place.settings.cluster
    if state is not None and state.stage == "member":
        return await _go_on(place, state, stack)
    if state is not None and state.stage == "promoting":
        from telegraph.manager.cluster.joining import resume

        return await resume(place, state, stack)
    if wanted.init:
        from telegraph.manager.cluster.beginning import begin

        return await begin(place, stack)
    if wanted.join is not None:
        from telegraph.manager.cluster.joining import join

        return await join(place, wanted.join, parse_token(wanted.token or ""), stack)
    if wanted.expect > 0:
        from telegraph.manager.cluster.bootstrap import form

        return await form(place, stack)
    _check_alone(place.data, state)
    return None


def _check_alone(data: Path, state: ClusterState | None) -> None:
    if state is not None and state.stage == "left":
        raise NotInCluster(detail="it has left; let it join anew with --join, or use another --data")
    if state is not None and state.stage == "joining":
        raise CannotStart(detail="it had begun to join a group; start it again with --join and --token")
    if state is not None and state.stage == "beginning" and load_standing(data) is not None:
        raise CannotStart(detail="it had begun to form a group; start it again with --bootstrap-expect")


async def _go_on(place: Place, state: ClusterState, stack: contextlib.AsyncExitStack) -> "Running":
    from telegraph.manager.cluster.rekeying import adopt_secrets
    from telegraph.manager.cluster.running import majority, start_etcd

    wanted = place.settings.cluster.etcd_port
    if wanted is not None and wanted != state.port:
        raise CannotStart(detail=f"the group knows this manager's etcd at port {state.port}; leave --etcd-port out")
    adopt_secrets(place.data)
    member = place.member(state.host, state.port)
    running = await start_etcd(place, member, state.initial, "existing" if state.existing else "new", stack)
    await majority(running)
    return running


async def _alone(place: Place, stack: contextlib.AsyncExitStack) -> Opened:
    ca = load_or_create_ca(place.data, place.clock())
    directory = SqliteDirectory(place.data / DIRECTORY_FILE)
    stack.push_async_callback(directory.close)
    return Opened(RememberingDirectory(directory, lambda: math.inf, records.LOOKED_UP), ca)


async def _together(place: Place, running: "Running", stack: contextlib.AsyncExitStack) -> Opened:
    from telegraph.manager.cluster.certificates import client_identity
    from telegraph.manager.cluster.doorkeeper import Doorkeeper
    from telegraph.manager.cluster.group import Group
    from telegraph.manager.cluster.links import Reach, open_links
    from telegraph.manager.cluster.members import Members, put_record
    from telegraph.manager.cluster.organisation import load_etcd_authority
    from telegraph.manager.cluster.putting_aside import put_aside
    from telegraph.manager.cluster.rekeying import publish_secrets
    from telegraph.manager.cluster.secret import ClusterSecret
    from telegraph.manager.cluster.vault import load_authority

    put_aside(place.data)
    state, secret = load_state(place.data), ClusterSecret.load(place.data)
    others = [] if state is None else [url for url in state.clients if url != running.member.client_url]
    identity = client_identity(load_etcd_authority(place.data), place.clock().utc)
    links = await stack.enter_async_context(open_links([running.member.local_url, *others], identity))
    await patiently(lambda: publish_secrets(place.data, links.directory))
    site = await patiently(lambda: settle_site(place, links.directory))
    place = dataclasses.replace(place, settings=msgspec.structs.replace(place.settings, site=site.name))
    members = Members(links.directory)
    guarded = GuardedDirectory(links.directory)
    group = Group(place, running, guarded, secret, members, Doorkeeper(place.clock))
    record = place.record(running.member, running.version)
    await patiently(lambda: put_record(links.directory, record))
    members.listen(group.remember)
    members.listen(Reach(links.directory.client, running.member.local_url, place.manager_id))
    await patiently(members.load)
    etcd = links.directory
    directory = RememberingDirectory(guarded, lambda: etcd.heard, records.LOOKED_UP)
    authority = await patiently(lambda: load_authority(links.directory, secret))
    if not site.joined:
        from telegraph.manager.sites.entering import enter

        site = await enter(place, links.directory, members, authority)
    return Opened(directory, authority, group, running.credentials, site, Quorum())
