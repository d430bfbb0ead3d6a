"""How many managers where: the report's N(2K-1)."""

import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from telegraph.cli.main import telegraph
from telegraph.errors import BadInput
from telegraph.manager.sites.planning import MOST_SITES, MOST_TOLERANCE, plan


def test_two_sites_of_the_report_need_six_managers() -> None:
    found = plan(sites=2, tolerance=2)
    assert (found.managers, found.per_site) == (6, 3)
    assert (found.failures_per_site, found.quorum_per_site, found.failures_in_all) == (1, 2, 2)


@given(st.integers(1, MOST_SITES), st.integers(1, MOST_TOLERANCE))
def test_every_site_keeps_its_majority_after_its_share_of_failures_and_not_after_one_more(sites: int, k: int) -> None:
    found = plan(sites, k)
    left = found.per_site - found.failures_per_site
    assert left == found.quorum_per_site > found.per_site // 2 >= left - 1
    assert found.managers == sites * (2 * k - 1)
    assert found.failures_in_all == sites * found.failures_per_site


@pytest.mark.parametrize(
    ("sites", "tolerance"), [(0, 2), (-1, 2), (MOST_SITES + 1, 2), (2, 0), (2, MOST_TOLERANCE + 1)]
)
def test_plans_that_cannot_be(sites: int, tolerance: int) -> None:
    with pytest.raises(BadInput):
        plan(sites, tolerance)


def test_the_command_prints_json() -> None:
    done = CliRunner().invoke(telegraph, ["plan", "--sites", "3", "--tolerance", "2", "--format", "json"])
    assert json.loads(done.output) == {
        "sites": 3,
        "tolerance": 2,
        "per_site": 3,
        "managers": 9,
        "quorum_per_site": 2,
        "failures_per_site": 1,
        "failures_in_all": 3,
        "links": 6,
    }


@pytest.mark.parametrize(
    ("sites", "first"),
    [("1", "1 manager: 1 at each of 1 site"), ("2", "2 managers: 1 at each of 2 sites")],
)
def test_the_command_speaks_to_people(sites: str, first: str) -> None:
    done = CliRunner().invoke(telegraph, ["plan", "--sites", sites, "--tolerance", "1"])
    assert done.output.splitlines()[0] == first
    assert ("link" in done.output) is (sites != "1")
