"""A single manager's directory goes into a file and comes back elsewhere; people log in and find each other."""

import json
import ssl
import urllib.request
from pathlib import Path
from typing import Any

from telegraph.testing.groups import free_ports
from telegraph.testing.processes import PASSWORD, RealTelegraph, start_manager, telegraph


def call(org: RealTelegraph, path: str, token: str | None = None, **body: object) -> Any:
    """One call to the manager, as another program of a user would make it."""
    context = ssl.create_default_context(cafile=str(org.root / "manager" / "ca.pem"))
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(org.url + path, data=data, headers=headers)  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310 - our own
        return json.load(answer)


def test_people_log_in_and_find_each_other_at_a_manager_that_was_restored(org: RealTelegraph, tmp_path: Path) -> None:
    org.join("alice")
    org.join("bob")
    secret, copy, again = tmp_path / "secret", tmp_path / "copy", tmp_path / "again"
    secret.write_text("correct horse battery staple\n", encoding="utf-8")
    by_file = ("--passphrase-file", secret, "--format", "json")

    written = telegraph("manager", "backup", copy, "--data", org.root / "manager", *by_file)  # while it runs
    assert (written.code, written.json["accounts"]) == (0, 2), written.err
    assert copy.stat().st_mode & 0o777 == 0o600
    org.nodes["alice"].stop()
    moved = free_ports(1)
    org.start("alice", "--peer-port", str(moved))
    org.ask("alice", "logout")
    org.ask("alice", "login", "alice")  # at another port, under a higher counter than that in the copy
    port = org.url.rpartition(":")[2]
    org.manager.kill()
    restored = telegraph("manager", "restore", copy, "--data", again, *by_file)

    assert (restored.code, restored.json["state_hash"]) == (0, written.json["state_hash"]), restored.err
    org.manager = start_manager(again, "--port", port)
    assert (again / "ca.pem").read_bytes() == (org.root / "manager" / "ca.pem").read_bytes()
    shown = telegraph("manager", "status", "--data", again, "--format", "json").json
    assert shown["state_hash"] == written.json["state_hash"]
    token = call(org, "/login", username="bob", password=PASSWORD, ip="127.0.0.1", port=9)["token"]
    before = call(org, "/users/alice", token)["message"]
    assert (before["status"], before["port"] != moved) == ("offline", True)
    for name in ("alice", "bob"):
        org.ask(name, "login", name)
    found = call(org, "/users/alice", token)["message"]
    assert (found["status"], found["port"]) == ("online", moved)
    org.ask("bob", "send", "alice", "found again")
    org.eventually(lambda: org.states("bob", "alice") == ["delivered"])
