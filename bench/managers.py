"""How many look-ups, heartbeats and registrations does a manager do, and what do a group and 10,000 nodes cost?

Real managers, SQLite and a group of three on etcd, on loopback; the baselines in the same run, rounds interleaved.
``--quick``: fewer and shorter rounds, 2,000 nodes. ``--only NAME``: one figure. README.md beside this file says more.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from manager_load import crowds, groups, wrk
from manager_load.people import write_people
from manager_load.processes import ON_ONE_CORE, SERVER_CORE, cpu, family, resident, start_bare, url_of
from messaging.report import Line, quantile, show

from telegraph.testing.groups import ManagerGroup
from telegraph.testing.processes import PROGRAM, RunningProcess, start_manager

SHARE_OF_BARE: Final = 0.7
_PEOPLE: Final = 64


class Bench:
    """What all figures need to know."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self.rounds = 3 if quick else 5

    def place(self, name: str) -> Path:
        """An empty folder."""
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700)
        return place


# --- calls by HTTPS on one core ---


def calls(bench: Bench) -> Iterator[Line]:
    """Look-ups and heartbeats a second, on SQLite and on etcd."""
    alone = bench.place("alone")
    people = [person for person, _ in asyncio.run(write_people(alone, _PEOPLE))]
    stock, ours = start_bare("stock"), start_bare("ours")
    single = start_manager(alone, program=ON_ONE_CORE)
    with stock, ours, single, _pinned_group(bench) as group:
        members = groups.people(group, _PEOPLE)
        targets = {
            "bare": (url_of(stock), stock.process.pid, people),
            "bare on our server": (url_of(ours), ours.process.pid, people),
            "SQLite": (url_of(single), single.process.pid, people),
            "etcd": (group.urls[0], group.running[0].process.pid, members),
        }
        for what, script in (("look-ups", wrk.look_ups), ("heartbeats", wrk.heartbeats)):
            yield from _compared(bench, what, script, targets)


def _pinned_group(bench: Bench) -> ManagerGroup:
    pinned = ("taskset", "-c", SERVER_CORE, *PROGRAM)
    return ManagerGroup(bench.place("pinned"), 3, program=lambda _number: pinned)


Targets = dict[str, tuple[str, int, list[wrk.Person]]]


def _compared(bench: Bench, what: str, script: Callable[[list[wrk.Person]], str], targets: Targets) -> Iterator[Line]:
    rates: dict[str, list[wrk.Rate]] = {name: [] for name in targets}
    seconds = 2.0 if bench.quick else 4.0
    for number in range(bench.rounds + 1):
        for name, (url, pid, people) in targets.items():
            path = bench.folder / "requests.lua"
            path.write_text(script(people))
            rate = wrk.run(url, path, pid, seconds)
            if number:  # the first warms up
                rates[name].append(rate)
    bare = rates["bare"]
    for name, found in rates.items():
        by_cpu = [rate.cpu for rate in found]
        yield Line(f"{what}/s of one core's time, {name}", f"{statistics.median(by_cpu):,.0f}", spread=by_cpu)
        if name == "bare":
            continue
        for label, field, bar in (
            ("CPU", 1, SHARE_OF_BARE if name in ("SQLite", "etcd") else None),
            ("clock", 0, None),
        ):
            ratio = statistics.median(ours[field] / theirs[field] for ours, theirs in zip(found, bare, strict=True))
            yield Line.ratio(f"  × bare, by {label}", ratio, at_least=bar)


# --- a group of three ---


def registrations(bench: Bench) -> Iterator[Line]:
    """Registrations a second, 64 in flight, against etcd's create-if-absent through the same client."""
    with ManagerGroup(bench.place("registrations")) as group:
        found = asyncio.run(groups.registrations(group, 2.0 if bench.quick else 4.0, bench.rounds))
    for name, label in (
        ("ours", "registrations/s, 64 in flight"),
        ("raw", "  raw create-if-absent/s"),
        ("hashed", "  raw, each after a hash as ours/s"),
        ("gathered", "  raw, gathered as ours/s"),
    ):
        rates = [getattr(each, name) for each in found]
        yield Line(label, f"{statistics.median(rates):,.0f}", spread=rates)
    yield Line.ratio("  × raw", statistics.median(each.ours / each.raw for each in found), at_least=0.6)
    yield Line.ratio("  × raw with a hash", statistics.median(each.ours / each.hashed for each in found))


