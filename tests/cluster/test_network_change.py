"""A node whose machine gets another address, on hosts of its own: noticed, announced, and everything goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telegraph.testing.processes import PASSWORD, RunningProcess, eventually, start_manager, start_node

NOTICED_WITHIN = 5.0


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=10)


class Hosts:
    """Two hosts with a cable between them: alice and the manager on one, bob on the other."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.net = f"10.97.{os.getpid() % 250}"
        self.names = tuple(f"tg{os.getpid()}{end}" for end in "ab")
        self.processes: dict[str, RunningProcess] = {}
        for name in self.names:
            ip("netns", "add", name)
        ip("link", "add", "cable", "netns", self.names[0], "type", "veth", "peer", "cable", "netns", self.names[1])
        for name, number in zip(self.names, (1, 2), strict=True):
            ip("-n", name, "addr", "add", f"{self.net}.{number}/24", "dev", "cable")
            for device in ("lo", "cable"):
                ip("-n", name, "link", "set", device, "up")

    def enter(self, person: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.names[person == "bob"])

    def start(self) -> None:
        program = (sys.executable, "-m", "telegraph")
        manager = start_manager(
            self.root / "manager", "--host", f"{self.net}.1", program=(*self.enter("alice"), *program)
        )
        assert manager.match is not None
        self.processes["manager"] = manager
        for person in ("alice", "bob"):
            self.processes[person] = start_node(
                self.root / person,
                manager.match["url"],
                self.root / "manager" / "ca.pem",
                *("--host", "0.0.0.0"),  # noqa: S104 - a host of its own
                program=(*self.enter(person), *program),
            )
            self.ask(person, "register", person)

    def ask(self, person: str, *words: str) -> Any:
        options = ("--data", str(self.root / person), "--format", "json")
        done = subprocess.run(
            [*self.enter(person), sys.executable, "-m", "telegraph", *words, *options],
            check=True,
            capture_output=True,
            env={**os.environ, "TELEGRAPH_PASSWORD": PASSWORD},
            timeout=60,
        )
        return json.loads(done.stdout)

    def status(self, person: str) -> Any:
        return self.ask(person, "status")

    def delivered(self) -> bool:
        both = self.ask("alice", "history", "bob") + self.ask("bob", "history", "alice")
        return {message["state"] for message in both} == {"delivered"}

    def readdress(self, number: int) -> None:
        """Bob's machine has this address from now on, and no other."""
        ip("-n", self.names[1], "addr", "flush", "dev", "cable")
        ip("-n", self.names[1], "addr", "add", f"{self.net}.{number}/24", "dev", "cable")

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
        for name in self.names:
            ip("netns", "del", name)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("hosts of their own need root and iproute2")
    made = Hosts(tmp_path)
    try:
        made.start()
        made.ask("alice", "send", "bob", "hello")
        eventually(made.delivered)
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("manager", ["there", "gone"])
def test_another_address_is_noticed_and_told_within_five_seconds(hosts: Hosts, manager: str) -> None:
    if manager == "gone":
        hosts.processes["manager"].kill()
        eventually(lambda: hosts.status("bob")["account"] == "offline")
    hosts.readdress(7)
    changed = time.monotonic()

    eventually(lambda: hosts.status("bob")["peer_address"].startswith(f"{hosts.net}.7:"))
    noticed = time.monotonic() - changed
    hosts.ask("alice", "send", "bob", "where are you now?")
    hosts.ask("bob", "send", "alice", "here")
    eventually(hosts.delivered)
    assert noticed < NOTICED_WITHIN

    if manager == "there":
        eventually(lambda: hosts.status("bob")["account"] == "online")
        assert hosts.ask("alice", "people", "bob")[0]["status"] == "online"


def test_a_node_that_stood_still_goes_on_at_once(hosts: Hosts) -> None:
    """A process that is stopped sees the clock as one whose machine was asleep does."""
    time.sleep(2)  # what the start set off is over: a stop in the middle of looking at the network is not noticed by it
    hosts.processes["bob"].signal(signal.SIGSTOP)
    hosts.ask("alice", "send", "bob", "while you slept")
    time.sleep(4.5)  # longer than a link may be silent
    hosts.processes["bob"].signal(signal.SIGCONT)

    eventually(lambda: any("event=woke_up" in line for line in hosts.processes["bob"].output), within=NOTICED_WITHIN)
    eventually(hosts.delivered, within=NOTICED_WITHIN)
