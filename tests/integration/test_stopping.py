"""SIGTERM on real processes: offline at once, all on disk, exit code 0, whoever else hangs."""

import signal
import time
from typing import Any

import pytest

from telegraph.testing.processes import RealTelegraph

OFFLINE_WITHIN = 2.0
ENDED_WITHIN = 6.0


def status_of_bob(org: RealTelegraph) -> str:
    found: list[dict[str, Any]] = org.get("alice", "/people?query=bob")["people"]
    return str(found[0]["status"])


def term(org: RealTelegraph, name: str, number: signal.Signals = signal.SIGTERM) -> float:
    org.nodes[name].signal(number)
    return time.monotonic()


@pytest.fixture
def friends(org: RealTelegraph) -> RealTelegraph:
    org.join("alice")
    org.join("bob")
    org.post("alice", "/messages", to="bob", text="hello")
    org.eventually(lambda: bool(org.get("alice", "/status")["pending"] == 0))
    assert status_of_bob(org) == "online"
    return org


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_node_that_is_told_to_stop_is_offline_within_two_seconds(
    friends: RealTelegraph, number: signal.Signals
) -> None:
    since = term(friends, "bob", number)
    friends.eventually(lambda: status_of_bob(friends) == "offline")
    assert time.monotonic() - since < OFFLINE_WITHIN

    assert friends.nodes["bob"].process.wait(ENDED_WITHIN) == 0
    assert time.monotonic() - since < ENDED_WITHIN


def test_what_was_acknowledged_a_moment_before_is_on_disk(friends: RealTelegraph) -> None:
    for number in range(50):
        friends.post("bob", "/messages", to="alice", text=f"last words {number}")
    assert friends.nodes["bob"].stop() == 0

    friends.start("bob")

    texts = [message["text"] for message in friends.ask("bob", "history", "alice", "--limit", "100")]
    assert texts == ["hello", *[f"last words {number}" for number in range(50)]]


@pytest.mark.parametrize("hung", ["alice", "manager"])
def test_one_who_hangs_does_not_keep_a_node_from_stopping(friends: RealTelegraph, hung: str) -> None:
    stopped = friends.manager if hung == "manager" else friends.nodes["alice"]
    stopped.signal(signal.SIGSTOP)
    try:
        since = term(friends, "bob")
        assert friends.nodes["bob"].process.wait(ENDED_WITHIN) == 0
    finally:
        stopped.signal(signal.SIGCONT)
    if hung == "alice":
        friends.eventually(lambda: status_of_bob(friends) == "offline")
    assert time.monotonic() - since < ENDED_WITHIN


def test_a_second_signal_ends_it_at_once(friends: RealTelegraph) -> None:
    friends.manager.signal(signal.SIGSTOP)
    try:
        term(friends, "bob")
        time.sleep(0.1)  # two signals at one moment would be one
        since = term(friends, "bob")
        assert friends.nodes["bob"].process.wait(ENDED_WITHIN) in (0, 128 + signal.SIGTERM)
        assert time.monotonic() - since < 0.5
    finally:
        friends.manager.signal(signal.SIGCONT)
    friends.nodes["bob"].kill()
    friends.start("bob")
    assert [message["text"] for message in friends.ask("bob", "history", "alice")] == ["hello"]
