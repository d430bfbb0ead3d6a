"""A new group becomes a site of an organisation that there is: ``--join-site``.

1. The newcomer proves the other site's CA by the token's fingerprint, shows the token, and gets what makes managers of
   the same organisation: the CA with its key, and the cluster secret. The CA of its etcd and its own join token it
   makes itself: a site's managers have no business in another site's etcd (:func:`found`).
2. It begins its group, which knows from its first entry on that it has not joined yet (:class:`OwnSite`).
3. It makes itself known at the other site, copies all that this has, and only then notes that it has joined
   (:func:`enter`). Before that nobody is answered.

Whatever breaks off, the same command goes on: in step 1 nothing has happened; step 2 is repeated from scratch; step 3
knows its own name again by the id of the site, and copies over what an earlier try has left.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Final

import structlog

from telegraph.directory import cluster_records, records
from telegraph.directory.cluster_records import OwnSite, decode
from telegraph.directory.port import Delete, Directory, Put
from telegraph.directory.records import Cursor
from telegraph.errors import CannotJoin, CannotStart, ManagerAway, SiteTaken, Unavailable
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.cluster.asking import ask_for_site
from telegraph.manager.cluster.authority import ETCD_CA_KEY, EtcdAuthority
from telegraph.manager.cluster.joining import check_own_data
from telegraph.manager.cluster.members import Members
from telegraph.manager.cluster.membership import membership_lock
from telegraph.manager.cluster.organisation import Organisation, read_organisation
from telegraph.manager.cluster.own_site import DEFAULT
from telegraph.manager.cluster.place import Place
from telegraph.manager.cluster.secret import ClusterSecret
from telegraph.manager.cluster.token import JoinToken, new_secret, parse_token
from telegraph.manager.places import certificate_hosts
from telegraph.manager.server import Identity
from telegraph.manager.sites.calling import Caller
from telegraph.manager.sites.exchange import put_own_site, site_of
from telegraph.manager.sites.registering import YES, Registration
from telegraph.manager.sites.serving import is_exchanged
from telegraph.peer.credentials import Credentials
from telegraph.protocol.cluster_api import SiteAnswer, SiteRequest
from telegraph.protocol.invites import check_manager_url
from telegraph.protocol.sites import PATH_REGISTER, PATH_SNAPSHOT, SiteState, pieces

log = structlog.get_logger(__name__)

_REGISTERED_WITHIN: Final = 10.0
_SILENCE: Final = 30.0
_ASK_EVERY: Final = 1.0


async def found(place: Place) -> Organisation:
    """What makes this manager one of the other site's organisation, with an etcd CA and a join token of its own.

    Raises:
        CannotJoin, CaMismatch, WrongToken, SiteTaken, ManagerAway: see :func:`telegraph.manager.cluster.asking`.
    """
    token = _token(place)
    check_own_data(place, token)
    return organisation_of(await _ask(place, token, ""), place.clock().utc)


def organisation_of(answer: SiteAnswer, now: datetime) -> Organisation:
    """The other site's organisation as the newcomer has it."""
    etcd, secret = EtcdAuthority.create(now), ClusterSecret.from_text(answer.cluster_secret)
    return Organisation(
        ca=answer.ca,
        ca_key=answer.ca_key,
        etcd_ca=etcd.pem,
        etcd_ca_key=secret.seal(ETCD_CA_KEY, etcd.key_pem),
        secret=answer.cluster_secret,
        join_secret=new_secret(),
    )


async def _ask(place: Place, token: JoinToken, site_id: str) -> SiteAnswer:
    wanted, name = place.settings.cluster, place.settings.site or DEFAULT
    request = SiteRequest("", name, place.manager_id, site_id, replace=wanted.replace)
    return await ask_for_site(check_manager_url(wanted.join_site or ""), token, request)


def _token(place: Place) -> JoinToken:
    """The token that was given, or that of the organisation's file."""
    wanted = place.settings.cluster
    if wanted.token is None and wanted.organisation is not None:
        organisation = read_organisation(wanted.organisation)
        return JoinToken(organisation.authority().fingerprint, organisation.join_secret)
    return parse_token(wanted.token or "")


