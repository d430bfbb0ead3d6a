"""Whether a new site may have a name."""

from telegraph.directory import cluster_records, records
from telegraph.directory.cluster_records import LinkRecord
from telegraph.directory.port import Directory, Entry
from telegraph.directory.records import Site
from telegraph.errors import SiteTaken
from telegraph.protocol.cluster_api import SiteRequest


async def check_free(directory: Directory, own: str, wanted: SiteRequest) -> Entry | None:
    """The record that a new site's will replace, None if there is none.

    One of the same id is the same site, which asks again. Another one's is replaced only if that is asked for, and
    only while it is not heard.

    Raises:
        SiteTaken: the name is another site's.
        DirectoryUnavailable: the directory does not answer.
    """
    if wanted.site == own:
        raise SiteTaken(site=wanted.site)
    entry = await directory.get(records.site_key(wanted.site))
    if entry is None or (wanted.site_id and records.decode(entry.value, Site).id == wanted.site_id):
        return entry
    link = await directory.get(cluster_records.link_key(wanted.site))
    heard = link is not None and cluster_records.decode(link.value, LinkRecord).up
    if heard or not wanted.replace:
        raise SiteTaken(site=wanted.site)
    return entry
