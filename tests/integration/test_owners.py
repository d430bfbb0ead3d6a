"""What owners do with their accounts, on real processes: sessions, last seen, deletion."""

import ssl

import httpx

from telegraph.testing.processes import PASSWORD, RealTelegraph, telegraph


def account_of(org: RealTelegraph, name: str) -> str:
    return str(org.ask(name, "status")["account"])


def conversation_with(org: RealTelegraph, name: str, other: str) -> dict[str, object]:
    found = org.get(name, "/conversations")["conversations"]
    return next(dict(each) for each in found if each["user"] == other)


def test_a_person_lists_their_sessions_and_ends_them(org: RealTelegraph) -> None:
    org.join("alice")
    (session,) = org.ask("alice", "sessions")
    assert (session["kind"], session["current"], len(session["key"])) == ("device", True, 64)
    assert org.say("alice", "sessions", "end", "0123456789abcdef").code == 4
    org.ask("alice", "sessions", "end", session["id"])
    org.eventually(lambda: account_of(org, "alice") == "ended")
    assert not org.ask("alice", "login", "alice")["moved"]  # one's own is a log-out, which gives no key up
    (again,) = org.ask("alice", "sessions")
    assert (again["key"], again["id"] != session["id"]) == (session["key"], True)


def test_last_seen_is_hidden_from_others_and_shown_again(org: RealTelegraph) -> None:
    org.join("alice")
    org.join("bob")
    org.ask("bob", "send", "alice", "hello")
    assert org.ask("alice", "settings") == {"read_receipts": True, "last_seen": True}
    assert not org.ask("alice", "settings", "--last-seen", "off")["last_seen"]
    (alice,) = org.ask("bob", "people", "alice")
    assert (alice["status"], alice["last_seen"]) == ("online", None)
    org.nodes["alice"].stop()
    org.eventually(lambda: org.ask("bob", "people", "alice")[0]["status"] == "offline")
    assert org.ask("bob", "people", "alice")[0]["last_seen"] is None
    org.start("alice")
    assert org.ask("alice", "settings", "--last-seen", "on")["last_seen"]
    assert org.ask("bob", "people", "alice")[0]["last_seen"]


def test_without_a_manager_the_own_choices_are_shown_and_last_seen_is_not_known(org: RealTelegraph) -> None:
    org.join("alice")
    org.manager.kill()
    assert org.ask("alice", "settings")["last_seen"] is None
    assert not org.ask("alice", "settings", "--read-receipts", "off")["read_receipts"]
    assert org.say("alice", "settings", "--last-seen", "off").code == 3


def test_who_deletes_their_account_is_gone_for_everybody_and_keeps_what_is_stored_here(org: RealTelegraph) -> None:
    org.join("alice", unattended=False)
    org.join("bob")
    org.join("carol")
    org.ask("alice", "send", "bob", "good-bye")
    org.eventually(lambda: org.states("alice", "bob") == ["delivered"])
    org.nodes["carol"].stop()
    org.ask("alice", "send", "carol", "will never arrive")
    wrong = telegraph("delete-account", "--confirm", "alice", "--data", org.root / "alice", password="wrong horse")
    assert (wrong.code, account_of(org, "alice")) == (4, "online")

    org.ask("alice", "delete-account", "--confirm", "alice")
    status = org.ask("alice", "status")
    assert (status["account"], status["reason"]) == ("ended", "removed")
    org.eventually(lambda: bool(conversation_with(org, "bob", "alice")["deleted"]))
    assert org.say("bob", "send", "alice", "are you there?").code == 4
    assert "deleted" in org.say("bob", "send", "alice", "are you there?").err
    assert [message["text"] for message in org.ask("bob", "history", "alice")] == ["good-bye"]

    org.nodes["alice"].stop()
    org.start("alice", unattended=False)
    org.ask("alice", "login", "alice")  # opens what is stored here, nothing else
    assert [message["text"] for message in org.ask("alice", "history", "bob")] == ["good-bye"]
    assert account_of(org, "alice") == "ended"
    org.start("another")
    assert org.say("another", "register", "Alice").code == 4


def test_an_erased_account_leaves_no_store_behind_and_its_contacts_hear_of_it_when_they_come_back(
    org: RealTelegraph,
) -> None:
    org.join("alice")
    org.join("bob")
    org.ask("bob", "send", "alice", "one")
    org.eventually(lambda: org.states("bob", "alice") == ["delivered"])
    org.nodes["bob"].stop()
    org.ask("alice", "delete-account", "--confirm", "alice", "--erase")
    assert account_of(org, "alice") == "none"
    assert not list((org.root / "alice").glob("store*"))
    assert not (org.root / "alice" / "vault.json").exists()

    org.start("bob")  # it hears when it comes back
    org.eventually(lambda: bool(conversation_with(org, "bob", "alice")["deleted"]))
    assert org.states("bob", "alice") == ["delivered"]


def test_a_message_that_waits_while_its_recipient_goes_for_good_is_said_to_have_failed(org: RealTelegraph) -> None:
    org.join("alice")
    org.join("bob")
    org.ask("bob", "send", "alice", "one")
    org.eventually(lambda: org.states("bob", "alice") == ["delivered"])
    org.nodes["alice"].kill()
    org.ask("bob", "send", "alice", "two")
    assert org.states("bob", "alice") == ["delivered", "pending"]
    delete_by_hand(org, "alice")
    org.eventually(lambda: org.states("bob", "alice") == ["delivered", "failed"])
    (_, failed) = org.ask("bob", "history", "alice")
    assert failed["reason"] == "account_deleted"
    assert org.say("bob", "retry", failed["id"]).code == 4
    org.nodes["bob"].kill()
    org.start("bob")
    assert org.states("bob", "alice") == ["delivered", "failed"]


def delete_by_hand(org: RealTelegraph, name: str) -> None:
    """From another machine, while the person's node is away."""
    trust = ssl.create_default_context(cafile=org.root / "manager" / "ca.pem")
    with httpx.Client(base_url=org.url, verify=trust, timeout=15) as web:
        account = {"username": name, "password": PASSWORD, "ip": "127.0.0.1", "port": 9}
        token = web.post("/login", json=account).json()["token"]
        answer = web.request(
            "DELETE", "/account", json={"password": PASSWORD}, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 200
