"""Look-ups, heartbeats and registrations by wrk (apt package ``wrk``), quick enough not to be what is measured."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from manager_load.processes import LOAD_CORE, cpu

Person = tuple[str, str]
"""Name and token."""

_CONNECTIONS = 32


class Rate(NamedTuple):
    """Requests a second by the clock, and by the server's CPU time: on a busy machine only this means something."""

    wall: float
    cpu: float


def look_ups(people: Sequence[Person]) -> str:
    """A script: everybody looks somebody else up, in turn."""
    return _script(
        f'wrk.format("GET", "/users/{people[(at * 7 + 1) % len(people)][0]}", {_headers(token)})'
        for at, (_, token) in enumerate(people)
    )


def heartbeats(people: Sequence[Person]) -> str:
    """A script: everybody's heartbeats, in turn."""
    return _script(
        f'wrk.format("POST", "/heartbeat", {_headers(token, body=True)}, \'{{"username":"{name}"}}\')'
        for name, token in people
    )


def registrations(prefix: str) -> str:
    """A script: one person after the other registers, whose names begin like this."""
    body = f'{{"username":"{prefix}\' .. at .. \'","password":"a password for benches","ip":"10.0.0.1","port":8000}}'
    return f"""local at, headers = 0, {{["Content-Type"] = "application/json"}}
request = function() at = at + 1; return wrk.format("POST", "/register", headers, '{body}') end
"""


def _headers(token: str, *, body: bool = False) -> str:
    more = ', ["Content-Type"] = "application/json"' if body else ""
    return f'{{["Authorization"] = "Bearer {token}"{more}}}'


def _script(requests: object) -> str:
    lines = [f"requests[{at}] = {request}" for at, request in enumerate(requests)]  # type: ignore[var-annotated,arg-type]
    turn = f"request = function() at = (at + 1) % {len(lines)}; return requests[at] end"
    return "\n".join(["local requests, at = {}, 0", "init = function()", *lines, "end", turn, ""])


def run(url: str, script: Path, pid: int, seconds: float) -> Rate:
    """One round.

    Raises:
        RuntimeError: an answer was no success.
    """
    before = cpu([pid])
    command = ("taskset", "-c", LOAD_CORE, *_command(url, script, _CONNECTIONS, seconds))
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = cpu([pid]) - before
    count, took = _result(said)
    return Rate(count / took, count / used)


def _command(url: str, script: Path, connections: int, seconds: float) -> tuple[str, ...]:
    return ("wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", str(script), url)


def _result(said: str) -> tuple[int, float]:
    found = re.search(r"(\d+) requests in ([\d.]+)s", said)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    return int(found[1]), float(found[2])


def run_several(urls: Sequence[str], scripts: Sequence[Path], connections: int, seconds: float) -> float:
    """One round at several servers at once, a script for each: requests a second of all together.

    Raises:
        RuntimeError: an answer was no success.
    """
    running = [
        subprocess.Popen(
            _command(url, script, (connections + at) // len(urls), seconds), stdout=subprocess.PIPE, text=True
        )
        for at, (url, script) in enumerate(zip(urls, scripts, strict=True))
    ]
    results = [_result(process.communicate()[0]) for process in running]
    return sum(count / took for count, took in results)
