"""What people change their minds about, on real processes: cancelled, tried again, expired, whatever crashes."""

from typing import Any

import pytest

from telegraph.testing.processes import RealTelegraph


@pytest.fixture
def friends(org: RealTelegraph) -> RealTelegraph:
    """Alice and bob, who have talked; bob is away."""
    org.join("alice")
    org.join("bob")
    org.post("alice", "/messages", to="bob", text="first")
    org.eventually(lambda: org.get("alice", "/status")["pending"] == 0)
    org.nodes["bob"].kill()
    return org


def texts(org: RealTelegraph, name: str, other: str) -> list[str]:
    return [message["text"] for message in messages(org, name, other)]


def messages(org: RealTelegraph, name: str, other: str) -> list[Any]:
    found: list[Any] = org.get(name, f"/conversations/{other}/messages")["messages"]
    return found


def test_what_is_cancelled_while_bob_is_away_never_reaches_him_and_can_be_sent_after_all(
    friends: RealTelegraph,
) -> None:
    org = friends
    kept, regretted = (org.ask("alice", "send", "bob", text) for text in ("kept", "regretted"))
    assert org.ask("alice", "cancel", regretted["id"])["state"] == "cancelled"
    org.nodes["alice"].kill()  # the void is on disk
    org.start("alice")

    org.start("bob")
    org.eventually(lambda: texts(org, "bob", "alice") == ["first", "kept"])
    org.eventually(lambda: org.states("alice", "bob") == ["delivered", "delivered", "cancelled"])
    assert org.say("alice", "cancel", kept["id"]).code == 4

    assert org.ask("alice", "retry", regretted["id"])["state"] in ("pending", "delivered")
    org.eventually(lambda: texts(org, "bob", "alice") == ["first", "kept", "regretted"])
    assert messages(org, "bob", "alice")[-1]["id"] == regretted["id"]
    assert texts(org, "alice", "bob") == ["first", "kept", "regretted"]


def test_what_was_written_is_found_within_a_second_also_after_a_crash(friends: RealTelegraph) -> None:
    org = friends
    org.ask("alice", "send", "bob", "the train leaves at eight")
    org.eventually(lambda: bool(org.ask("alice", "search", "trai")), within=2)
    org.ask("alice", "send", "bob", "another train")
    org.nodes["alice"].kill()
    org.start("alice")

    org.eventually(lambda: len(org.ask("alice", "search", "TRAIN", "--with", "bob")) == 2)
    assert [found["text"] for found in org.ask("alice", "search", "train")] == [
        "another train",
        "the train leaves at eight",
    ]
    assert org.ask("alice", "search", '"*', "OR", "text:") == []


def test_a_message_to_oneself_is_there_and_read_at_once(org: RealTelegraph) -> None:
    org.join("alice")
    sent = org.ask("alice", "send", "Alice", "buy milk")

    assert (sent["state"], sent["from"], sent["to"]) == ("read", "alice", "alice")
    assert texts(org, "alice", "alice") == ["buy milk"]
    assert org.ask("alice", "inbox") == []
    org.eventually(lambda: len(org.ask("alice", "search", "milk", "--with", "alice")) == 1)
    assert org.ask("alice", "delete", "--conversation", "alice") == {"deleted": 1}


def test_a_deleted_conversation_stays_deleted_and_nothing_is_sent_twice(friends: RealTelegraph) -> None:
    org = friends
    org.ask("alice", "send", "bob", "never sent")
    assert org.ask("alice", "delete", "--conversation", "bob") == {"deleted": 2}
    assert org.ask("alice", "search", "first") == []
    org.nodes["alice"].kill()
    org.start("alice")

    org.start("bob")
    org.ask("alice", "send", "bob", "a new beginning")
    org.eventually(lambda: texts(org, "bob", "alice") == ["first", "a new beginning"])
    org.ask("bob", "send", "alice", "hello again")
    org.eventually(lambda: texts(org, "alice", "bob") == ["a new beginning", "hello again"])
    assert org.ask("bob", "delete", messages(org, "bob", "alice")[0]["id"])["status"] == 200
    assert texts(org, "bob", "alice") == ["a new beginning", "hello again"]


def test_a_message_with_a_time_limit_fails_when_bob_stays_away_also_after_a_crash(friends: RealTelegraph) -> None:
    org = friends
    org.ask("alice", "send", "bob", "lunch?", "--expires-in", "4")
    org.ask("alice", "send", "bob", "whenever")
    org.nodes["alice"].kill()
    org.start("alice")

    org.eventually(lambda: org.states("alice", "bob") == ["delivered", "failed", "pending"])

    assert messages(org, "alice", "bob")[1]["reason"] == "expired"
    org.start("bob")
    org.eventually(lambda: texts(org, "bob", "alice") == ["first", "whenever"])
