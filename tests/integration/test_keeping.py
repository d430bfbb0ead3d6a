"""Backup, restore and export by the command line, on real processes; a crash, and damage, are noticed."""

import json
from pathlib import Path

from telegraph.testing.processes import PASSWORD, RealTelegraph, telegraph


def test_a_copy_comes_back_with_all_that_was_in_it(org: RealTelegraph, tmp_path: Path) -> None:
    org.join("alice")
    org.join("bob")
    for text in ("one", "two"):
        org.ask("alice", "send", "bob", text)
    org.eventually(lambda: org.states("alice", "bob") == ["delivered"] * 2)
    copy = tmp_path / "copy.tar"
    org.ask("alice", "backup", str(copy))
    assert org.say("alice", "backup", str(copy)).code == 5, "what is there is not written over"
    for text in ("after the copy", "the same"):
        org.ask("alice", "send", "bob", text)
    org.eventually(lambda: org.states("alice", "bob") == ["delivered"] * 4)
    org.nodes["alice"].kill()
    assert list((org.root / "alice").glob("backup-*")) == []

    assert telegraph("restore", copy, "--data", org.root / "again").code == 0
    org.start("again", unattended=False)
    assert org.ask("again", "status")["account"] == "locked"
    org.ask("again", "login", "alice")

    assert [message["text"] for message in org.ask("again", "history", "bob")] == ["one", "two"]
    for text in ("three", "four", "five"):
        org.ask("again", "send", "bob", text)
    org.eventually(lambda: org.states("again", "bob") == ["delivered"] * 5)
    there = [message["text"] for message in org.ask("bob", "history", "alice") if message["text"]]  # less the notice
    assert there == ["one", "two", "after the copy", "the same", "three", "four", "five"]


def test_a_copy_does_not_go_over_what_is_there(org: RealTelegraph, tmp_path: Path) -> None:
    org.join("alice")
    org.ask("alice", "backup", str(tmp_path / "copy.tar"))
    running = telegraph("restore", tmp_path / "copy.tar", "--data", org.root / "alice")
    assert (running.code, "in use" in running.err) == (5, True)
    org.nodes["alice"].stop()
    taken = telegraph("restore", tmp_path / "copy.tar", "--data", org.root / "alice")
    assert (taken.code, "has an account" in taken.err) == (5, True)


def test_everything_is_written_out_readable(org: RealTelegraph, tmp_path: Path) -> None:
    org.join("alice")
    org.join("bob")
    org.ask("alice", "send", "bob", "hello\nthere")
    org.ask("bob", "send", "alice", "hello yourself")
    org.eventually(lambda: len(org.ask("alice", "history", "bob")) == 2)

    said = org.ask("alice", "export", str(tmp_path / "all.jsonl"))

    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert said["messages"] == 2
    assert sorted(line["message"]["text"] for line in lines) == ["hello\nthere", "hello yourself"]
    assert {line["conversation"] for line in lines} == {"bob"}
    assert (tmp_path / "all.jsonl").stat().st_mode & 0o777 == 0o600
    piped = telegraph("export", "-", "--data", org.root / "alice", password=PASSWORD)
    assert [json.loads(line) for line in piped.out.splitlines()] == lines


def test_after_a_crash_the_store_is_checked_and_damage_is_shown(org: RealTelegraph) -> None:
    org.join("alice")
    org.join("bob")
    for number in range(150):
        org.post("alice", "/messages", to="bob", text=f"{number} " * 2000)
    org.nodes["alice"].kill()
    org.start("alice")
    org.eventually(lambda: "store_checked" in org.nodes["alice"].log)
    assert org.ask("alice", "status")["damage"] == []
    org.nodes["alice"].stop()

    store = org.root / "alice" / "store.sqlite3"
    content = bytearray(store.read_bytes())
    content[len(content) // 8] ^= 1  # an old message; what was written last is looked at before the start
    store.write_bytes(content)
    org.start("alice")
    org.nodes["alice"].kill()
    org.start("alice")

    org.eventually(lambda: org.ask("alice", "status")["damage"] != [])
