"""The first manager of a group: takes its SQLite directory over into an etcd of one member.

Until ``cluster.json`` says that it is a member, SQLite is the truth and etcd's data worth nothing: a take-over that was
broken off, wherever, begins anew. From then on it is the other way round, and the SQLite file is kept under another
name.
"""

import contextlib
from pathlib import Path
from typing import Final

import msgspec
import structlog

from telegraph.directory.port import FreezableDirectory
from telegraph.directory.sqlite import SqliteDirectory
from telegraph.errors import CannotStart
from telegraph.manager.ca import CA_FILE, CertificateAuthority
from telegraph.manager.cluster.certificates import client_identity
from telegraph.manager.cluster.copying import copy_all
from telegraph.manager.cluster.links import open_links
from telegraph.manager.cluster.members import put_record
from telegraph.manager.cluster.organisation import Organisation, read_organisation
from telegraph.manager.cluster.own_site import settle_site
from telegraph.manager.cluster.place import Place
from telegraph.manager.cluster.running import Running, forget_etcd, start_etcd
from telegraph.manager.cluster.state import ClusterState, save_state
from telegraph.manager.cluster.vault import store_organisation
from telegraph.manager.places import DIRECTORY_FILE, ca_fingerprint, load_or_create_ca

log = structlog.get_logger(__name__)

_STARTED_WITHIN: Final = 60.0


async def organisation_for(place: Place) -> Organisation:
    """That of the file or of the other site, or one around the data directory's own CA, which is made if need be.

    Raises:
        CannotStart: the file's CA is not the data directory's.
        CaUnreadable: the CA is damaged.
        TelegraphError: what keeps another site from being joined, see :func:`telegraph.manager.sites.entering.found`.
    """
    if place.settings.cluster.join_site is not None:
        from telegraph.manager.sites.entering import found

        return await found(place)
    path = place.settings.cluster.organisation
    if path is None:
        return Organisation.create(load_or_create_ca(place.data, place.clock()), place.clock().utc)
    organisation = read_organisation(path)
    check_same_ca(place.data, organisation.authority())
    return organisation


def check_same_ca(data: Path, authority: CertificateAuthority) -> None:
    """Makes sure that a data directory that has a CA has this one.

    Raises:
        CannotStart: it has another.
    """
    if (data / CA_FILE).exists() and ca_fingerprint(data) != authority.fingerprint:
        raise CannotStart(detail=f"{data} belongs to another organisation than --org-file; use another --data")


async def begin(place: Place, stack: contextlib.AsyncExitStack) -> Running:
    """Makes this manager the first of a group, with everything that its directory holds.

    Raises:
        CannotStart: see its subclasses; nothing has changed then, and it can be tried again.
    """
    organisation, member = await organisation_for(place), place.new_member()
    organisation.save(place.data)
    initial = {place.manager_id: member.peer_url}
    state = ClusterState("beginning", member.host, member.port, member.local_url, (member.client_url,), initial)
    save_state(place.data, state)
    forget_etcd(place)
    running = await start_etcd(place, member, state.initial, "new", stack)
    await running.process.ready(_STARTED_WITHIN)
    identity = client_identity(organisation.etcd_authority(), place.clock().utc)
    async with open_links([member.local_url], identity) as links:
        await store_organisation(links.directory, organisation)
        count = await _take_over(place, links.directory)
        await settle_site(place, links.directory)
        await put_record(links.directory, place.record(member, running.version))
    save_state(place.data, msgspec.structs.replace(state, stage="member"))
    log.info("group_begun", entries=count)
    return running


async def _take_over(place: Place, target: FreezableDirectory) -> int:
    path = place.data / DIRECTORY_FILE
    if not path.exists():
        return 0
    source = SqliteDirectory(path)
    try:
        return await copy_all(source, target)
    finally:
        await source.close()
