"""Names at two sites as real processes: given once while they hear each other, and sorted out after a cut."""

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from telegraph.testing.groups import ManagerGroup
from telegraph.testing.processes import PASSWORD, eventually
from telegraph.testing.site_groups import ManagerSites

Answer = tuple[int, dict[str, Any]]


def call(group: ManagerGroup, path: str, token: str = "", **body: object) -> Answer:
    """One call to the first manager of a site: status and body."""
    data = json.dumps(body).encode() if body else None
    headers = {"Content-Type": "application/json", "Accept-Language": "en", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(group.urls[0] + path, data=data, headers=headers)  # noqa: S310 - our own
    context = ssl.create_default_context(cafile=str(group.ca))
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310 - our own
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def enter(group: ManagerGroup, path: str, name: str, password: str = PASSWORD) -> Answer:
    return call(group, path, username=name, password=password, ip="127.0.0.1", port=9000)


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagerSites]:
    with ManagerSites(tmp_path_factory.mktemp("names"), "lima", "cusco") as sites:
        sites.agree()
        yield sites


def test_a_name_is_final_when_all_sites_have_acknowledged_it_and_then_taken_everywhere(sites: ManagerSites) -> None:
    assert enter(sites["lima"], "/register", "alice")[0] == 201
    token = enter(sites["lima"], "/login", "alice")[1]["token"]  # on a busy machine the other site's word may come late
    eventually(lambda: not call(sites["lima"], "/users/alice", token)[1]["message"]["provisional"], 15)
    status, refused = enter(sites["cusco"], "/register", "ALICE")
    assert (status, refused["error"]) == (409, "name_taken")


def test_of_two_who_race_for_a_name_at_two_sites_exactly_one_gets_it(sites: ManagerSites) -> None:
    both = [sites["lima"], sites["cusco"]]
    with ThreadPoolExecutor(2) as pool:
        for number in range(8):
            answers = list(pool.map(lambda group, name=f"racer{number}": enter(group, "/register", name), both))
            assert sorted(status for status, _ in answers) == [201, 409], answers
    sites.agree()


def test_during_a_cut_a_name_is_provisional_within_three_seconds_and_final_after_the_heal(sites: ManagerSites) -> None:
    sites["cusco"].kill(0)
    began = time.monotonic()
    status, made = enter(sites["lima"], "/register", "carol")
    assert time.monotonic() - began < 3
    assert (status, made["provisional"]) == (201, True)
    token = enter(sites["lima"], "/login", "carol")[1]["token"]
    assert call(sites["lima"], "/users/carol", token)[1]["message"]["provisional"]

    sites["cusco"].start(0)
    eventually(lambda: not call(sites["lima"], "/users/carol", token)[1]["message"]["provisional"], 15)
    sites.agree()


def test_two_who_took_a_name_during_a_cut_keep_their_accounts_and_one_keeps_the_name(sites: ManagerSites) -> None:
    lima, cusco = sites["lima"], sites["cusco"]
    passwords = {"lima": "the one of lima", "cusco": "the one of cusco"}
    cusco.kill(0)
    assert enter(lima, "/register", "dave", passwords["lima"])[1]["provisional"]
    ids = {"lima": enter(lima, "/login", "dave", passwords["lima"])[1]["user_id"]}
    lima.kill(0)
    cusco.start(0)
    assert enter(cusco, "/register", "dave", passwords["cusco"])[1]["provisional"]
    ids["cusco"] = enter(cusco, "/login", "dave", passwords["cusco"])[1]["user_id"]
    lima.start(0)

    eventually(lambda: _names(cusco, ids) == _names(lima, ids), 15)
    sites.agree()
    token = enter(lima, "/login", "alice")[1]["token"]
    found = call(lima, "/users/dave", token)[1]["message"]
    winner, loser = sorted(ids, key=lambda site: ids[site] != found["user_id"])
    eventually(lambda: not call(lima, "/users/dave", token)[1]["message"]["provisional"], 15)
    for group in (lima, cusco):
        status, said = enter(group, "/login", "dave", passwords[loser])
        assert (status, said["error"]) == (409, "renamed")
        assert f"dave~{loser}" in said["message"]
        assert enter(group, "/login", f"dave~{loser}", passwords[loser])[1]["user_id"] == ids[loser]
        assert enter(group, "/login", "dave", passwords[winner])[1]["user_id"] == ids[winner]
        assert enter(group, "/login", "dave", "neither of them")[0] == 401
    (namesake,) = call(cusco, "/users/dave", enter(cusco, "/login", "alice")[1]["token"])[1]["message"]["namesakes"]
    assert (namesake["username"], namesake["user_id"], namesake["site"]) == (f"dave~{loser}", ids[loser], loser)
    sites.agree()


def _names(group: ManagerGroup, ids: dict[str, str]) -> set[tuple[str, str]]:
    """Whom a site knows under the name, once both are there."""
    token = enter(group, "/login", "alice")[1].get("token", "")
    found = call(group, "/users?query=dave", token)[1].get("message", [])
    named = {(user["username"], user["user_id"]) for user in found if isinstance(user, dict)}
    return named if {user_id for _, user_id in named} == set(ids.values()) else {("not yet", str(id(group)))}
