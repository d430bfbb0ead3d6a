"""Two processes of simulated nodes, and what is asked of them together."""

import json
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from manager_load.calls import Caller
from manager_load.processes import HERE, LOAD_CORE
from manager_load.wrk import Person

_PROCESSES = 2
_WATCHERS = 100
_BACK_WITHIN = 120.0


class Crowds:
    """See the module."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._processes = [
            subprocess.Popen(
                ["/usr/bin/taskset", "-c", LOAD_CORE, sys.executable, str(HERE / "crowd.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(_PROCESSES)
        ]

    def _ask(self, asked: Sequence[dict[str, Any]]) -> list[Any]:
        for process, what in zip(self._processes, asked, strict=True):
            assert process.stdin is not None  # noqa: S101 - it is a pipe
            process.stdin.write(json.dumps(what) + "\n")
            process.stdin.flush()
        return [self._hear(process) for process in self._processes]

    @staticmethod
    def _hear(process: "subprocess.Popen[str]") -> Any:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        return json.loads(process.stdout.readline())["answer"]

    def connect(self, url: str, people: list[tuple[Person, str]]) -> None:
        """All connect; the first hundred watch the last person, who has no node."""
        share = math.ceil(self._count / _PROCESSES)
        watched, port = people[-1][1], int(url.rpartition(":")[2])
        asked = []
        for number in range(_PROCESSES):
            tokens = [person[1] for person, _ in people[number * share : min((number + 1) * share, self._count)]]
            watching = {str(at): watched for at in range(_WATCHERS // _PROCESSES)}
            asked.append({"do": "start", "port": port, "tokens": tokens, "watching": watching, "interval": 10.0})
        connected = sum(self._ask(asked))
        if connected != self._count:
            raise RuntimeError(f"{connected} of {self._count} connected")

    def take(self) -> dict[str, list[Any]]:
        """What happened since this was asked last."""
        taken = self._ask([{"do": "take"}] * _PROCESSES)
        return {what: [each for one in taken for each in one[what]] for what in ("came", "told")}

    def changes(self, url: str, ca: Path, person: Person, times: int) -> list[float]:
        """The watched person moves so many times: the seconds from each request until each watcher has heard it."""
        self.take()
        asked: dict[int, float] = {}
        with Caller(url, ca) as caller:
            for port in range(20_000, 20_000 + times):
                asked[port] = time.monotonic()
                caller.call("PUT", f"/users/reconnect/10.0.0.9/{person[0]}", {"port": port}, person[1])
                time.sleep(0.1)
        took = [heard - asked[port] for port, heard in self.take()["told"] if port in asked]
        if len(took) != times * _WATCHERS:
            raise RuntimeError(f"{len(took)} of {times * _WATCHERS} were heard")
        return took

    def come_back(self, count: int) -> list[float]:
        """When each opened its stream again."""
        came: list[float] = []
        deadline = time.monotonic() + _BACK_WITHIN
        while len(came) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(came)} of {count} came back")
            time.sleep(0.5)
            came += self.take()["came"]
        return came

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


def histogram(values: list[float], width: float) -> Counter[float]:
    """How many values lie in each stretch of so many seconds, by its beginning."""
    return Counter(math.floor(value / width) * width for value in values)
