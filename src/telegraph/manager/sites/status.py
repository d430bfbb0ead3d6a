"""How the sites fare, as a command beside one of the managers finds out: ``telegraph manager sites``.

It reads the own directory, and asks a manager of each other site and the own leader as a manager: the cluster secret
of the data directory opens the CA's key, with which it makes itself a certificate for a minute.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from telegraph.directory import cluster_records, records
from telegraph.directory.cluster_records import LinkRecord, ManagerRecord, OwnSite, decode
from telegraph.directory.port import Snapshot
from telegraph.directory.records import Site
from telegraph.directory.state_hash import state_hash
from telegraph.errors import NotInCluster, TelegraphError
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster.beside import group_beside
from telegraph.manager.cluster.secret import ClusterSecret
from telegraph.manager.cluster.vault import load_authority
from telegraph.manager.places import load_or_create_id
from telegraph.manager.server import Identity
from telegraph.manager.sites.calling import Caller
from telegraph.protocol.sites import PATH_STATE, LinkState, SiteState

_ASKED_FOR: Final = timedelta(minutes=1)
_WITHIN: Final = 3.0


class OtherSite(msgspec.Struct, frozen=True):
    """Another site, as seen from this one.

    Attributes:
        site: its name.
        managers: URLs of its managers.
        up: whether this site's leader hears it.
        since: since when it is so; of one that is cut off, when it was last heard. Empty: never.
        lag: revisions of its directory that are not applied here yet, as this site's leader knows; None: unknown.
        reachable: whether one of its managers answered this command.
        revision: of its directory, None if nobody answered.
        state_hash: of its directory, None if nobody answered.
        equal: whether that is the own one; None if nobody answered.
        problem: code of what keeps the leader from hearing it, empty if nothing does.
    """

    site: str
    managers: list[str]
    up: bool
    since: str
    lag: int | None
    reachable: bool
    revision: int | None
    state_hash: str | None
    equal: bool | None
    problem: str


class SitesStatus(msgspec.Struct, frozen=True):
    """This site and the others.

    Attributes:
        site: the name of this one.
        revision: of its directory.
        state_hash: of its directory (DESIGN.md 10.5).
        equal: whether all sites have answered, with the same hash.
        others: in the order of their names.
    """

    site: str
    revision: int
    state_hash: str
    equal: bool
    others: list[OtherSite]


async def read_sites(data: Path) -> SitesStatus:
    """How the sites fare now.

    Raises:
        NotInCluster: the manager is a single one, which is no site.
        DataUnreadable, SealBroken, CaUnreadable: its data directory lacks something.
        DirectoryUnavailable: the own directory does not answer.
    """
    async with group_beside(data) as links:
        snapshot = await links.directory.scan("")
        authority = await load_authority(links.directory, ClusterSecret.load(data))
    caller = Caller(Identity(authority, load_or_create_id(data), [], _ASKED_FOR).issue(read_clock().utc))
    try:
        return await _asked(snapshot, caller)
    finally:
        await caller.close()


async def _asked(snapshot: Snapshot, caller: Caller) -> SitesStatus:
    found = {entry.key: entry.value for entry in snapshot.entries}
    if cluster_records.OWN_SITE not in found:
        raise NotInCluster(detail="its managers are of a release without sites; start them again")
    own = decode(found[cluster_records.OWN_SITE], OwnSite)
    others = [site for site in _sites(found) if site.name != own.name]
    answers = await asyncio.gather(*(_state(caller, site.exchange, hashed=True) for site in others))
    leader = await _state(caller, _leader(found), hashed=False)
    links = {} if leader is None else {link.site: link for link in leader.links}
    return sites_status(snapshot, own, others, answers, links)


def sites_status(
    snapshot: Snapshot,
    own: OwnSite,
    others: Sequence[Site],
    answers: Sequence[SiteState | None],
    links: Mapping[str, LinkState],
) -> SitesStatus:
    """What the answers come to. Pure."""
    whole = state_hash(snapshot.entries)
    found = {entry.key: entry.value for entry in snapshot.entries}
    shown = [
        _other(site, answer, _link(found, site.name, links), whole)
        for site, answer in zip(others, answers, strict=True)
    ]
    return SitesStatus(own.name, snapshot.revision, whole, all(each.equal for each in shown), shown)


def _other(site: Site, answer: SiteState | None, link: LinkState, own_hash: str) -> OtherSite:
    answered = answer is not None and answer.site == site.name
    return OtherSite(
        site=site.name,
        managers=list(site.urls),
        up=link.up,
        since=link.since,
        lag=link.lag,
        reachable=answered,
        revision=answer.revision if answer is not None and answered else None,
        state_hash=answer.state_hash if answer is not None and answered else None,
        equal=answer.state_hash == own_hash if answer is not None and answered else None,
        problem=link.problem,
    )


def _link(found: Mapping[str, bytes], site: str, links: Mapping[str, LinkState]) -> LinkState:
    """As the leader says, or as the directory does if it says nothing."""
    if site in links:
        return links[site]
    value = found.get(cluster_records.link_key(site))
    known = LinkRecord(up=False) if value is None else decode(value, LinkRecord)
    return LinkState(site, known.up, known.since)


def _sites(found: Mapping[str, bytes]) -> list[Site]:
    return [records.decode(value, Site) for key, value in sorted(found.items()) if key.startswith(records.SITES)]


def _leader(found: Mapping[str, bytes]) -> list[str]:
    """Where the manager that leads serves other sites."""
    url = found.get(cluster_records.LEADER, b"").decode()
    managers = [
        decode(value, ManagerRecord) for key, value in found.items() if key.startswith(cluster_records.MANAGERS)
    ]
    return [record.exchange for record in managers if record.url == url and record.exchange]


async def _state(caller: Caller, urls: Sequence[str], *, hashed: bool) -> SiteState | None:
    """The answer of the first that gives one."""
    query = {"hash": "1"} if hashed else {}
    for url in urls:
        try:
            return await caller.ask(url, PATH_STATE, SiteState, within=_WITHIN, query=query)
        except TelegraphError:
            continue
    return None
