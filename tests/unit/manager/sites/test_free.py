"""Whether a new site may have a name."""

import pytest

from telegraph.directory import cluster_records, records
from telegraph.directory.cluster_records import LinkRecord
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Put
from telegraph.directory.records import Site
from telegraph.errors import SiteTaken
from telegraph.manager.sites.free import check_free
from telegraph.protocol.cluster_api import SiteRequest


@pytest.fixture
async def directory() -> MemoryDirectory:
    """Of lima, which knows cusco."""
    made = MemoryDirectory()
    await made.commit([], [Put(records.site_key("cusco"), records.encode(Site("cusco", id="two")))])
    return made


def asks(site: str, site_id: str = "", *, replace: bool = False) -> SiteRequest:
    return SiteRequest("", site, "m9", site_id, replace)


async def test_a_free_name(directory: MemoryDirectory) -> None:
    assert await check_free(directory, "lima", asks("puno")) is None


async def test_the_own_name_and_another_site_s_are_taken(directory: MemoryDirectory) -> None:
    for wanted in (asks("lima"), asks("lima", replace=True), asks("cusco"), asks("cusco", "three")):
        with pytest.raises(SiteTaken):
            await check_free(directory, "lima", wanted)


async def test_the_same_site_asks_again(directory: MemoryDirectory) -> None:
    entry = await check_free(directory, "lima", asks("cusco", "two"))
    assert entry is not None
    assert entry.key == "site/cusco"


@pytest.mark.parametrize(("link", "may"), [(None, True), (LinkRecord(up=False), True), (LinkRecord(up=True), False)])
async def test_only_a_site_that_is_not_heard_is_replaced(
    directory: MemoryDirectory, link: LinkRecord | None, may: bool
) -> None:
    if link is not None:
        await directory.commit([], [Put(cluster_records.link_key("cusco"), records.encode(link))])
    if may:
        assert await check_free(directory, "lima", asks("cusco", "three", replace=True)) is not None
    else:
        with pytest.raises(SiteTaken):
            await check_free(directory, "lima", asks("cusco", "three", replace=True))