# --- joining the others ---


async def enter(place: Place, directory: Directory, members: Members, ca: CertificateAuthority) -> OwnSite:
    """Makes the group a site among the others, if none of its managers has done so: the site.

    Raises:
        CannotStart: it has not been said where another site is.
        SiteTaken: there is a site of this name.
        ManagerAway: the other site does not answer; a group that formed by itself waits for it instead.
        DirectoryUnavailable: the own directory does not answer.
    """
    if place.settings.cluster.join_site is None:
        raise CannotStart(detail="its site had begun to join another; start it again with --join-site and --token")
    settings = place.settings
    identity = Identity(ca, place.manager_id, certificate_hosts(settings), settings.certificate_lifetime)
    credentials = identity.issue(place.clock().utc)
    async with membership_lock(directory, place.manager_id):
        entry = await directory.get(cluster_records.OWN_SITE)
        assert entry is not None  # noqa: S101 - it was settled
        own = decode(entry.value, OwnSite)
        if own.joined:
            return own
        if settings.cluster.expect:
            await _other_site(place, own)
        return await _join(place, directory, members, credentials, own)


async def _other_site(place: Place, own: OwnSite) -> None:
    """Waits, however long it takes, until the other site answers: the two may have been started together."""
    told = False
    while True:
        try:
            await _ask(place, _token(place), own.id)
        except Unavailable as away:
            if not told:
                log.warning("waiting_for_other_site", url=place.settings.cluster.join_site, code=away.code)
            told = True
            await asyncio.sleep(_ASK_EVERY)
        else:
            return


async def _join(
    place: Place, directory: Directory, members: Members, credentials: Credentials, own: OwnSite
) -> OwnSite:
    answer = await _ask(place, _token(place), own.id)
    caller = Caller(credentials)
    try:
        wanted = Registration(site_of(own, members.all), replace=place.settings.cluster.replace)
        other = await caller.ask_any(answer.exchange, PATH_REGISTER, SiteState, wanted, within=_REGISTERED_WITHIN)
        await _any_of(answer.exchange, lambda url: _copy(caller, url, directory, other, place))
    finally:
        await caller.close()
    joined = OwnSite(own.name, own.id)
    if await put_own_site(directory, own, members.all) is None:
        raise SiteTaken(site=own.name)
    await directory.commit([], [Put(cluster_records.OWN_SITE, records.encode(joined))])
    log.info("site_joined", site=own.name, by=other.site)
    return joined


async def _any_of(urls: list[str], what: Callable[[str], Awaitable[None]]) -> None:
    for url in urls[:-1]:
        try:
            await what(url)
        except Unavailable:
            continue
        return
    await what(urls[-1])


async def _copy(caller: Caller, url: str, directory: Directory, other: SiteState, place: Place) -> None:
    """Everything that the other site has, as of one revision, and nothing else.

    Raises:
        CannotJoin: what arrived is not what was sent.
        ManagerAway: it broke off.
    """
    whole: dict[str, bytes] = {}
    revision = None
    async with aclosing(caller.stream(url, PATH_SNAPSHOT, {}, _SILENCE)) as batches:
        async for batch in batches:
            whole.update(batch.entries)
            revision = batch.revision if batch.done else None
    if revision is None:
        raise ManagerAway
    left = [entry.key for entry in (await directory.scan("")).entries if is_exchanged(entry.key)]
    gone = [(key, b"") for key in left if key not in whole]
    for portion in pieces(gone):
        await directory.commit([], [Delete(key) for key, _ in portion])
    for portion in pieces(whole):
        await directory.commit([], [Put(key, value) for key, value in portion])
    arrived = {entry.key: entry.value for entry in (await directory.scan("")).entries if is_exchanged(entry.key)}
    if arrived != whole:
        raise CannotJoin(detail="the directory of the other site did not arrive whole; try again")
    cursor = Cursor(revision, place.clock().text, other.directory_id)
    await directory.commit([], [Put(records.cursor_key(other.site), records.encode(cursor)), Put(records.SEVERAL, YES)])
    log.info("site_copied", site=other.site, entries=len(whole), revision=revision)
