"""Real ``telegraph`` processes for tests: started, awaited until ready, killed."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

READY_WITHIN = 30.0
STOPPED_WITHIN = 15.0

PASSWORD = "correct horse battery"
"""Everybody's, in these tests."""

COMMAND_WITHIN = 60.0

PROGRAM = (sys.executable, "-m", "telegraph")


class RunningProcess:
    """A daemon of ours in a process group of its own; use it as a context manager, so that it ends with the test."""

    def __init__(
        self,
        *arguments: str | Path,
        ready: str,
        env: dict[str, str] | None = None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        """Starts ``telegraph ARGUMENTS`` and waits for a line on stdout that matches ``ready``.

        ``program`` is what to start instead of ``telegraph``, or the same by way of another command.

        Raises:
            AssertionError: it ended or took too long; the message carries its output.
        """
        self.arguments = [str(argument) for argument in arguments]
        self.output: list[str] = []
        self._ready = threading.Event()
        self.match: re.Match[str] | None = None
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [*program, *self.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(re.compile(ready),), daemon=True)
        self._reader.start()
        if not self._ready.wait(READY_WITHIN) or self.match is None:
            self.kill()
            raise AssertionError(f"telegraph {' '.join(self.arguments)} is not ready:\n{self.log}")

    def _read(self, ready: re.Pattern[str]) -> None:
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        for line in self.process.stdout:
            self.output.append(line)
            if self.match is None and (found := ready.search(line)):
                self.match = found
                self._ready.set()
        self._ready.set()

    @property
    def log(self) -> str:
        """Everything it has printed."""
        return "".join(self.output)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to it and its children."""
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """As a crash: SIGKILL, then waits until it is gone."""
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
        self.process.wait(STOPPED_WITHIN)
        self._reader.join(STOPPED_WITHIN)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def stop(self) -> int:
        """As an administrator: SIGTERM, then its exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.process.wait(STOPPED_WITHIN)
        self.kill()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def start_manager(data: Path, *options: str, program: Sequence[str] = PROGRAM) -> RunningProcess:
    """A manager on free ports with the cheapest bcrypt."""
    return RunningProcess(
        *("manager", "run", "--data", str(data), "--port", "0", "--udp-port", "0", "--bcrypt-cost", "4", *options),
        ready=r"Manager ready: (?P<url>https?://\S+)",
        env={"TELEGRAPH_TESTING": "1"},
        program=program,
    )


def start_node(
    data: Path,
    manager: str,
    ca: Path,
    *options: str,
    unattended: bool = True,
    env: dict[str, str] | None = None,
    program: Sequence[str] = PROGRAM,
) -> RunningProcess:
    """A node on free ports that knows its manager and CA.

    A key file beside ``data`` unlocks it after a restart, unless not ``unattended``.
    """
    unlocking = ("--key-file", str(data.with_name(f"{data.name}.key"))) if unattended else ()
    return RunningProcess(
        *("node", "run", "--data", str(data), "--manager", manager, "--ca", str(ca), "--host", "127.0.0.1"),
        *("--peer-port", "0", "--api-port", "0", "--argon2-memory", "32"),
        *unlocking,
        *options,
        ready=r"Node ready: (?P<url>http://\S+)",
        env={"TELEGRAPH_TESTING": "1", **(env or {})},
        program=program,
    )


def eventually(what: Callable[[], bool], within: float = 15.0) -> None:
    """Waits until something is so; each look is a real command, which paces the loop.

    Raises:
        AssertionError: it did not become so in time.
    """
    deadline = time.monotonic() + within
    while not what():
        if time.monotonic() > deadline:
            raise AssertionError("it did not become so in time")


class Finished:
    """What a command of the command line said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        """Its stdout as JSON."""
        return json.loads(self.out)


def telegraph(
    *arguments: str | Path, password: str | None = None, stdin: str | None = None, program: Sequence[str] = PROGRAM
) -> Finished:
    """Runs one command to its end; the password goes by TELEGRAPH_PASSWORD; ``program`` as of RunningProcess."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("TELEGRAPH_")}
    if password is not None:
        env["TELEGRAPH_PASSWORD"] = password
    done = subprocess.run(  # noqa: S603 - our own program
        [*program, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        env=env,
        input=stdin or "",
        timeout=COMMAND_WITHIN,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


class RealTelegraph:
    """A manager and people's nodes, all real processes, each with a data directory below ``root``."""

    def __init__(self, root: Path, *options: str) -> None:
        """Starts the manager, with further options of ``telegraph manager run``."""
        self.root = root
        self.manager = start_manager(root / "manager", *options)
        self.nodes: dict[str, RunningProcess] = {}

    @property
    def url(self) -> str:
        """Where the manager is."""
        assert self.manager.match is not None  # noqa: S101 - it is ready
        return self.manager.match["url"]

    def start(self, name: str, *options: str, unattended: bool = True) -> None:
        """Starts somebody's node; unless ``unattended``, it is locked until they log in."""
        ca = self.root / "manager" / "ca.pem"
        self.nodes[name] = start_node(self.root / name, self.url, ca, *options, unattended=unattended)

    def say(self, name: str, *words: str) -> Finished:
        """Runs one command of the command line on somebody's node."""
        return telegraph(*words, "--data", self.root / name, "--format", "json", password=PASSWORD)

    def ask(self, name: str, *words: str) -> Any:
        """Runs a command that must succeed: what it printed as JSON."""
        finished = self.say(name, *words)
        if finished.code:
            raise AssertionError(finished.err)
        return finished.json

    def token(self, name: str) -> str:
        """The token of somebody's local API."""
        return (self.root / name / "api-token").read_text().strip()

    def api(self, name: str) -> str:
        """Where somebody's local API is."""
        return (self.root / name / "api-endpoint").read_text().strip()

    def post(self, name: str, path: str, **body: str) -> Any:
        """One POST to somebody's local API, which must succeed: the answer."""
        request = urllib.request.Request(  # noqa: S310 - our own node
            f"{self.api(name)}/api/v1{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token(name)}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=COMMAND_WITHIN) as answer:  # noqa: S310 - our own node
            return json.load(answer)

    def get(self, name: str, path: str) -> Any:
        """One GET of somebody's local API, which must succeed: the answer."""
        request = urllib.request.Request(  # noqa: S310 - our own node
            f"{self.api(name)}/api/v1{path}", headers={"Authorization": f"Bearer {self.token(name)}"}
        )
        with urllib.request.urlopen(request, timeout=COMMAND_WITHIN) as answer:  # noqa: S310 - our own node
            return json.load(answer)

    def states(self, name: str, other: str) -> list[str]:
        """The states of all messages of a conversation, in order."""
        return [message["state"] for message in self.ask(name, "history", other)]

    @staticmethod
    def eventually(what: Callable[[], bool], within: float = 15.0) -> None:
        """See :func:`eventually`."""
        eventually(what, within)

    def join(self, name: str, *options: str, unattended: bool = True) -> None:
        """Starts somebody's node and makes their account."""
        self.start(name, *options, unattended=unattended)
        self.ask(name, "register", name)

    def close(self) -> None:
        """Kills everything."""
        for process in (*self.nodes.values(), self.manager):
            process.kill()
