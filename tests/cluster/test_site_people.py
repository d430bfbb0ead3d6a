"""The report's case: the link between two sites breaks, people on both sides go on, and the heal hurts nobody."""

from collections.abc import Iterator

import pytest
from site_hosts import HEALED_WITHIN, NAMES, Sites

from telegraph.testing.hosts import Network
from telegraph.testing.processes import eventually

pytestmark = pytest.mark.timeout(180)

WORDS = {"lima": "password of lima", "cusco": "password of cusco"}


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """Alice and ana at lima, bob at cusco; alice and bob have written to each other."""
    with Network(*NAMES) as network, Sites(tmp_path_factory.mktemp("people"), network) as sites:
        sites.agree()
        for name, site in (("alice", "lima"), ("ana", "lima"), ("bob", "cusco")):
            sites.join(name, site)
        eventually(lambda: "bob" in {person["username"] for person in sites.ask("alice", "people")})
        sites.ask("alice", "send", "bob", "before the cut")
        eventually(lambda: sites.states("alice", "bob") == ["delivered"])
        yield sites


def test_both_sides_go_on_during_a_cut_and_the_heal_loses_no_account_and_no_message(sites: Sites) -> None:
    sites.cut()
    eventually(lambda: not any(site["up"] for site in sites.ask("alice", "status")["sites"]))
    sites.ask("alice", "send", "ana", "here all goes on")
    eventually(lambda: sites.states("alice", "ana") == ["delivered"])
    sites.ask("alice", "send", "bob", "when we meet again")
    made = {site: sites.register(site, "dora", WORDS[site]) for site in NAMES}
    assert all(each["provisional"] for each in made.values())
    sites.register("cusco", "emil")
    assert sites.states("alice", "bob") == ["delivered", "pending"]

    sites.network.heal()
    sites.agree(HEALED_WITHIN)
    eventually(lambda: sites.states("alice", "bob") == ["delivered", "delivered"])
    assert [message["text"] for message in sites.ask("bob", "history", "alice")] == [
        "before the cut",
        "when we meet again",
    ]
    names = {site: _logged_in_as(sites, "cusco", WORDS[site]) for site in NAMES}
    winner = next(site for site in NAMES if names[site] == ("dora", made[site]["user_id"]))
    (loser,) = set(NAMES) - {winner}
    assert names[loser] == (f"dora~{loser}", made[loser]["user_id"])
    assert "emil" in {person["username"] for person in sites.ask("alice", "people", "em")}


def _logged_in_as(sites: Sites, site: str, password: str) -> tuple[str, str]:
    """Under which name somebody gets in who asks by dora, and follows what is said."""
    for name in ("dora", *(f"dora~{each}" for each in NAMES)):
        status, said = sites.call(site, "/login", username=name, password=password, ip="127.0.0.1", port=9000)
        if status == 200:
            return said["username"], said["user_id"]
        assert said["error"] in ("renamed", "wrong_credentials")
    raise AssertionError(password)


def test_a_node_goes_to_the_other_site_when_its_own_is_gone_without_logging_in_again(sites: Sites) -> None:
    sites.agree()
    sites["lima"].kill(0)
    eventually(lambda: _at(sites, "ana") == ("online", "cusco"), 20)
    sites.ask("bob", "send", "ana", "are you still there?")
    eventually(lambda: sites.states("bob", "ana") == ["delivered"])
    sites["lima"].start(0)
    eventually(lambda: _at(sites, "ana") == ("online", "lima"), 30)


def _at(sites: Sites, name: str) -> tuple[str, str]:
    status = sites.ask(name, "status")
    return status["account"], status["site"]
