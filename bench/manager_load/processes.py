"""Processes of the bench, the cores that they are pinned to, and what they use."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from telegraph.testing.processes import PROGRAM, RunningProcess

SERVER_CORE, LOAD_CORE = "0", "1"
HERE = Path(__file__).parent

ON_ONE_CORE = ("taskset", "-c", SERVER_CORE, *PROGRAM)
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def start_bare(kind: str) -> RunningProcess:
    """The baseline, on the manager's core."""
    program = ("taskset", "-c", SERVER_CORE, sys.executable, str(HERE / "bare.py"))
    return RunningProcess(kind, ready=r"Bare ready: (?P<url>\S+)", program=program)


def url_of(process: RunningProcess) -> str:
    """Where it answers."""
    assert process.match is not None  # noqa: S101 - it is ready
    return process.match["url"]


def cpu(pids: Sequence[int]) -> float:
    """Seconds of CPU that processes have used."""
    return sum(_cpu(pid) for pid in pids)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident(pids: Sequence[int]) -> float:
    """What processes have in memory together, MB."""
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids) * _PAGE / 1e6


def family(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from family(int(child))