def leader_killed(bench: Bench) -> Iterator[Line]:
    """The leader of etcd is killed with its manager: until the next write is done, and how long reads stop."""
    writes, reads = [], []
    with ManagerGroup(bench.place("killed")) as group:
        for number in range(bench.rounds):
            write, read = groups.kill_leader(group, number)
            writes.append(write)
            reads.append(read)
    yield Line.seconds("leader killed: first write after, p50", statistics.median(writes), at_most=3.0)
    yield Line.seconds("leader killed: first write after, longest", max(writes))
    yield Line.seconds("leader killed: longest pause of reads", max(reads), at_most=1.0)


def idle(bench: Bench) -> Iterator[Line]:
    """Three managers and their etcd with nothing to do."""
    seconds = 10.0 if bench.quick else 30.0
    with ManagerGroup(bench.place("idle")) as group:
        time.sleep(5)
        roots = [running.process.pid for running in group.running.values()]
        pids = [pid for root in roots for pid in family(root)]
        etcd = [pid for pid in pids if pid not in roots]
        shares = [_share(pids, seconds / bench.rounds) for _ in range(bench.rounds)]
        managers = _share(roots, seconds / bench.rounds)
        yield Line.percent("3 managers and their etcd idle, of one core", statistics.median(shares), at_most=15)
        yield Line.percent("  of it the managers", managers)
        yield Line.megabytes("3 managers and their etcd idle, resident", resident(pids), at_most=600)
        yield Line.megabytes("  of it etcd", resident(etcd))


def _share(pids: list[int], seconds: float) -> float:
    begun, before = time.monotonic(), cpu(pids)
    time.sleep(seconds)
    return 100 * (cpu(pids) - before) / (time.monotonic() - begun)


# --- many nodes ---


def crowd(bench: Bench) -> Iterator[Line]:
    """Many nodes connected to one manager: CPU, memory, a change to 100 watchers, and coming back after a restart."""
    count = 2000 if bench.quick else 10_000
    place = bench.place("crowd")
    people = asyncio.run(write_people(place, count + 1))
    manager = start_manager(place, program=ON_ONE_CORE)
    with crowds.Crowds(count) as nodes:
        bare = start_bare("stock")
        with bare:
            used = _carried(bench, bare, nodes, people)
        yield Line.percent(f"{count:,} streams on a bare Litestar, of one core", used[0])
        yield Line.megabytes("  resident", used[1])
    with crowds.Crowds(count) as nodes, manager:
        used = _carried(bench, manager, nodes, people)
        yield Line.percent(f"{count:,} nodes connected, of one core", used[0], at_most=30)
        yield Line.megabytes("  resident", used[1], at_most=650)
        took = nodes.changes(url_of(manager), place / "ca.pem", people[-1][0], 10 if bench.quick else 50)
        yield Line.milliseconds("a change reaches 100 watchers, p50", statistics.median(took))
        yield Line.milliseconds("a change reaches 100 watchers, p99", quantile(took, 0.99), at_most=50)
        yield from _restarted(manager, place, nodes, count)


def _carried(
    bench: Bench, server: RunningProcess, nodes: crowds.Crowds, people: list[tuple[wrk.Person, str]]
) -> tuple[float, float]:
    nodes.connect(url_of(server), people)
    time.sleep(10)  # so that the last one's first heartbeat is over
    pid, seconds = server.process.pid, 3.0 if bench.quick else 10.0
    shares = [_share([pid], seconds) for _ in range(bench.rounds)]
    return statistics.median(shares), resident([pid])


def _restarted(manager: RunningProcess, place: Path, nodes: crowds.Crowds, count: int) -> Iterator[Line]:
    url = url_of(manager)
    nodes.take()
    manager.kill()
    again = start_manager(place, "--port", url.rpartition(":")[2], program=ON_ONE_CORE)
    with again:
        ready = time.monotonic()
        came = nodes.come_back(count)
        after = sorted(moment - ready for moment in came)
        yield Line.seconds("manager killed and started: half are back after", after[len(after) // 2])
        yield Line.seconds("  all are back after", after[-1])
        busiest = max(crowds.histogram(after, 0.1).values())
        yield Line("  in the busiest tenth of a second came", f"{100 * busiest / count:.1f} %")
        for second, number in sorted(crowds.histogram(after, 1.0).items()):
            yield Line(f"    {second:4.0f} s {'#' * round(40 * number / count)}", f"{number}")
        yield Line.megabytes("  resident", resident([again.process.pid]))


FIGURES = (calls, registrations, leader_killed, idle, crowd)


def main() -> None:
    """Runs the figures that were asked for and prints each as it comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=[figure.__name__ for figure in FIGURES])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        for figure in FIGURES:
            if options.only in (None, figure.__name__):
                show(figure(Bench(Path(folder), quick=options.quick)))


if __name__ == "__main__":
    main()
