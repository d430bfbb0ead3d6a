"""Which site a group is: settled once, by its first manager, and kept in its directory."""

import secrets
from typing import Final

from telegraph.directory import cluster_records, records
from telegraph.directory.cluster_records import OwnSite, decode
from telegraph.directory.port import Directory, Put, Unchanged
from telegraph.directory.records import Site
from telegraph.errors import CannotStart
from telegraph.manager.cluster.place import Place

DEFAULT: Final = "main"
"""The name of a site that was given none."""

_ID_BYTES: Final = 8


async def settle_site(place: Place, directory: Directory) -> OwnSite:
    """Which site the directory is of: what it says itself, or else what this manager was told, from now on.

    A site that is to join others has not joined yet when it begins. A directory that was put back from a backup knows
    its site among the others, and is that one again.

    Raises:
        CannotStart: the manager was told another name than its site has.
        DirectoryUnavailable: it cannot be said.
    """
    told = place.settings.site
    while (entry := await directory.get(cluster_records.OWN_SITE)) is None:
        name = told or DEFAULT
        known = await directory.get(records.site_key(name))
        site_id = "" if known is None else records.decode(known.value, Site).id
        joined = place.settings.cluster.join_site is None
        own = OwnSite(name, site_id or secrets.token_hex(_ID_BYTES), joined)
        put = Put(cluster_records.OWN_SITE, records.encode(own))
        await directory.commit([Unchanged(cluster_records.OWN_SITE, 0)], [put])
    own = decode(entry.value, OwnSite)
    if told and told != own.name:
        raise CannotStart(detail=f"its cluster is the site {own.name}; start it with --site {own.name}, or without")
    return own
