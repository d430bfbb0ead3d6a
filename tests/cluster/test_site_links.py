"""Two sites on hosts of their own, and what a link between them can do: cut, one way only, flapping."""

import time
from collections.abc import Iterator

import pytest
from site_hosts import HEALED_WITHIN, NAMES, Sites

from telegraph.testing.hosts import Network
from telegraph.testing.processes import eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    with Network(*NAMES) as network, Sites(tmp_path_factory.mktemp("sites"), network) as sites:
        sites.agree()
        yield sites


@pytest.mark.parametrize("one_way", [False, True])
def test_both_sites_go_on_while_they_are_cut_off_and_agree_after_the_heal(sites: Sites, one_way: bool) -> None:
    sites.cut(one_way=one_way)
    for name in NAMES:
        eventually(lambda name=name: not sites.seen(name).others[0].up)  # type: ignore[misc]
        sites.register(name, f"{name}{'ab'[one_way]}")
        assert sites.seen(name).others[0].since
    assert not sites.seen("lima").equal
    sites.network.heal()
    sites.agree(HEALED_WITHIN)


def test_a_link_that_flaps_is_no_cut_and_loses_nothing(sites: Sites) -> None:
    sites.agree()
    before = sites.seen("cusco").others[0].since
    for number in range(20):
        sites.cut(one_way=bool(number % 2))
        time.sleep(0.2)
        sites.network.heal()
        time.sleep(0.5)
        if number % 5 == 0:
            sites.register("lima", f"flap{number}")
    sites.agree(HEALED_WITHIN)
    assert sites.seen("cusco").others[0].since == before
