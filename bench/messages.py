"""How fast are messages from disk to disk, what waits when somebody returns, and how much memory does a node take?

Two nodes with a manager, in processes of their own on loopback; the baselines of messaging/floors.py in the same run,
rounds interleaved. ``--quick``: fewer rounds, a smaller store. ``--only NAME``: one figure. README.md beside this file
says more.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from messaging.ends import End, FloorPair
from messaging.report import Line, quantile, run_figures

from telegraph.testing.processes import RunningProcess, start_manager, start_node

MS = 1000


class Bench:
    """The processes of one run."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self.rounds = 3 if quick else 7
        self._open = ExitStack()
        self.floors = {
            name: self._floor(loop, synchronous, kind)
            for name, loop, synchronous, kind in (
                ("floor", "asyncio", "NORMAL", "record"),
                ("floor-FULL", "asyncio", "FULL", "record"),
                ("floor on uvloop", "uvloop", "NORMAL", "record"),
                ("floor-FULL on uvloop", "uvloop", "FULL", "record"),
                ("bare floor", "asyncio", "NORMAL", "bare"),
            )
        }
        self.manager = start_manager(folder / "manager")
        self._open.callback(self.manager.kill)
        self.alice, self.bob = self.join("alice"), self.join("bob")
        self.idle = float(self.alice.ask("resident"))
        self.alice.ask("one_at_a_time", to="bob", count=50)

    def _floor(self, loop: str, synchronous: str, kind: str) -> FloorPair:
        pair = FloorPair(loop, self.folder, synchronous, kind)
        self._open.callback(pair.close)
        return pair

    def join(self, name: str) -> End:
        """Somebody's node, registered."""
        end = self.person(name)
        end.ask("start")
        end.ask("register")
        return end

    def person(self, name: str) -> End:
        """A process for somebody's node, which is not started yet."""
        end = End("uvloop", "node", name, self.folder / name, self.url, self.ca, log=self.folder / "nodes.log")
        self._open.callback(end.close)
        return end

    @property
    def url(self) -> str:
        """Where the manager is."""
        assert self.manager.match is not None  # noqa: S101 - it is ready
        return self.manager.match["url"]

    @property
    def ca(self) -> Path:
        """The organisation's CA."""
        return self.folder / "manager" / "ca.pem"

    def close(self) -> None:
        """Ends every process."""
        self._open.close()


@contextmanager
def running(*, quick: bool) -> Iterator[Bench]:
    """A bench in a folder of its own on the project's disk: /tmp is often in memory."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        bench = Bench(Path(folder), quick=quick)
        try:
            yield bench
        finally:
            bench.close()


# --- figures ---


def throughput(bench: Bench) -> Iterator[Line]:
    """Delivered and acknowledged messages a second."""
    bars = {64: {"floor": 1.5, "floor-FULL": 6.0}, 1024: {"floor": 3.0}}
    for outstanding, count in ((64, 3000), (1024, 10_000)):
        rates: dict[str, list[float]] = {}
        for _ in range(bench.rounds):
            for name, pair in bench.floors.items():
                share = count // 4 if "FULL" in name else count
                rates.setdefault(name, []).append(pair.stream(outstanding, share))
            seconds = bench.alice.ask("stream", to="bob", outstanding=outstanding, count=count)
            rates.setdefault("telegraph", []).append(count / seconds)
        ours = statistics.median(rates["telegraph"])
        yield Line(f"messages/s, {outstanding} outstanding", f"{ours:,.0f}", spread=rates["telegraph"])
        for name in bench.floors:
            theirs = statistics.median(rates[name])
            bar = bars[outstanding].get(name)
            yield Line.ratio(f"  × {name} ({theirs:,.0f}/s)", ours / theirs, at_least=bar)


def round_trip(bench: Bench) -> Iterator[Line]:
    """One message at a time."""
    count = 100 if bench.quick else 300
    ends: dict[str, Callable[[], list[float]]] = {
        name: lambda pair=pair: pair.one_at_a_time(count)  # type: ignore[misc]
        for name, pair in bench.floors.items()
        if "FULL" in name
    }
    ends["telegraph"] = lambda: list(bench.alice.ask("one_at_a_time", to="bob", count=count))
    rounds: dict[str, list[list[float]]] = {name: [] for name in ends}
    for _ in range(bench.rounds):
        for name, run in ends.items():
            rounds[name].append(run())
    for label, share in (("p50", 0.50), ("p99", 0.99)):
        found = {name: statistics.median(quantile(took, share) for took in runs) for name, runs in rounds.items()}
        yield Line(f"round trip one at a time, {label}", f"{found['telegraph'] * MS:.2f} ms")
        for name in ends:
            if name != "telegraph":
                bar = 1.5 if name == "floor-FULL" else None
                shown = f"  × {name} ({found[name] * MS:.2f} ms)"
                yield Line.ratio(shown, found["telegraph"] / found[name], at_most=bar)


def return_of_many(bench: Bench) -> Iterator[Line]:
    """1,000 pending, then the peer comes."""
    from_ready, from_dialling = zip(*(_return(bench, 1000) for _ in range(bench.rounds)), strict=True)
    yield Line.seconds("1,000 pending, from dialling", statistics.median(from_dialling), at_most=0.15)
    yield Line.seconds("1,000 pending, from the peer's being ready", statistics.median(from_ready), at_most=0.5)


def return_of_one(bench: Bench) -> Iterator[Line]:
    """1 pending, then the peer comes."""
    from_ready = [_return(bench, 1)[0] for _ in range(5 if bench.quick else 30)]
    yield Line.seconds("1 pending, peer returns, p50", statistics.median(from_ready), at_most=0.3)
    yield Line.seconds("1 pending, peer returns, p99", quantile(from_ready, 0.99), at_most=1.0)


def _return(bench: Bench, count: int) -> tuple[float, float]:
    """Seconds until all is delivered, from when bob's node is ready, and from the dial that did it."""
    bench.bob.ask("stop")
    bench.alice.ask("send", to="bob", count=count)
    bench.alice.ask("dialled")
    bench.bob.ask("dialled")
    bench.alice.tell("last_delivered")
    ready = bench.bob.ask("start")
    delivered = bench.alice.hear()
    dials = [moment for end in (bench.alice, bench.bob) for moment in end.ask("dialled") if moment <= delivered]
    return max(delivered - ready, 0.0), delivered - max(dials)


