"""The client commands, run as the script runs them, against a node that answers over real HTTP."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from telegraph.cli import passwords
from telegraph.cli.account import password, register
from telegraph.cli.main import telegraph
from telegraph.errors import Busy, ManagerAway, NameTaken, NotLoggedIn, TelegraphError, UnknownUser
from telegraph.protocol.invites import Invite
from telegraph.protocol.node_api import ENDPOINT_FILE, TOKEN_FILE

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Cli, FakeNode

SECRET = {"TELEGRAPH_PASSWORD": "correct horse"}
CLIENT_COMMANDS = [
    "register",
    "login",
    "logout",
    "password",
    "status",
    "people",
    "send",
    "inbox",
    "history",
    "read",
    "search",
    "settings",
    "delete",
    "sessions",
    "delete-account",
    "cancel",
    "retry",
    "chat",
]


# --- account ---


def test_registering_makes_the_account_and_logs_in(cli: "Cli", node: "FakeNode") -> None:
    ran = cli("register", "dora", env=SECRET)
    assert (ran.code, ran.out, ran.err) == (0, "You are dora, and online.\n", "")
    assert node.bodies[-1] == (
        "POST",
        "/api/v1/account",
        {"username": "dora", "password": "correct horse", "invite": None},
    )


def test_a_provisional_name_says_so(cli: "Cli", node: "FakeNode") -> None:
    assert node.username == "alice"
    assert "provisional" in cli("register", "zoe", env=SECRET).out


def test_an_invite_is_a_code_or_the_whole_link(cli: "Cli", node: "FakeNode") -> None:
    link = Invite(("https://m:8000",), "ab" * 32, "the-code").link()
    for given in ("the-code", link):
        assert cli("register", "dora", "--invite", given, env=SECRET).code == 0
        assert node.bodies[-1][2]["invite"] == "the-code"


def test_a_link_that_is_none_is_refused_before_anything_is_asked(cli: "Cli", node: "FakeNode") -> None:
    ran = cli("register", "dora", "--invite", "https://example.org/join", env=SECRET)
    assert ran.code == 4
    assert "telegraph://" in ran.err
    assert node.bodies == []


def test_login_gives_the_account_as_json(cli: "Cli", node: "FakeNode") -> None:
    ran = cli("login", "alice", "--format", "json", env=SECRET)
    assert ran.json() == {
        "user_id": "id-alice",
        "username": "alice",
        "account": "online",
        "provisional": False,
        "moved": False,
        "recovery_code": None,
    }
    assert node.username == "alice"


def test_a_wrong_password_is_one_sentence_and_exit_code_4(cli: "Cli", node: "FakeNode") -> None:
    ran = cli("login", "alice", "--format", "json", env={"TELEGRAPH_PASSWORD": "wrong one"})
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == "telegraph: The name or the password is wrong.\n"
    assert "wrong one" not in ran.err
    assert node.username == "alice"


def test_logging_out(cli: "Cli", node: "FakeNode") -> None:
    assert cli("logout").out == "You are logged out.\n"
    assert node.username is None
    assert cli("logout").code == 4


def test_the_password_is_changed_from_files(cli: "Cli", node: "FakeNode", tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"correct horse\n")
    (tmp_path / "new").write_bytes("battery stäple ".encode() + b"\r\n")
    ran = cli("password", "--password-file", str(tmp_path / "old"), "--new-password-file", str(tmp_path / "new"))
    assert (ran.code, ran.out) == (0, "The password is changed.\n")
    assert node.passwords["alice"] == "battery stäple "


def test_the_password_is_changed_from_the_environment(cli: "Cli", node: "FakeNode") -> None:
    assert cli("password", env=SECRET | {"TELEGRAPH_NEW_PASSWORD": "battery staple"}).code == 0
    assert node.passwords["alice"] == "battery staple"


@pytest.mark.parametrize("arguments", [("register", "dora"), ("login", "alice"), ("password",)])
def test_without_terminal_and_without_password_it_is_one_sentence_and_exit_code_2(
    cli: "Cli", node: "FakeNode", arguments: tuple[str, ...]
) -> None:
    ran = cli(*arguments, stdin=b"correct horse\n")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "TELEGRAPH_PASSWORD" in ran.err
    assert "--password-file" in ran.err
    assert node.bodies == []


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_password_file_that_cannot_be_used_is_said(cli: "Cli", tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    ran = cli("login", "alice", "--password-file", str(file))
    assert ran.code == 2
    assert str(file) in ran.err


def test_on_a_terminal_the_password_is_asked_for_hidden_and_a_new_one_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, object, object]] = []

    def prompt(text: str, *, hide_input: bool, confirmation_prompt: bool, **_: object) -> str:
        asked.append((text, hide_input, confirmation_prompt))
        return "typed"

    monkeypatch.delenv("TELEGRAPH_PASSWORD", raising=False)
    monkeypatch.setattr(click, "prompt", prompt)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert passwords.password_from("Password", "TELEGRAPH_PASSWORD", None, "--password-file") == "typed"
    passwords.password_from("New password", "TELEGRAPH_PASSWORD", None, "--password-file", confirm=True)
    assert asked == [("Password", True, False), ("New password", True, True)]


def test_no_option_takes_a_password_itself() -> None:
    for command in (register, password):
        for parameter in command.params:
            if "password" in (parameter.name or ""):
                assert isinstance(parameter.type, click.Path), parameter.name


def test_status_shows_the_node(cli: "Cli", node: "FakeNode") -> None:
    assert "Account     alice (online)" in cli("status").out
    node.username = None
    ran = cli("status", "--format", "json")
    assert ran.code == 0
    assert ran.json()["account"] == "none"
    assert ran.json()["managers"][0] == {"url": "https://m1:8000", "current": True}


# --- people and messages ---


def test_people_are_found_by_how_their_names_begin(cli: "Cli", node: "FakeNode") -> None:
    assert [person["username"] for person in cli("people", "bo", "--format", "json").json()] == ["bob"]
    assert len(cli("people", "--format", "json").json()) == len(node.people)
    assert cli("people", "b&c=é").out == "Nobody's name begins with b&c=é.\n"
    assert "● bob" in cli("people").out
    node.people = []
    assert cli("people").out == "Nobody is online.\n"


def test_words_are_joined_and_the_message_is_printed_as_an_object(cli: "Cli", node: "FakeNode") -> None:
    ran = cli("send", "bob", "Hello", "there,", "界", "--format", "json")
    assert ran.code == 0
    sent = ran.json()
    assert (sent["from"], sent["to"], sent["text"], sent["state"]) == ("alice", "bob", "Hello there, 界", "pending")
    assert sent["id"] == node.messages[0].id


def test_for_people_a_sent_message_is_one_line(cli: "Cli", node: "FakeNode") -> None:
    assert cli("send", "bob", "--", "-5", "degrees").out == "… pending, to bob\n"
    assert node.messages[0].text == "-5 degrees"


def test_a_dash_reads_the_text_from_standard_input(cli: "Cli", node: "FakeNode") -> None:
    assert cli("send", "bob", "-", stdin="two\nlïnes\n".encode()).code == 0
    assert node.messages[0].text == "two\nlïnes"


def test_standard_input_that_is_no_text_is_refused(cli: "Cli", node: "FakeNode") -> None:
    ran = cli("send", "bob", "-", stdin=b"\xff\xfe")
    assert ran.code == 4
    assert "UTF-8" in ran.err
    assert node.messages == []


@pytest.mark.parametrize("arguments", [("send", "bob", "\udcff"), ("send", "\udcff", "x"), ("history", "\udcff")])
def test_words_that_are_no_text_are_refused(cli: "Cli", node: "FakeNode", arguments: tuple[str, ...]) -> None:
    ran = cli(*arguments)
    assert ran.code == 4
    assert "UTF-8" in ran.err
    assert node.bodies == []


def test_an_option_that_does_not_exist_is_wrong_use_and_nothing_is_sent(cli: "Cli", node: "FakeNode") -> None:
    assert cli("send", "bob", "hi", "--dta", "elsewhere").code == 2
    assert cli("send", "bob").code == 2
    assert cli("history", "bob", "--limit", "0").code == 2
    assert node.bodies == []


def test_the_inbox_shows_what_is_unread_and_marks_nothing(cli: "Cli", node: "FakeNode") -> None:
    assert cli("inbox").out == "Nothing unread.\n"
    node.receive("bob", "one")
    node.receive("carol", "seen", read=True)
    node.receive("carol", "two")
    assert [message["text"] for message in cli("inbox", "--format", "json").json()] == ["one", "two"]
    assert "carol  two" in cli("inbox").out
    assert [message.read for message in node.messages] == [False, True, False]


def test_history_is_whole_and_oldest_first_over_several_pages(
    cli: "Cli", node: "FakeNode", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telegraph.cli.client.PAGE", 3)
    for number in range(8):
        node.receive("bob", f"message {number}")
    node.receive("carol", "elsewhere")
    everything = [message["text"] for message in cli("history", "bob", "--format", "json").json()]
    assert everything == [f"message {number}" for number in range(8)]
    for limit in (1, 3, 4, 8, 100):
        ran = cli("history", "bob", "--limit", str(limit), "--format", "json")
        assert [message["text"] for message in ran.json()] == everything[-limit:]


def test_history_has_every_field_of_a_message(cli: "Cli", node: "FakeNode") -> None:
    node.wrote("bob", "hi")
    (message,) = cli("history", "bob", "--format", "json").json()
    assert {"id", "from", "to", "text", "state", "timestamp", "status", "read"} <= set(message)
    assert "you  hi  ✓✓" in cli("history", "bob").out
    assert cli("history", "carol").out == "No messages with carol yet.\n"


def test_searching_shows_whose_conversation_each_message_is_of(cli: "Cli", node: "FakeNode") -> None:
    node.receive("bob", "the train at eight")
    node.wrote("carol", "no train today")
    node.receive("bob", "nothing")

    assert [message["text"] for message in cli("search", "train", "--format", "json").json()] == [
        "no train today",
        "the train at eight",
    ]
    shown = cli("search", "train").out.split("\n")
    assert [line.split(",")[0] for line in shown if line.startswith("—")] == ["— bob", "— carol"]
    assert "no train" not in cli("search", "train", "--with", "bob").out
    assert cli("search", "no", "such words & more").out == "Nothing found.\n"
    assert cli("search", "x", "--with", "nobody").code == 4


def test_a_message_or_a_conversation_is_deleted(cli: "Cli", node: "FakeNode") -> None:
    first, second = node.wrote("bob", "one"), node.wrote("bob", "two")
    kept = node.wrote("carol", "three")

    assert cli("delete", first.id).out == "The message is deleted here.\n"
    assert node.messages == [second, kept]
    assert cli("delete", "--conversation", "bob").out == "1 message with bob deleted here.\n"
    assert node.messages == [kept]
    assert cli("delete", first.id).code == 4
    for wrong in (("delete",), ("delete", kept.id, "--conversation", "carol")):
        assert cli(*wrong).code == 2
    assert node.messages == [kept]


def test_choices_are_shown_and_changed_one_by_one(cli: "Cli", node: "FakeNode") -> None:
    assert cli("settings").out == "Read receipts  on\nLast seen      on\n"
    assert cli("settings", "--read-receipts", "off", "--format", "json").json()["read_receipts"] is False
    assert node.bodies[-1][:2] == ("PUT", "/api/v1/settings")
    assert cli("settings").out == "Read receipts  off\nLast seen      on\n"
    assert cli("settings", "--read-receipts", "perhaps").code == 2


def test_a_message_can_be_given_up_and_sent_after_all(cli: "Cli", node: "FakeNode") -> None:
    sent = cli("send", "bob", "hi", "--expires-in", "60", "--format", "json").json()
    assert node.bodies[-1][2]["expires_in"] == 60

    assert sent["id"] in cli("history", "bob", "--ids").out
    assert cli("cancel", sent["id"]).out == "✗ cancelled, to bob\n"
    assert cli("retry", sent["id"]).out == "… pending, to bob\n"
    assert cli("retry", sent["id"], "--format", "json").json()["state"] == "pending"


@pytest.mark.parametrize("command", ["cancel", "retry"])
def test_what_is_delivered_or_unknown_cannot_be_given_up(cli: "Cli", node: "FakeNode", command: str) -> None:
    delivered = node.wrote("bob", "hi", "delivered")

    assert cli(command, delivered.id).code == 4
    assert "delivered" in cli(command, delivered.id).err
    for nothing in ("00000000-0000-7000-8000-00000000ffff", "../status", "x"):
        assert (cli(command, nothing).code, "no such message" in cli(command, nothing).err) == (4, True)
    assert node.messages == [delivered]


def test_reading_marks_and_says_how_many(cli: "Cli", node: "FakeNode") -> None:
    node.receive("bob", "one")
    node.receive("bob", "two")
    assert cli("read", "bob", "--format", "json").json() == {"marked": 2}
    assert cli("read", "bob").out == "0 messages from bob marked as read.\n"


@pytest.mark.parametrize("user", ["nobody", "a/b", "..", "a?limit=1", "%2e", "Ü 界"])
def test_a_name_that_nobody_has_is_refused_whatever_is_in_it(cli: "Cli", node: "FakeNode", user: str) -> None:
    ran = cli("history", user)
    assert ran.code == 4
    assert ran.err == f"telegraph: Nobody here is called {user}; check the spelling.\n"
    assert node.messages == []


def test_what_other_people_write_does_not_reach_the_terminal_raw(cli: "Cli", node: "FakeNode") -> None:
    node.receive("bob", "\x1b]0;owned\x07\x9b2J\u202e")
    for arguments in (("inbox",), ("history", "bob"), ("inbox", "--format", "json"), ("chat", "bob")):
        out = cli(*arguments).out
        assert "owned" in out
        assert not set(out) & set("\x1b\x07\x9b\u202e")


# --- nodes that are away, and answers that are none ---


@pytest.mark.parametrize("arguments", [("status",), ("inbox",), ("send", "bob", "hi"), ("chat", "bob")])
def test_without_a_node_it_is_said_how_to_start_one(cli: "Cli", data: Path, arguments: tuple[str, ...]) -> None:
    ran = cli(*arguments)
    assert ran.code == 3
    assert ran.err == f"telegraph: No node is running for {data}; start one with: telegraph node run --data {data}\n"


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "", "what is this", "ftp://127.0.0.1"])
def test_an_endpoint_that_leads_nowhere_is_a_node_away(cli: "Cli", data: Path, endpoint: str) -> None:
    (data / ENDPOINT_FILE).write_text(endpoint, encoding="utf-8")
    (data / TOKEN_FILE).write_text("x", encoding="utf-8")
    assert cli("status").code == 3
    assert cli("chat", "bob").code == 3


def test_files_that_are_no_nodes_are_said(cli: "Cli", data: Path) -> None:
    (data / ENDPOINT_FILE).write_bytes(b"\xff")
    assert cli("status").code == 5
    (data / ENDPOINT_FILE).unlink()
    (data / ENDPOINT_FILE).mkdir()
    assert cli("status").code == 5


def test_the_option_counts_more_than_the_environment(cli: "Cli", node: "FakeNode", tmp_path: Path) -> None:
    assert cli("status", "--data", str(tmp_path)).code == 3
    assert cli("status", "--data", str(node.data), env={"TELEGRAPH_DATA": str(tmp_path)}).code == 0


def test_a_wrong_token_is_refused(cli: "Cli", node: "FakeNode") -> None:
    (node.data / TOKEN_FILE).write_text("another", encoding="utf-8")
    assert cli("status").code == 4
    assert cli("chat", "bob").code == 4


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ManagerAway(), 3),
        (NotLoggedIn(), 4),
        (UnknownUser(username="x"), 4),
        (NameTaken(username="x"), 4),
        (Busy(), 4),
        (TelegraphError(), 1),
    ],
)
def test_what_the_node_refuses_is_its_own_sentence_in_english(
    cli: "Cli", node: "FakeNode", error: TelegraphError, code: int
) -> None:
    node.failing = error
    for arguments in (("people",), ("send", "bob", "hi"), ("inbox", "--format", "json")):
        ran = cli(*arguments)
        assert (ran.code, ran.out, ran.err) == (code, "", f"telegraph: {error}\n")


def test_helps_have_examples_and_the_shared_options() -> None:
    for name in CLIENT_COMMANDS:
        text = CliRunner().invoke(telegraph, [name, "--help"]).output
        assert "Example" in text, name
        assert f"telegraph {name}" in text, name
        assert "--data" in text, name
        assert "--format" in text, name


def test_last_seen_is_a_choice_and_unknown_while_no_manager_answers(cli: "Cli", node: "FakeNode") -> None:
    assert cli("settings", "--last-seen", "off", "--format", "json").json()["last_seen"] is False
    assert node.bodies[-1][2]["read_receipts"] is None  # what is not given stays
    node.settings.last_seen = None
    assert "not known: no manager answers" in cli("settings").out


# --- sessions ---


def test_sessions_are_listed_with_their_ids_kinds_and_keys(cli: "Cli", node: "FakeNode") -> None:
    assert len(node.sessions) == 2
    plain, device = cli("sessions").out.splitlines()
    assert plain.startswith("5e55101  plain   last used 2026-11-24")
    assert device.startswith("de71ce  device")
    assert "key abababababababab" in device
    assert device.endswith("(this one)")
    assert [each["current"] for each in cli("sessions", "--format", "json").json()] == [False, True]


def test_a_session_is_ended_by_its_id(cli: "Cli", node: "FakeNode") -> None:
    assert "ended" in cli("sessions", "end", "5e55101").out
    assert node.bodies[-1][:2] == ("DELETE", "/api/v1/sessions/5e55101")
    assert [session.id for session in node.sessions] == ["de71ce"]
    assert cli("sessions", "end", "5e55101").code == 4


@pytest.mark.parametrize("arguments", [["end"], ["begin", "5e55101"]])
def test_which_session_has_to_be_said(cli: "Cli", node: "FakeNode", arguments: list[str]) -> None:
    assert cli("sessions", *arguments).code == 2
    assert node.bodies == []


@pytest.mark.parametrize("session", ["../account", "a/b", "?", "%2e"])
def test_what_is_no_id_is_not_asked_for(cli: "Cli", node: "FakeNode", session: str) -> None:
    assert cli("sessions", "end", session).code == 4
    assert node.bodies == []


# --- deleting the account ---


def test_an_account_is_deleted_with_its_name_and_its_password(cli: "Cli", node: "FakeNode") -> None:
    ran = cli("delete-account", "--confirm", "alice", env=SECRET)
    assert "The account alice is deleted." in ran.out
    assert node.bodies[-1] == ("DELETE", "/api/v1/account", {"password": "correct horse", "erase": False})


def test_erasing_what_is_on_this_machine_is_asked_for_and_said(cli: "Cli", node: "FakeNode") -> None:
    assert "erased" in cli("delete-account", "--erase", "--confirm", "alice", env=SECRET).out
    assert node.bodies[-1][2]["erase"] is True


@pytest.mark.parametrize("confirmation", [[], ["--confirm", "bob"], ["--confirm", ""], ["--confirm", "ALICE"]])
def test_without_the_very_name_nothing_is_deleted(cli: "Cli", node: "FakeNode", confirmation: list[str]) -> None:
    assert cli("delete-account", *confirmation, env=SECRET).code == 2
    assert "DELETE" not in [method for method, _, _ in node.bodies]


def test_a_wrong_password_deletes_nothing(cli: "Cli", node: "FakeNode") -> None:
    assert cli("delete-account", "--confirm", "alice", env={"TELEGRAPH_PASSWORD": "wrong horse"}).code == 4
    assert node.username == "alice"
