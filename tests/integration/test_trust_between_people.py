"""alice and bob on real processes: they compare numbers, bob moves to a new device, mallory is blocked."""

import pytest

from telegraph.testing.processes import PASSWORD, RealTelegraph, telegraph


def number(org: RealTelegraph, name: str, other: str) -> str:
    found: str = org.ask(name, "safety-number", other)["number"]
    return found


def move_to_a_new_device(org: RealTelegraph, name: str) -> str:
    """Somebody logs in from another data directory: the name of that node."""
    org.nodes[name].kill()
    device = f"{name}-new"
    org.start(device)
    org.ask(device, "login", name)
    return device


def texts(org: RealTelegraph, name: str, other: str) -> list[str]:
    return [message["text"] or message["kind"] for message in org.ask(name, "history", other)]


def conversation(org: RealTelegraph, name: str, other: str) -> dict[str, object]:
    (found,) = (each for each in org.get(name, "/conversations")["conversations"] if each["user"] == other)
    return dict(found)


@pytest.fixture
def friends(org: RealTelegraph) -> RealTelegraph:
    org.join("alice")
    org.join("bob")
    org.ask("alice", "send", "bob", "hello")
    org.eventually(lambda: org.states("alice", "bob") == ["delivered"])
    return org


def test_both_see_the_same_number_and_mark_each_other(friends: RealTelegraph) -> None:
    org = friends
    assert number(org, "alice", "bob") == number(org, "bob", "alice")

    by_voice = org.ask("alice", "verify", "bob", *number(org, "bob", "alice").split())
    by_code = org.ask("bob", "verify", "alice", org.ask("alice", "safety-number", "bob")["scan"])
    wrong = org.say("bob", "verify", "alice", "1" * 60)

    assert by_voice["verified"]
    assert by_code["verified"]
    assert wrong.code == 4
    drawn = telegraph("safety-number", "bob", "--qr", "--data", org.root / "alice", password=PASSWORD)
    assert "(verified)" in drawn.out
    assert "▀" in drawn.out


def test_a_new_device_of_one_who_was_not_verified_is_said_and_messages_go_on(friends: RealTelegraph) -> None:
    org = friends
    device = move_to_a_new_device(org, "bob")

    org.ask("alice", "send", "bob", "are you there?")

    org.eventually(lambda: texts(org, device, "alice") == ["are you there?"])
    assert texts(org, "alice", "bob") == ["hello", "key_changed", "are you there?"]
    assert conversation(org, "alice", "bob")["key_changed"]
    assert org.ask("alice", "inbox") == []
    assert not org.ask("alice", "trust", "bob")["key_changed"]


def test_messages_to_a_new_device_of_one_who_was_verified_wait_for_the_users_word(friends: RealTelegraph) -> None:
    org = friends
    org.ask("alice", "verify", "bob", number(org, "bob", "alice"))
    device = move_to_a_new_device(org, "bob")

    sent = org.ask(device, "send", "alice", "a new phone!")
    org.eventually(lambda: texts(org, "alice", "bob") == ["hello", "key_changed"])
    org.ask("alice", "send", "bob", "is it you?")

    shown = conversation(org, "alice", "bob")
    assert (shown["waits"], shown["pending"], shown["verified"]) == ("key_changed", 1, True)
    assert org.ask("alice", "history", "bob")[-1]["waits"] == "key_changed"
    assert org.states(device, "alice") == ["pending"]
    assert org.say("alice", "verify", "bob", "--without-number").code == 4
    org.nodes["alice"].kill()
    org.start("alice")
    org.ask("alice", "login", "alice")

    said = org.ask("alice", "trust", "bob")

    assert (said["waits"], said["verified"]) == (None, False)
    org.eventually(lambda: sorted(texts(org, device, "alice")) == ["a new phone!", "is it you?"])
    org.eventually(lambda: [message["id"] for message in org.ask("alice", "inbox")] == [sent["id"]])
    assert number(org, "alice", "bob") == number(org, device, "alice")


def test_who_is_blocked_is_not_heard_until_they_are_unblocked(friends: RealTelegraph) -> None:
    org = friends
    org.ask("alice", "block", "bob")

    org.ask("bob", "send", "alice", "one")
    org.ask("alice", "send", "bob", "mine waits")
    org.join("carol")
    org.ask("bob", "send", "carol", "whom alice would have heard by now")
    org.eventually(lambda: org.states("bob", "carol") == ["delivered"])

    assert texts(org, "alice", "bob") == ["hello", "mine waits"]
    assert org.states("bob", "alice")[-1] == "pending"
    assert org.states("alice", "bob")[-1] == "pending"
    shown = conversation(org, "alice", "bob")
    assert (shown["waits"], shown["blocked"], shown["status"]) == ("blocked", True, "offline")
    assert [person["user"] for person in org.ask("alice", "blocked")] == ["bob"]
    assert "bob" not in [person["username"] for person in org.ask("alice", "people")]

    org.ask("alice", "unblock", "bob")

    org.eventually(lambda: org.states("bob", "alice")[-1] == "delivered" == org.states("alice", "bob")[-1])
    org.eventually(lambda: sorted(texts(org, "alice", "bob")) == ["hello", "mine waits", "one"])
    org.eventually(lambda: sorted(texts(org, "bob", "alice")) == ["hello", "mine waits", "one"])


def test_somebody_is_blocked_by_name_before_any_word(org: RealTelegraph) -> None:
    org.join("alice")
    org.join("mallory")
    org.ask("alice", "block", "Mallory")

    org.ask("mallory", "send", "alice", "let me in")
    org.ask("alice", "block", "mallory")

    assert org.say("alice", "block", "nobody-at-all").code == 4
    assert org.get("alice", "/conversations") == {"conversations": []}
    assert org.states("mallory", "alice") == ["pending"]
    org.ask("alice", "unblock", "mallory")
    org.eventually(lambda: texts(org, "alice", "mallory") == ["let me in"])
