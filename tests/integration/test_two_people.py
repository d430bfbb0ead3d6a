"""alice and bob on real processes: a manager, two nodes, the command line, and what a crash leaves."""

import time

import pytest

from telegraph.testing.processes import RealTelegraph, start_manager


def test_a_message_goes_from_alice_to_bob_and_the_tick_comes_back(org: RealTelegraph) -> None:
    org.join("alice")
    org.join("bob")

    sent = org.ask("alice", "send", "bob", "Hello", "Bob!")

    assert sent["to"] == "bob"
    assert sent["state"] in ("pending", "delivered")
    org.eventually(lambda: org.states("alice", "bob") == ["delivered"])
    (received,) = org.ask("bob", "inbox")
    assert (received["id"], received["from"], received["text"]) == (sent["id"], "alice", "Hello Bob!")
    assert org.ask("bob", "read", "alice") == {"marked": 1}
    org.eventually(lambda: org.states("alice", "bob") == ["read"])
    assert org.ask("bob", "inbox") == []


def test_a_message_to_somebody_who_is_away_waits_and_goes_out_at_their_return(org: RealTelegraph) -> None:
    org.join("alice")
    org.join("bob")
    org.ask("alice", "send", "bob", "first")
    org.eventually(lambda: org.states("alice", "bob") == ["delivered"])
    org.nodes["bob"].kill()

    org.ask("alice", "send", "bob", "are you there?")
    assert org.states("alice", "bob") == ["delivered", "pending"]

    org.start("bob")
    org.eventually(lambda: org.states("alice", "bob") == ["delivered", "delivered"])
    assert [message["text"] for message in org.ask("bob", "history", "alice")] == ["first", "are you there?"]


@pytest.mark.parametrize("crash", [True, False])
def test_what_waits_goes_out_within_a_second_of_their_return(org: RealTelegraph, crash: bool) -> None:
    """The manager does not know yet that bob crashed: his return is news by his new address, not by his status."""
    org.join("alice")
    org.join("bob")
    org.post("alice", "/messages", to="bob", text="first")
    org.eventually(lambda: org.get("alice", "/status")["pending"] == 0)
    if crash:
        org.nodes["bob"].kill()
    else:
        assert org.nodes["bob"].stop() == 0
    for number in range(20):
        org.post("alice", "/messages", to="bob", text=f"while you were away {number}")

    org.start("bob")
    returned = time.monotonic()
    org.eventually(lambda: org.get("alice", "/status")["pending"] == 0)

    assert time.monotonic() - returned < 1.0
    assert len(org.get("bob", "/conversations/alice/messages")["messages"]) == 21


def test_people_who_know_each_other_chat_on_while_the_manager_is_away(org: RealTelegraph) -> None:
    org.join("alice")
    org.join("bob")
    org.ask("alice", "send", "bob", "we know each other")
    org.eventually(lambda: org.states("alice", "bob") == ["delivered"])

    org.manager.kill()

    org.ask("bob", "send", "alice", "who needs managers?")
    org.eventually(lambda: [message["state"] for message in org.ask("bob", "history", "alice")][-1] == "delivered")
    org.eventually(lambda: bool(org.ask("alice", "status")["account"] == "offline"))
    refused = org.say("alice", "send", "carol", "hi")
    assert refused.code == 3
    assert "manager" in refused.err


def test_a_session_outlives_the_nodes_and_the_managers_restart(org: RealTelegraph) -> None:
    org.join("alice")
    port = org.url.rsplit(":", 1)[1]
    assert org.nodes["alice"].stop() == 0
    assert org.manager.stop() == 0

    org.manager = start_manager(org.root / "manager", "--port", port)
    org.start("alice")

    org.eventually(lambda: bool(org.ask("alice", "status")["account"] == "online"))


def test_logging_out_ends_it_at_once_and_logging_in_again_goes_on(org: RealTelegraph) -> None:
    org.join("alice")
    org.join("bob")
    org.ask("bob", "logout")
    assert org.ask("bob", "status")["account"] == "locked"
    assert org.say("bob", "send", "alice", "x").code == 4
    org.ask("alice", "send", "bob", "come back")

    org.ask("bob", "login", "bob")

    org.eventually(lambda: org.states("alice", "bob") == ["delivered"])


@pytest.mark.timeout(180)
def test_a_hundred_messages_each_way_survive_a_crash_in_the_middle(org: RealTelegraph) -> None:
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
        return org.states("alice", "bob") == org.states("bob", "alice") == ["delivered"] * 200

    org.eventually(all_there, within=60)
    at_alice = [message["text"] for message in org.ask("alice", "history", "bob")]
    at_bob = [message["text"] for message in org.ask("bob", "history", "alice")]
    assert at_alice == at_bob
    assert [text for text in at_alice if text[0] == "a"] == expected_a
    assert [text for text in at_alice if text[0] == "b"] == expected_b
    assert len({message["id"] for message in org.ask("bob", "history", "alice")}) == 200

    org.ask("bob", "read", "alice")
    org.ask("alice", "read", "bob")
    org.eventually(lambda: org.states("alice", "bob") == org.states("bob", "alice") == ["read"] * 200)


def pour(org: RealTelegraph, sender: str, recipient: str, letter: str, first: int, last: int) -> None:
    """Sends a row of messages by the local API, one call each."""
    for number in range(first, last):
        org.post(sender, "/messages", to=recipient, text=f"{letter}{number}")
