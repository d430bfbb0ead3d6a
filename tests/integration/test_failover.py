"""alice and bob on three real managers, while those are killed, frozen and without a quorum."""

import json
import signal
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from telegraph.testing.groups import ManagerGroup
from telegraph.testing.processes import PASSWORD, RealTelegraph, start_node


class Town(RealTelegraph):
    """People's nodes on a group of managers. Each is given one manager only, and learns of the others."""

    def __init__(self, root: Path, group: ManagerGroup) -> None:
        self.root, self.group = root, group
        self.nodes = {}

    def move_in(self, name: str, number: int) -> None:
        """Somebody registers by way of one manager."""
        self.nodes[name] = start_node(self.root / name, self.group.urls[number], self.group.ca)
        self.post(name, "/account", username=name, password=PASSWORD)

    def close(self) -> None:
        for process in self.nodes.values():
            process.kill()

    def attached(self, name: str) -> int | None:
        """The number of the manager that somebody's node is attached to; None while it is to none."""
        managers = self.get(name, "/status")["managers"]
        return next((self.group.urls.index(each["url"]) for each in managers if each["current"]), None)

    def known(self, name: str) -> set[str]:
        """The managers that a node knows."""
        return {manager["url"] for manager in self.get(name, "/status")["managers"]}

    def look_up(self, name: str, whom: str) -> float:
        """A look-up by way of somebody's node, which must succeed: the seconds that it took."""
        begun = time.monotonic()
        people = self.get(name, f"/people?query={whom}")["people"]
        assert [person["username"] for person in people] == [whom]
        return time.monotonic() - begun

    def say_hello(self, text: str) -> None:
        """Alice and bob write to each other, and both are read on the other's machine."""
        for one, other in (("alice", "bob"), ("bob", "alice")):
            self.post(one, "/messages", to=other, text=text)
        self.eventually(lambda: all(text in self._texts(*pair) for pair in (("alice", "bob"), ("bob", "alice"))))

    def _texts(self, name: str, other: str) -> list[str]:
        page = self.get(name, f"/conversations/{other}/messages")
        return [message["text"] for message in page["messages"] if not message["mine"]]


@contextmanager
def watching(town: Town, name: str) -> Iterator[list[tuple[str, str]]]:
    """What somebody's node shows of others' comings and goings, all of it once this ends."""
    seen: list[tuple[str, str]] = []

    def read(stream: ClientConnection) -> None:
        for text in stream:  # until it is closed
            event = json.loads(text)
            if event["type"] == "presence":
                seen.append((event["user"], event["status"]))

    url = town.api(name).replace("http", "ws", 1) + "/api/v1/events"
    with connect(url, additional_headers={"Authorization": f"Bearer {town.token(name)}"}) as stream:
        reader = threading.Thread(target=read, args=(stream,))
        reader.start()
        yield seen
    reader.join()


SOON = 1.5
"""Seconds for a look-up; the promise is one second, but other tests may run beside."""

Outcome = tuple[int, Any, float]
"""Status, answer and the seconds that it took."""


def ask(group: ManagerGroup, number: int, path: str, token: str | None = None, **body: object) -> Outcome:
    """One call to one manager."""
    headers = {"Content-Type": "application/json", "Accept-Language": "en"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(  # noqa: S310 - our own
        group.urls[number] + path, data=json.dumps(body).encode() if body else None, headers=headers
    )
    begun = time.monotonic()
    try:
        context = ssl.create_default_context(cafile=str(group.ca))
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310 - our own
            return answer.status, json.load(answer), time.monotonic() - begun
    except urllib.error.HTTPError as refusal:
        told = {"retry_after": refusal.headers["Retry-After"], **json.load(refusal)}
        return refusal.code, told, time.monotonic() - begun


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    root = tmp_path_factory.mktemp("town")
    with ManagerGroup(root) as group:
        made = Town(root, group)
        try:
            made.move_in("alice", 0)
            made.move_in("bob", 1)
            made.say_hello("we know each other")
            made.eventually(lambda: made.known("alice") == made.known("bob") == set(group.urls))
            yield made
        finally:
            made.close()


def all_is_well(town: Town) -> None:
    town.group.start_all()
    town.eventually(lambda: None not in (town.attached("alice"), town.attached("bob")), within=20)


@pytest.mark.parametrize("harm", ["kill", "freeze"])
def test_when_her_manager_is_gone_alice_looks_up_stays_online_and_chats(town: Town, harm: str) -> None:
    all_is_well(town)
    hers = town.attached("alice")
    assert hers is not None
    with watching(town, "bob") as seen:
        if harm == "kill":
            town.group.kill(hers)
        else:
            town.group.running[hers].signal(signal.SIGSTOP)
        begun, took = time.monotonic(), []
        while town.attached("alice") in (None, hers):
            took.append(town.look_up("alice", "bob"))
            assert time.monotonic() - begun < 8
        took += [town.look_up("alice", "bob") for _ in range(5)]
        assert max(took) < SOON, took
        town.say_hello(f"after {harm}")
        if harm == "freeze":
            town.group.running[hers].signal(signal.SIGCONT)
    assert ("alice", "offline") not in seen


def test_with_one_manager_of_three_what_is_known_is_told_and_the_rest_refused_soon(town: Town) -> None:
    all_is_well(town)
    group, left = town.group, 2
    mine: dict[str, Any] = {"username": "eve", "password": PASSWORD, "ip": "127.0.0.1", "port": 9}
    ask(group, left, "/register", **mine)
    token = ask(group, left, "/login", **mine)[1]["token"]
    group.kill(0, 1)

    status, answer, seconds = ask(group, left, "/users/bob", token)
    assert (status, answer["message"]["username"], answer["message"]["stale"]) == (200, "bob", True)
    assert seconds < 1.5
    status, answer, seconds = ask(group, left, "/login", username="bob", password=PASSWORD, ip="127.0.0.1", port=9)
    assert (status, answer["error"]) == (503, "no_quorum")
    assert seconds < 2
    status, answer, seconds = ask(group, left, "/register", username="mia", password=PASSWORD, ip="127.0.0.1", port=9)
    assert (status, answer["retry_after"]) == (503, "1")
    assert seconds < 2
    assert ask(group, left, "/livez")[0] == 200
    assert ask(group, left, "/readyz")[0] == 503
    assert max(town.look_up("alice", "bob") for _ in range(5)) < 1.5
    town.say_hello("without a quorum")
    assert "managers" in _refusal(town)

    all_is_well(town)
    town.eventually(lambda: ask(group, left, "/users/bob", token)[1]["message"]["stale"] is False)
    town.say_hello("all is well")


def _refusal(town: Town) -> str:
    """What somebody new is told who wants to register now, within two seconds of their node's start."""
    town.nodes["carol"] = start_node(town.root / "carol", town.group.urls[2], town.group.ca)
    begun = time.monotonic()
    with pytest.raises(urllib.error.HTTPError) as refusal:
        town.post("carol", "/account", username="carol", password=PASSWORD)
    assert time.monotonic() - begun < 2
    assert refusal.value.code == 503
    return str(json.load(refusal.value)["message"])