def memory(bench: Bench) -> Iterator[Line]:
    """What a node takes."""
    bench.alice.ask("stream", to="bob", outstanding=1024, count=5000 if bench.quick else 50_000)
    after = max(float(end.ask("resident")) for end in (bench.alice, bench.bob))
    yield Line.megabytes("resident memory, idle", bench.idle, at_most=85)
    yield Line.megabytes("resident memory, after a stream", after, at_most=115)
    away = bench.join("carol")
    bench.alice.ask("one_at_a_time", to="carol", count=1)
    away.ask("stop")
    count = 10_000 if bench.quick else 100_000
    bench.alice.ask("send", to="carol", count=count)
    yield Line.megabytes(f"resident memory, {count:,} pending", float(bench.alice.ask("resident")), at_most=150)


def big_store(bench: Bench) -> Iterator[Line]:
    """A node with many messages: opening a conversation, searching, starting."""
    contacts, each = (10, 5000) if bench.quick else (10, 100_000)
    dave = bench.join("dave")
    start = time.perf_counter()
    dave.ask("fill", contacts=contacts, each=each)
    total = contacts * each
    yield Line(f"stored and indexed {total:,} messages", f"{time.perf_counter() - start:.0f} s")
    dave.ask("stop")
    dave.ask("start")
    opened = dave.ask("open_conversation", name="friend3", times=50)
    yield Line.milliseconds(f"opening a conversation of {each:,}, first time", opened[0])
    yield Line.milliseconds(f"opening a conversation of {each:,}, p50", statistics.median(opened), at_most=20)
    searched = dave.ask("look", times=60)
    yield Line.milliseconds(f"search in {total:,}, p50", statistics.median(searched), at_most=100)
    yield Line.milliseconds(f"search in {total:,}, p99", quantile(searched, 0.99))
    yield Line.megabytes(f"resident memory, {total:,} stored, after that", float(dave.ask("resident")))
    dave.ask("stop")
    starts = [_start(bench, "dave", "--key-file", str(bench.folder / "dave.key")) for _ in range(bench.rounds)]
    yield Line.seconds(f"start to ready, {total:,} stored, by key file", statistics.median(starts), at_most=1.5)
    (bench.folder / "dave.key").unlink()
    dave.ask("start")
    yield Line.milliseconds("  and a log-in that opens the store by Argon2id", float(dave.ask("unlock")))


def _start(bench: Bench, name: str, *options: str) -> float:
    """Seconds from starting the process until it says that it is ready."""
    start = time.perf_counter()
    process: RunningProcess = start_node(bench.folder / name, bench.url, bench.ca, *options)
    took = time.perf_counter() - start
    process.stop()
    return took


FIGURES = (throughput, round_trip, return_of_many, return_of_one, memory, big_store)


def main() -> None:
    """Runs the figures that were asked for."""
    run_figures(__doc__, FIGURES, running)


if __name__ == "__main__":
    main()
