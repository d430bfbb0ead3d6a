"""``telegraph manager backup | restore``: what is asked, what is shown, and what is never shown."""

import json
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner, Result

from telegraph.cli import manager_keeping, passwords
from telegraph.cli.main import telegraph
from telegraph.errors import (
    BackupNotWritten,
    BackupUnreadable,
    DataUnreadable,
    IllegalPassphrase,
    WrongPassphrase,
)
from telegraph.manager.clock import read_clock
from telegraph.manager.keeping import sealing
from telegraph.manager.places import DIRECTORY_FILE, load_or_create_ca
from telegraph.storage.schema import connect, migrate
from telegraph.storage.stretching import Stretching

PASSPHRASE = "correct horse battery staple"
SECRET = {"TELEGRAPH_BACKUP_PASSPHRASE": PASSPHRASE}


class Cheap(Stretching, frozen=True):
    """Argon2id at next to no cost."""

    iterations: int = 1
    lanes: int = 1
    memory: int = 8


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manager's directory in which nobody is; the key is stretched cheaply."""
    monkeypatch.setattr(sealing, "Stretching", Cheap)
    monkeypatch.setattr(manager_keeping, "configure_logging", lambda: None)  # it is the process's own
    place = tmp_path / "manager"
    place.mkdir()
    load_or_create_ca(place, read_clock())
    connection = connect(place / DIRECTORY_FILE)
    migrate(connection, "telegraph.directory", place / DIRECTORY_FILE)
    connection.close()
    return place


def run(*words: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(telegraph, ["manager", *map(str, words)], env=env)


def test_a_backup_says_what_is_in_it_and_its_passphrase_stands_nowhere(data: Path, tmp_path: Path) -> None:
    done = run("backup", tmp_path / "copy", "--data", data, env=SECRET)
    assert (done.exit_code, done.output) == (0, f"0 accounts and the CA are in {tmp_path / 'copy'}.\n")
    again = run("backup", tmp_path / "two", "--data", data, "--format", "json", env=SECRET)
    assert sorted(json.loads(again.output)) == ["accounts", "file", "revision", "state_hash"]
    assert PASSPHRASE.encode() not in (tmp_path / "copy").read_bytes()


def test_the_passphrase_is_asked_for_twice_for_a_new_file_and_hidden(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def prompt(text: str, *, hide_input: bool, confirmation_prompt: bool, **_: object) -> str:
        asked.append((text, hide_input, confirmation_prompt))
        return PASSPHRASE

    monkeypatch.setattr(click, "prompt", prompt)
    monkeypatch.setattr(passwords, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    assert run("backup", tmp_path / "copy", "--data", data).exit_code == 0
    assert asked == [("Passphrase of the backup", True, True)]


def test_a_passphrase_from_a_file_opens_it_again(data: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{PASSPHRASE}\n", encoding="utf-8")
    by_file = ("--passphrase-file", secret)
    assert run("backup", tmp_path / "copy", "--data", data, *by_file).exit_code == 0
    wrong = run("restore", tmp_path / "copy", "--data", tmp_path / "new", env={"TELEGRAPH_BACKUP_PASSPHRASE": "x" * 12})
    assert isinstance(wrong.exception, WrongPassphrase)
    again = run("restore", tmp_path / "copy", "--data", tmp_path / "new", *by_file)
    assert again.output == f"0 accounts and the CA are in {tmp_path / 'new'}; start it there.\n"


@pytest.mark.parametrize("short", ["x", "x" * 11])
def test_a_passphrase_that_could_be_guessed_is_refused(data: Path, tmp_path: Path, short: str) -> None:
    refused = run("backup", tmp_path / "copy", "--data", data, env={"TELEGRAPH_BACKUP_PASSPHRASE": short})
    assert isinstance(refused.exception, IllegalPassphrase)
    assert not (tmp_path / "copy").exists()


def test_without_a_terminal_or_a_file_it_says_what_to_give(data: Path, tmp_path: Path) -> None:
    for command, place in (("backup", data), ("restore", tmp_path / "new")):
        (tmp_path / "copy").unlink(missing_ok=True)
        if command == "restore":
            (tmp_path / "copy").touch()
        done = run(command, tmp_path / "copy", "--data", place)
        assert (done.exit_code, "--passphrase-file" in done.output) == (2, True)


def test_what_cannot_be_done_is_said_before_the_passphrase_is_asked_for(data: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").touch()
    said = [
        (run("backup", tmp_path / "copy", "--data", data).exception, BackupNotWritten),
        (run("backup", tmp_path / "new", "--data", tmp_path / "nowhere").exception, DataUnreadable),
        (run("restore", tmp_path / "copy", "--data", data).exception, DataUnreadable),
        (run("restore", tmp_path / "none", "--data", tmp_path / "new").exception, BackupUnreadable),
    ]
    assert all(isinstance(problem, kind) for problem, kind in said)
