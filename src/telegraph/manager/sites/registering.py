"""A site makes itself known: a new one counts from then on, and every other site hears it.

One that is known says again where it is whenever it begins to hear another: its machines may all have moved while it
was cut off, or come back from a backup elsewhere, so that nobody could hear it any more.

In the same commit stands that there are several sites (``setting/several-sites``): nothing that the newcomer may read
from here on is removed without a mark that it was.
"""

from typing import Final

import msgspec
import structlog

from telegraph.directory import records
from telegraph.directory.port import Directory, Put, Unchanged
from telegraph.directory.records import Site
from telegraph.errors import Conflict, MalformedBody
from telegraph.manager.revocations import directory_id
from telegraph.manager.sites.free import check_free
from telegraph.manager.sites.listener import Asked
from telegraph.manager.sites.serving import head_of
from telegraph.protocol.cluster_api import SiteRequest
from telegraph.protocol.invites import check_manager_url
from telegraph.protocol.sites import SiteState, check_site_name

log = structlog.get_logger(__name__)

MOST_MANAGERS: Final = 32
_TRIES: Final = 5
YES: Final = records.encode(True)


class Registration(msgspec.Struct, frozen=True):
    """A new site. ``replace``: the one that had this name is lost with all its data."""

    site: Site
    replace: bool = False


async def register(directory: Directory, own: str, asked: Asked) -> SiteState:
    """Adds a site to those that the site called ``own`` knows; the same one again is brought up to date.

    Raises:
        SiteTaken: there is another of this name, or the one that is to be replaced is still heard.
        IllegalSite, IllegalInvite, MalformedBody: the record is none.
        DirectoryUnavailable: it cannot be written.
    """
    wanted = _read(asked.body)
    asking = SiteRequest("", wanted.site.name, asked.remote.id, wanted.site.id, replace=wanted.replace)
    place = records.site_key(wanted.site.name)
    for _ in range(_TRIES):
        entry = await check_free(directory, own, asking)
        known = None if entry is None else records.decode(entry.value, Site)
        version = 0 if known is None else known.version
        if known == msgspec.structs.replace(wanted.site, version=version):
            break
        site = msgspec.structs.replace(wanted.site, version=version + 1)
        conditions = [Unchanged(place, entry.revision if entry else 0)]
        writes = [Put(place, records.encode(site)), Put(records.SEVERAL, YES)]
        if await directory.commit(conditions, writes) is not None:
            log.warning("site_registered", site=site.name, managers=len(site.urls))
            break
    else:
        raise Conflict
    return SiteState(own, await directory_id(directory), await head_of(directory))


def _read(body: bytes) -> Registration:
    try:
        wanted = msgspec.msgpack.decode(body, type=Registration)
    except msgspec.DecodeError as problem:
        raise MalformedBody(detail=str(problem)) from None
    check_site_name(wanted.site.name)
    if not wanted.site.id or not 0 < len(wanted.site.exchange) <= MOST_MANAGERS >= len(wanted.site.urls):
        raise MalformedBody(detail="a site has an id and addresses")
    for url in (*wanted.site.urls, *wanted.site.exchange):
        check_manager_url(url)
    return wanted
