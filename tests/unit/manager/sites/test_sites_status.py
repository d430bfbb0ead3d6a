"""What ``telegraph manager sites`` says."""

import msgspec
import pytest

from telegraph.cli.sites import pretty
from telegraph.directory import cluster_records
from telegraph.directory.cluster_records import LinkRecord, OwnSite
from telegraph.directory.port import Entry, Snapshot
from telegraph.directory.records import Site, encode
from telegraph.directory.state_hash import state_hash
from telegraph.manager.sites.status import SitesStatus, sites_status
from telegraph.protocol.sites import LinkState, SiteState

OWN = OwnSite("lima", "one")
CUSCO, PUNO = Site("cusco", ("https://c1:8000", "https://c2:8000")), Site("puno", ("https://p1:8000",))
WELL = LinkState("cusco", up=True, since="then", lag=0)


def snapshot(**links: LinkRecord) -> Snapshot:
    entries = [Entry("account/alice", b"{}", 1)]
    entries += [Entry(cluster_records.link_key(name), encode(link), 2) for name, link in links.items()]
    return Snapshot(tuple(entries), 7)


SAME = state_hash(snapshot().entries)


def seen(answer: SiteState | None, link: LinkState | None = WELL, **links: LinkRecord) -> SitesStatus:
    return sites_status(snapshot(**links), OWN, [CUSCO], [answer], {} if link is None else {"cusco": link})


def test_sites_that_agree() -> None:
    found = seen(SiteState("cusco", "d", 9, SAME))
    assert (found.site, found.revision, found.state_hash, found.equal) == ("lima", 7, SAME, True)
    assert (found.others[0].reachable, found.others[0].equal, found.others[0].lag) == (True, True, 0)
    assert "all sites have the same state" in pretty(found)


@pytest.mark.parametrize(
    ("answer", "equal", "word"),
    [
        (SiteState("cusco", "d", 9, "0" * 64), False, "OTHER STATE"),
        (SiteState("elsewhere", "d", 9, SAME), None, "does not answer"),
        (None, None, "does not answer"),
    ],
)
def test_sites_that_do_not(answer: SiteState | None, equal: bool | None, word: str) -> None:
    found = seen(answer)
    assert (found.equal, found.others[0].equal) == (False, equal)
    assert word in pretty(found)
    assert "NOT all sites" in pretty(found)


def test_a_cut_with_the_time_of_the_last_word() -> None:
    found = seen(None, LinkState("cusco", up=False, since="12:00", problem="manager_away"))
    assert "CUT OFF, last heard 12:00" in pretty(found)
    assert "manager_away" in pretty(found)


def test_without_a_leader_the_directory_says_what_was_known_last() -> None:
    assert seen(None, None, cusco=LinkRecord(up=True, since="then")).others[0].up
    assert not seen(None, None).others[0].up
    assert "NEVER HEARD" in pretty(seen(None, None))


def test_several_are_equal_only_if_all_are() -> None:
    answers = [SiteState("cusco", "d", 9, SAME), SiteState("puno", "d", 9, "0" * 64)]
    found = sites_status(snapshot(), OWN, [CUSCO, PUNO], answers, {})
    assert not found.equal
    assert [each.site for each in found.others] == ["cusco", "puno"]


def test_a_site_that_is_alone() -> None:
    found = sites_status(snapshot(), OWN, [], [], {})
    assert found.equal
    assert "no other sites" in pretty(found)
    assert msgspec.json.decode(msgspec.json.encode(found))["others"] == []
