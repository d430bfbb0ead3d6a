"""Where ``manager run`` takes the join token from, and what ``manager rekey`` wants to be told."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from telegraph.cli import group, manager
from telegraph.cli.main import telegraph

FILE, VARIABLE, OPTION = (f"telegraph-join-1.{'0' * 64}.{letter * 43}" for letter in "fvo")


def run(*words: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(telegraph, ["manager", *map(str, words)], env=env)


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The tokens with which managers would have started."""
    seen: list[str | None] = []

    def serve(settings: Any, _stop: object) -> None:
        seen.append(settings.cluster.token)

    monkeypatch.setattr(manager, "_serve", serve)
    monkeypatch.setattr(manager, "run_until_stopped", lambda work: work(None))
    return seen


def test_the_token_comes_from_the_file_or_the_variable_and_an_option_goes_first(
    tokens: list[str | None], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(FILE + "\n")
    joining = ("run", "--data", tmp_path / "data", "--join", "https://10.0.0.1:8000")
    by_file, by_option = ("--token-file", tmp_path / "token"), ("--token", OPTION)
    for words, env in (
        (by_file, {}),
        (by_file, {"TELEGRAPH_TOKEN": VARIABLE}),
        ((), {"TELEGRAPH_TOKEN": VARIABLE}),
        ((), {"TELEGRAPH_JOIN_TOKEN": VARIABLE}),
        (by_option, {"TELEGRAPH_TOKEN": VARIABLE}),
    ):
        result = run(*joining, *words, env=env)
        assert result.exit_code == 0, result.output
    assert tokens == [FILE, FILE, VARIABLE, VARIABLE, OPTION]


def test_the_help_says_which_way_to_prefer() -> None:
    shown = " ".join(run("run", "--help").output.split())
    assert "the way to prefer" in shown
    assert "Everybody on the machine sees what a command was given" in shown


def test_rekey_wants_one_direction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "configure_logging", lambda: None)  # it is the process's own
    for words in ((), ("--out", tmp_path / "a", "--from", tmp_path / "b")):
        refused = run("rekey", "--data", tmp_path, *words)
        assert (refused.exit_code, "--out and --from" in refused.output) == (2, True)
