"""Two sites as real processes: what happens at one is at the other, also after one was away."""

import asyncio
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from telegraph.directory.etcd.calls import COMPACT
from telegraph.directory.etcd.rpc_pb2 import CompactionRequest
from telegraph.manager.cluster.beside import group_beside
from telegraph.testing.groups import ManagerGroup, free_ports
from telegraph.testing.processes import PASSWORD, eventually, telegraph
from telegraph.testing.site_groups import ManagerSites


def call(group: ManagerGroup, path: str, token: str | None = None, **body: object) -> Any:
    """One call to the first manager of a site that runs, as a node would make it; None if it is refused as unknown."""
    context = ssl.create_default_context(cafile=str(group.ca))
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode() if body else None
    url = group.urls[next(iter(group.running))]
    request = urllib.request.Request(url + path, data=data, headers=headers)  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310 - our own
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        if refused.code in (401, 404):
            return None
        raise


def person(group: ManagerGroup, path: str, name: str) -> Any:
    return call(group, path, username=name, password=PASSWORD, ip="127.0.0.1", port=9000)


def is_known(group: ManagerGroup, name: str, token: str) -> bool:
    return call(group, f"/users/{name}", token) is not None


def seconds_until(what: Callable[[], bool], within: float = 15.0) -> float:
    began = time.monotonic()
    eventually(what, within)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagerSites]:
    """Lima, where alice has registered before there was another site, and cusco."""
    with ManagerSites(tmp_path_factory.mktemp("sites"), "lima") as sites:
        person(sites["lima"], "/register", "alice")
        sites.add("cusco")
        yield sites


def test_a_new_site_knows_everybody_before_it_answers_anybody(sites: ManagerSites) -> None:
    assert person(sites["cusco"], "/login", "alice") is not None


def test_accounts_sessions_and_presence_are_at_the_other_site_within_two_seconds(sites: ManagerSites) -> None:
    lima, cusco = sites["lima"], sites["cusco"]
    token = person(lima, "/login", "alice")["token"]  # it is good at cusco too, in a moment
    person(lima, "/register", "bob")
    assert seconds_until(lambda: is_known(cusco, "bob", token)) < 2

    def seen(name: str, status: str) -> bool:
        found = call(cusco, f"/users/{name}", token)
        return found is not None and found["message"]["status"] == status

    assert seconds_until(lambda: seen("alice", "online")) < 2
    call(lima, "/logout", token, why="the night")
    token = person(cusco, "/login", "bob")["token"]
    assert seconds_until(lambda: seen("alice", "offline")) < 2
    sites.agree()


def test_both_sites_say_how_they_fare(sites: ManagerSites) -> None:
    sites.agree()
    found = sites["lima"].say(0, "sites")
    (cusco,) = found["others"]
    assert (found["site"], cusco["site"], cusco["managers"]) == ("lima", "cusco", sites["cusco"].urls)
    assert (cusco["up"], cusco["reachable"], cusco["equal"], cusco["lag"]) == (True, True, True, 0)
    assert sites["cusco"].say(0, "status")["site"] == "cusco"

    def one_hash() -> bool:  # a name that was provisional may have become final in between
        hashes = {sites["cusco"].say(0, "status")["state_hash"], sites["lima"].say(0, "sites")["state_hash"]}
        return len(hashes) == 1

    eventually(one_hash)


def test_a_name_that_a_site_has_is_refused_in_one_sentence(sites: ManagerSites, tmp_path: Path) -> None:
    port = free_ports(4)
    refused = telegraph(
        *(
            "manager",
            "run",
            "--data",
            tmp_path / "new",
            "--port",
            str(port),
            "--udp-port",
            "0",
            "--etcd-port",
            str(port + 1),
        ),
        *("--site", "lima", "--cluster-init", *sites.joining("new")),
    )
    assert (refused.code, refused.err.strip()) == (
        4,
        "telegraph: There is a site called lima already; choose another --site for the new one.",
    )


def test_a_site_that_was_away_catches_up_also_when_what_it_missed_was_compacted(sites: ManagerSites) -> None:
    lima, cusco = sites["lima"], sites["cusco"]
    token = person(lima, "/login", "alice")["token"]
    cusco.kill(0)
    person(lima, "/register", "carol")
    eventually(lambda: not sites.seen("lima").others[0].up)
    assert sites.seen("lima").others[0].since
    asyncio.run(compact(lima.data(0)))
    lima.kill(0)  # which has the last changes in its memory
    lima.start(0)
    person(lima, "/register", "dave")
    cusco.start(0)
    for name in ("carol", "dave"):
        eventually(partial(is_known, cusco, name, token))
    sites.agree()
    assert "site_history_gone" in cusco.running[0].log


async def compact(data: Path) -> None:
    """Etcd forgets all its history."""
    async with group_beside(data) as links:
        head = (await links.directory.scan("account/")).revision
        await links.directory.client.call(COMPACT, CompactionRequest(revision=head, physical=True))


def test_a_third_site_learns_of_all_others_and_they_of_it(sites: ManagerSites) -> None:
    sites.add("puno")
    sites.agree()
    assert {name: [other.site for other in sites.seen(name).others] for name in sites.groups} == {
        "lima": ["cusco", "puno"],
        "cusco": ["lima", "puno"],
        "puno": ["cusco", "lima"],
    }
    token = person(sites["puno"], "/login", "alice")["token"]
    person(sites["puno"], "/register", "erin")
    for name in ("lima", "cusco"):
        assert seconds_until(partial(is_known, sites[name], "erin", token)) < 2


@pytest.mark.long
@pytest.mark.timeout(180)
def test_three_managers_a_site_go_on_hearing_each_other_whichever_one_dies(tmp_path: Path) -> None:
    with ManagerSites(tmp_path, "lima", "cusco", count=3) as sites:
        lima, cusco = sites["lima"], sites["cusco"]
        person(lima, "/register", "alice")
        sites.agree()
        token = person(lima, "/login", "alice")["token"]
        for group in (lima, cusco):
            for number in range(3):
                group.kill(number)
                name = f"u{number}{group.urls[0][-1]}{'ab'[group is cusco]}"
                eventually(partial(went_well, partial(register_again, lima, name)))
                eventually(partial(went_well, partial(is_known, cusco, name, token)))
                group.start(number)
        sites.agree(30)


def register_again(group: ManagerGroup, name: str) -> Any:
    """As a node does it: a call that is repeated finds its own work."""
    body = {"username": name, "password": PASSWORD, "request_id": f"{name:x<16}"}
    return call(group, "/register", **body, ip="127.0.0.1", port=9000)


def went_well(what: Callable[[], Any]) -> bool:
    """Whether something was answered; while a leader is elected it may not be."""
    try:
        return bool(what())
    except urllib.error.HTTPError:
        return False
