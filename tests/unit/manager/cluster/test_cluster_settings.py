"""Which ways into a group go together."""

from pathlib import Path

import pytest

from telegraph.errors import CannotStart, IllegalSite
from telegraph.manager.settings import ClusterSettings, ManagerSettings

FILE = Path("organisation.json")


@pytest.mark.parametrize(
    "settings",
    [
        ClusterSettings(),
        ClusterSettings(init=True),
        ClusterSettings(init=True, organisation=FILE),
        ClusterSettings(join="https://a:8000", token="t", replace=True),
        ClusterSettings(expect=3, organisation=FILE, peers_dns=("managers",)),
        ClusterSettings(init=True, join_site="https://a:8000", token="t"),
        ClusterSettings(init=True, join_site="https://a:8000", token="t", replace=True),
        ClusterSettings(expect=3, organisation=FILE, peers_dns=("managers",), join_site="https://a:8000"),
    ],
)
def test_one_way_with_what_it_needs(settings: ClusterSettings) -> None:
    ManagerSettings(data=Path("data"), cluster=settings).check()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (ClusterSettings(init=True, join="https://a:8000", token="t"), "choose one"),
        (ClusterSettings(join="https://a:8000"), "--token"),
        (ClusterSettings(replace=True), "--join"),
        (ClusterSettings(expect=3), "--org-file"),
        (ClusterSettings(expect=3, organisation=FILE), "--peers-dns"),
        (ClusterSettings(join_site="https://a:8000", token="t"), "--cluster-init"),
        (ClusterSettings(join="https://b:8000", join_site="https://a:8000", token="t"), "--cluster-init"),
        (ClusterSettings(init=True, join_site="https://a:8000"), "--token"),
    ],
)
def test_whatever_else_is_refused_with_what_is_missing(settings: ClusterSettings, said: str) -> None:
    with pytest.raises(CannotStart, match=said):
        ManagerSettings(data=Path("data"), cluster=settings).check()


def test_a_group_needs_tls() -> None:
    with pytest.raises(CannotStart, match="--insecure-http"):
        ManagerSettings(data=Path("data"), insecure_http=True, cluster=ClusterSettings(init=True)).check()


@pytest.mark.parametrize("site", ["Lima", "li ma", "x" * 17, "-a"])
def test_a_site_has_a_name_that_can_stand_in_anybody_s(site: str) -> None:
    with pytest.raises(IllegalSite):
        ManagerSettings(data=Path("data"), site=site).check()
