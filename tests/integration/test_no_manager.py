"""alice and bob on real processes, with every manager stopped."""

import socket
from pathlib import Path

import pytest

from telegraph.testing.processes import RealTelegraph, start_node


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def peer_port(org: RealTelegraph, name: str) -> int:
    return int((org.root / name / "peer-port").read_text())


def start_at(org: RealTelegraph, name: str, *options: str) -> None:
    ca: Path = org.root / "manager" / "ca.pem"
    org.nodes[name] = start_node(org.root / name, org.url, ca, *options)


def all_delivered(org: RealTelegraph) -> bool:
    states = org.states("alice", "bob") + org.states("bob", "alice")
    return set(states) == {"delivered"}


@pytest.fixture
def friends(org: RealTelegraph) -> RealTelegraph:
    """Alice and bob know each other; then the manager is killed, and both nodes stop."""
    org.join("alice")
    org.join("bob")
    org.ask("alice", "send", "bob", "we know each other")
    org.eventually(lambda: org.states("alice", "bob") == ["delivered"])
    org.manager.kill()
    for node in org.nodes.values():
        node.stop()
    return org


def test_they_chat_on_after_both_nodes_restarted(friends: RealTelegraph) -> None:
    ports = {name: peer_port(friends, name) for name in friends.nodes}
    friends.start("alice")
    friends.start("bob")
    assert {name: peer_port(friends, name) for name in friends.nodes} == ports

    friends.ask("alice", "send", "bob", "still here?")
    friends.ask("bob", "send", "alice", "who needs managers?")

    friends.eventually(lambda: all_delivered(friends))


@pytest.mark.parametrize("first", ["alice", "bob"])
def test_they_chat_on_though_bob_is_on_another_port(friends: RealTelegraph, first: str) -> None:
    """Alice has nothing from bob, so it is he who has to tell her; whichever of them starts first."""
    moved = free_port()
    for name in dict.fromkeys((first, "alice", "bob")):
        start_at(friends, name, *(("--peer-port", str(moved)) if name == "bob" else ()))
    assert peer_port(friends, "bob") == moved

    friends.ask("alice", "send", "bob", "where are you?")
    friends.eventually(lambda: all_delivered(friends))
    friends.ask("bob", "send", "alice", "here")
    friends.eventually(lambda: all_delivered(friends))
    friends.nodes["bob"].stop()
    start_at(friends, "bob", "--peer-port", str(free_port()))
    friends.ask("bob", "send", "alice", "moved again")
    friends.eventually(lambda: all_delivered(friends))
