"""A real group of manager processes for tests, each with its own etcd, on loopback or on hosts of their own.

::

    with ManagerGroup(tmp_path) as group:      # three managers that have joined
        alice = start_node(tmp_path / "alice", group.urls[0], group.ca)
        group.kill(0)                          # SIGKILL, as a crash; its etcd dies with it
        group.start(0)
"""

import random
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self

from telegraph.testing.processes import PROGRAM, RunningProcess, telegraph

_PORTS: Final = range(10_000, 30_000)
"""Below the ports that the kernel gives out by itself."""

_PORTS_EACH: Final = 4
"""Of a manager: its API, two of etcd, and that for other sites."""

READY: Final = r"Manager ready: (?P<url>https?://\S+)"
JOINED_WITHIN: Final = 90.0


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody uses on loopback now."""
    while True:
        first = random.choice(_PORTS)  # noqa: S311 - no secret
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first


class ManagerGroup:
    """Managers that form one group. Manager 0 has begun it; the others have joined one after the other.

    Attributes:
        running: their processes by number; those that were killed or stopped are not in it.
        urls: their URLs by number, which stay the same over restarts.
    """

    def __init__(
        self,
        root: Path,
        count: int = 3,
        *options: str,
        host: Callable[[int], str] = lambda _number: "127.0.0.1",
        program: Callable[[int], Sequence[str]] = lambda _number: PROGRAM,
    ) -> None:
        """Starts them.

        Args:
            root: an existing directory for their data.
            count: how many.
            options: further options of ``telegraph manager run``, for all of them.
            host: the address that each listens on.
            program: what to start instead of ``telegraph``, or the same by way of another command (``ip netns exec``).
        """
        self.root = root
        self._options, self._host, self._program = options, host, program
        self._ports: dict[int, int] = {}
        self.running: dict[int, RunningProcess] = {}
        self.urls: list[str] = []
        try:
            for _ in range(count):
                self.add()
        except BaseException:
            self.close()
            raise

    def data(self, number: int) -> Path:
        """A manager's data directory."""
        return self.root / f"manager-{number}"

    @property
    def ca(self) -> Path:
        """The organisation CA's certificate file, which every manager has."""
        return self.data(0) / "ca.pem"

    def etcd_port(self, number: int) -> int:
        """The port of a manager's etcd."""
        return self._ports[number] + 1

    def _next(self) -> int:
        number = len(self.urls)
        self._ports[number] = free_ports(_PORTS_EACH)
        self.urls.append(f"https://{self._host(number)}:{self._ports[number]}")
        return number

    def add_single(self) -> int:
        """Starts a manager that is part of no group: its number."""
        number = self._next()
        self.start(number)
        return number

    def add(self, *options: str) -> int:
        """Starts one more manager and lets it join: its number."""
        number = self._next()
        entering = ("--cluster-init",) if number == 0 else self.joining()
        self.start(number, *entering, *options)
        return number

    def form(self, count: int, *options: str) -> None:
        """Starts so many managers at once, which form the group by themselves; much quicker than one after the other.

        Each must have an address of its own; they share the ports.
        """
        first = free_ports(_PORTS_EACH)
        peers = [word for number in range(count) for word in ("--peers-dns", self._host(number))]
        for number in range(count):
            self._ports[number] = first
            self.urls.append(f"https://{self._host(number)}:{first}")
        self.start_all("--bootstrap-expect", str(count), *peers, *options)

    def joining(self) -> tuple[str, ...]:
        """The options with which a manager joins those that run."""
        known = next(iter(self.running))
        return ("--join", self.urls[known], "--token", self.say(known, "token")["token"])

    def start(self, number: int, *options: str) -> RunningProcess:
        """Starts a manager that is not running, on its old data and ports, and waits until it answers.

        That takes a majority: to start several, use :meth:`start_all`.
        """
        first = self._ports[number]
        process = self.running[number] = RunningProcess(
            *("manager", "run", "--data", str(self.data(number)), "--host", self._host(number)),
            *("--port", str(first), "--udp-port", "0", "--bcrypt-cost", "4", "--etcd-port", str(first + 1)),
            *self._options,
            *options,
            ready=READY,
            env={"TELEGRAPH_TESTING": "1"},
            program=self._program(number),
        )
        return process

    def start_all(self, *options: str) -> None:
        """Starts all that are not running at once, and waits until they answer."""
        failures: list[BaseException] = []

        def start(number: int) -> None:
            try:
                self.start(number, *options)
            except BaseException as failure:  # noqa: BLE001 - it is raised below, in the test's own thread
                failures.append(failure)

        waiting = [number for number in range(len(self.urls)) if number not in self.running]
        threads = [threading.Thread(target=start, args=(number,)) for number in waiting]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def kill(self, *numbers: int) -> None:
        """Managers crash, all at once."""
        killed = [self.running.pop(number) for number in numbers]
        for process in killed:
            process.process.kill()
        for process in killed:
            process.kill()

    def stop(self, number: int) -> int:
        """A manager is told to stop: its exit code."""
        return self.running.pop(number).stop()

    def say(self, number: int, *words: str) -> Any:
        """Runs ``telegraph manager WORDS --data …`` beside a manager, which must succeed: what it printed as JSON."""
        place = ("--data", str(self.data(number)), "--format", "json")
        finished = telegraph("manager", *words, *place, program=self._program(number))
        if finished.code:
            raise AssertionError(finished.err)
        return finished.json

    def close(self) -> None:
        """Kills all."""
        while self.running:
            self.kill(next(iter(self.running)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
