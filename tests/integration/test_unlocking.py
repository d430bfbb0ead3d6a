"""Alice's messages are locked on her machine: what opens them, what does not, and what goes on without a manager."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from telegraph.testing.processes import PASSWORD, Finished, RealTelegraph, telegraph

OTHER = "another password of hers"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[RealTelegraph]:
    running = RealTelegraph(tmp_path)
    yield running
    running.close()


def say(town: RealTelegraph, name: str, *words: str, password: str = PASSWORD) -> Finished:
    return telegraph(*words, "--data", town.root / name, "--format", "json", password=password)


def state(town: RealTelegraph, name: str) -> str:
    return str(town.ask(name, "status")["account"])


def restart(town: RealTelegraph, name: str, *options: str) -> None:
    town.nodes[name].kill()
    town.start(name, *options, unattended=False)


def test_after_a_crash_only_the_password_opens_them_and_nothing_is_lost(town: RealTelegraph) -> None:
    town.join("alice", unattended=False)
    town.join("bob")
    town.ask("alice", "send", "bob", "before the crash")
    restart(town, "alice")

    assert state(town, "alice") == "locked"
    for words in (
        ("history", "bob"),
        ("inbox",),
        ("send", "bob", "x"),
        ("people",),
        ("search", "crash"),
        ("blocked",),
        ("sessions",),
        ("settings",),
        ("safety-number", "bob"),
        ("backup", str(town.root / "copy.tar")),
    ):
        assert say(town, "alice", *words).code == 4
    wrong = say(town, "alice", "login", "alice", password="not her password")
    assert wrong.code == 4
    assert wrong.err.startswith("telegraph: That password does not open the messages on this machine")

    assert town.ask("alice", "login", "alice")["account"] == "online"
    assert [message["text"] for message in town.ask("alice", "history", "bob")] == ["before the crash"]


def test_without_any_manager_she_unlocks_and_goes_on_talking(town: RealTelegraph) -> None:
    town.join("alice", unattended=False)
    town.join("bob")
    town.ask("alice", "send", "bob", "one")
    town.eventually(lambda: town.states("alice", "bob") == ["delivered"])
    town.manager.kill()
    restart(town, "alice")

    assert town.ask("alice", "login", "alice")["account"] == "offline"
    town.ask("alice", "send", "bob", "two")

    town.eventually(lambda: town.states("alice", "bob") == ["delivered"] * 2)


def test_a_logged_out_node_is_locked_and_without_a_manager_opens_again(town: RealTelegraph) -> None:
    town.join("alice", unattended=False)
    town.join("bob")
    town.ask("alice", "send", "bob", "hello")
    town.ask("alice", "logout")
    assert state(town, "alice") == "locked"
    assert say(town, "alice", "history", "bob").code == 4
    town.manager.kill()

    assert say(town, "alice", "login", "alice", password="not hers at all").code == 4
    assert town.ask("alice", "login", "alice")["account"] == "offline"
    assert len(town.ask("alice", "history", "bob")) == 1


def test_the_session_follows_once_a_manager_answers_again(town: RealTelegraph) -> None:
    from telegraph.testing.processes import start_manager

    town.join("alice", unattended=False)
    town.ask("alice", "logout")
    port = town.url.rsplit(":", 1)[1]
    town.manager.kill()
    assert town.ask("alice", "login", "alice")["account"] == "offline"

    town.manager = start_manager(town.root / "manager", "--port", port)

    town.eventually(lambda: state(town, "alice") == "online", within=30)


def test_a_changed_password_opens_them_and_the_old_one_does_not(town: RealTelegraph, tmp_path: Path) -> None:
    town.join("alice", unattended=False)
    (tmp_path / "new").write_text(OTHER)
    refused = telegraph(
        *("password", "--data", town.root / "alice", "--new-password-file", tmp_path / "new"), password="wrong old one"
    )
    assert refused.code == 4
    town.ask("alice", "password", "--new-password-file", str(tmp_path / "new"))
    restart(town, "alice")

    assert say(town, "alice", "login", "alice").code == 4
    assert say(town, "alice", "login", "alice", password=OTHER).json["account"] == "online"


def test_a_password_changed_on_another_machine_needs_the_old_one_or_the_recovery_code_once(
    town: RealTelegraph, tmp_path: Path
) -> None:
    town.start("alice", unattended=False)
    code = town.ask("alice", "register", "alice")["recovery_code"]
    town.join("bob")
    town.ask("alice", "send", "bob", "a memory")
    town.start("laptop")
    town.ask("laptop", "login", "alice")
    (tmp_path / "new").write_text(OTHER)
    town.ask("laptop", "password", "--new-password-file", str(tmp_path / "new"))
    restart(town, "alice")

    assert say(town, "alice", "login", "alice", password=OTHER).code == 4
    (tmp_path / "code").write_text(code.lower())
    opened = say(town, "alice", "login", "alice", "--unlock-file", str(tmp_path / "code"), password=OTHER)
    assert opened.json["account"] == "online"
    assert opened.json["recovery_code"] is None

    restart(town, "alice")
    assert say(town, "alice", "login", "alice", password=OTHER).json["account"] == "online"
    assert [message["text"] for message in town.ask("alice", "history", "bob")] == ["a memory"]


def test_without_either_the_old_messages_stay_locked_and_the_account_goes_on(
    town: RealTelegraph, tmp_path: Path
) -> None:
    town.join("alice", unattended=False)
    town.join("bob")
    town.ask("alice", "send", "bob", "locked away")
    town.start("laptop")
    town.ask("laptop", "login", "alice")
    (tmp_path / "new").write_text(OTHER)
    town.ask("laptop", "password", "--new-password-file", str(tmp_path / "new"))
    restart(town, "alice")

    begun = say(town, "alice", "login", "alice", "--set-aside", password=OTHER)

    assert begun.json["account"] == "online"
    assert begun.json["recovery_code"]
    assert town.ask("alice", "history", "bob") == []
    [folder] = (town.root / "alice").glob("set-aside-*")
    assert {"vault.json", "store.sqlite3"} <= {file.name for file in folder.iterdir()}


def test_a_new_recovery_code_is_given_for_the_password_only(town: RealTelegraph) -> None:
    town.join("alice", unattended=False)
    assert say(town, "alice", "recovery-code", password="not her password").code == 4
    assert len(town.ask("alice", "recovery-code")["recovery_code"]) == 29


def test_a_failed_registration_leaves_nothing_behind(town: RealTelegraph) -> None:
    town.join("alice")
    town.start("bob", unattended=False)
    assert say(town, "bob", "register", "alice", password="a first password").code == 4
    assert state(town, "bob") == "none"
    assert not (town.root / "bob" / "vault.json").exists()

    assert say(town, "bob", "register", "bob", password="a second password").json["account"] == "online"


def test_another_account_does_not_get_in(town: RealTelegraph) -> None:
    town.join("alice", unattended=False)
    town.join("bob")
    restart(town, "alice")
    refused = say(town, "alice", "login", "bob")
    assert refused.code == 4
    assert "belongs to alice" in refused.err
    assert state(town, "alice") == "locked"


def test_a_key_file_starts_her_node_without_a_password(town: RealTelegraph) -> None:
    town.join("alice", "--key-file", str(town.root / "alice.secret"), unattended=False)
    restart(town, "alice", "--key-file", str(town.root / "alice.secret"))
    town.eventually(lambda: state(town, "alice") == "online")


def test_nothing_readable_lies_in_her_data_directory(town: RealTelegraph) -> None:
    town.join("alice", unattended=False)
    town.join("bob")
    secret = "meet me at the old bridge at nine"
    town.ask("alice", "send", "bob", secret)
    town.ask("bob", "send", "alice", f"yes: {secret}")
    town.eventually(lambda: len(town.ask("alice", "history", "bob")) == 2)
    needles = (secret.encode(), b"bob", PASSWORD.encode(), b"PRIVATE KEY")

    def readable() -> list[tuple[str, bytes]]:
        files = [path for path in (town.root / "alice").rglob("*") if path.is_file()]
        assert {"store.sqlite3", "vault.json"} <= {path.name for path in files}
        return [(path.name, needle) for path in files for needle in needles if needle in path.read_bytes()]

    assert readable() == []
    town.nodes["alice"].kill()
    assert readable() == []
