"""alice and bob on real processes: a manager, two nodes, the command line, and what a crash leaves."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from telegraph.testing.processes import Finished, RunningProcess, start_manager, start_node, telegraph

PASSWORD = "correct horse battery"


class Organisation:
    """A manager, and nodes by name, each in a directory of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manager = start_manager(root / "manager")
        self.nodes: dict[str, RunningProcess] = {}

    @property
    def url(self) -> str:
        assert self.manager.match is not None
        return self.manager.match["url"]

    def start(self, name: str) -> None:
        self.nodes[name] = start_node(self.root / name, self.url, self.root / "manager" / "ca.pem")

    def say(self, name: str, *words: str) -> Finished:
        return telegraph(*words, "--data", self.root / name, "--format", "json", password=PASSWORD)

    def ask(self, name: str, *words: str) -> Any:
        finished = self.say(name, *words)
        assert finished.code == 0, finished.err
        return finished.json

    def join(self, name: str) -> None:
        self.start(name)
        self.ask(name, "register", name)

    def close(self) -> None:
        for process in (*self.nodes.values(), self.manager):
            process.kill()


@pytest.fixture
def org(tmp_path: Path) -> Iterator[Organisation]:
    organisation = Organisation(tmp_path)
    yield organisation
    organisation.close()


def eventually(what: Callable[[], bool], within: float = 15.0) -> None:
    """Waits until something is so; each look is a real command, which paces the loop."""
    deadline = time.monotonic() + within
    while not what():
        assert time.monotonic() < deadline, "it did not become so in time"


def states(org: Organisation, name: str, other: str) -> list[str]:
    return [message["state"] for message in org.ask(name, "history", other)]


def test_a_message_goes_from_alice_to_bob_and_the_tick_comes_back(org: Organisation) -> None:
    org.join("alice")
    org.join("bob")

    sent = org.ask("alice", "send", "bob", "Hello", "Bob!")

    assert sent["to"] == "bob"
    assert sent["state"] in ("pending", "delivered")
    eventually(lambda: states(org, "alice", "bob") == ["delivered"])
    (received,) = org.ask("bob", "inbox")
    assert (received["id"], received["from"], received["text"]) == (sent["id"], "alice", "Hello Bob!")
    assert org.ask("bob", "read", "alice") == {"marked": 1}
    eventually(lambda: states(org, "alice", "bob") == ["read"])
    assert org.ask("bob", "inbox") == []


def test_a_message_to_somebody_who_is_away_waits_and_goes_out_at_their_return(org: Organisation) -> None:
    org.join("alice")
    org.join("bob")
    org.ask("alice", "send", "bob", "first")
    eventually(lambda: states(org, "alice", "bob") == ["delivered"])
    org.nodes["bob"].kill()

    org.ask("alice", "send", "bob", "are you there?")
    assert states(org, "alice", "bob") == ["delivered", "pending"]

    org.start("bob")
    eventually(lambda: states(org, "alice", "bob") == ["delivered", "delivered"])
    assert [message["text"] for message in org.ask("bob", "history", "alice")] == ["first", "are you there?"]


def test_people_who_know_each_other_chat_on_while_the_manager_is_away(org: Organisation) -> None:
    org.join("alice")
    org.join("bob")
    org.ask("alice", "send", "bob", "we know each other")
    eventually(lambda: states(org, "alice", "bob") == ["delivered"])

    org.manager.kill()

    org.ask("bob", "send", "alice", "who needs managers?")
    eventually(lambda: [message["state"] for message in org.ask("bob", "history", "alice")][-1] == "delivered")
    eventually(lambda: bool(org.ask("alice", "status")["account"] == "offline"))
    refused = org.say("alice", "send", "carol", "hi")
    assert refused.code == 3
    assert "manager" in refused.err


def test_a_session_outlives_the_nodes_and_the_managers_restart(org: Organisation) -> None:
    org.join("alice")
    port = org.url.rsplit(":", 1)[1]
    assert org.nodes["alice"].stop() == 0
    assert org.manager.stop() == 0

    org.manager = start_manager(org.root / "manager", "--port", port)
    org.start("alice")

    eventually(lambda: bool(org.ask("alice", "status")["account"] == "online"))


def test_logging_out_ends_it_at_once_and_logging_in_again_goes_on(org: Organisation) -> None:
    org.join("alice")
    org.join("bob")
    org.ask("bob", "logout")
    assert org.ask("bob", "status")["account"] == "locked"
    assert org.say("bob", "send", "alice", "x").code == 4
    org.ask("alice", "send", "bob", "come back")

    org.ask("bob", "login", "bob")

    eventually(lambda: states(org, "alice", "bob") == ["delivered"])


@pytest.mark.timeout(180)
def test_a_hundred_messages_each_way_survive_a_crash_in_the_middle(org: Organisation) -> None:
    org.join("alice")
    org.join("bob")
    for number in range(3):
        org.ask("alice", "send", "bob", f"a{number}")
    pour(org, "alice", "bob", "a", 3, 50)
    pour(org, "bob", "alice", "b", 0, 50)
    org.nodes["bob"].kill()
    pour(org, "alice", "bob", "a", 50, 100)
    org.start("bob")
    pour(org, "bob", "alice", "b", 50, 100)

    expected_a, expected_b = [f"a{number}" for number in range(100)], [f"b{number}" for number in range(100)]

    def all_there() -> bool:
        return states(org, "alice", "bob") == states(org, "bob", "alice") == ["delivered"] * 200

    eventually(all_there, within=60)
    at_alice = [message["text"] for message in org.ask("alice", "history", "bob")]
    at_bob = [message["text"] for message in org.ask("bob", "history", "alice")]
    assert at_alice == at_bob
    assert [text for text in at_alice if text[0] == "a"] == expected_a
    assert [text for text in at_alice if text[0] == "b"] == expected_b
    assert len({message["id"] for message in org.ask("bob", "history", "alice")}) == 200

    org.ask("bob", "read", "alice")
    org.ask("alice", "read", "bob")
    eventually(lambda: states(org, "alice", "bob") == states(org, "bob", "alice") == ["read"] * 200)


def pour(org: Organisation, sender: str, recipient: str, letter: str, first: int, last: int) -> None:
    """Sends a row of messages through the live conversation's line mode, one a line."""
    lines = "".join(f"{letter}{number}\n" for number in range(first, last))
    finished = telegraph("chat", recipient, "--data", org.root / sender, stdin=lines, password=PASSWORD)
    assert finished.code == 0, finished.err
