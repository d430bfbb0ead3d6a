"""What our client of etcd costs: commits and reads a second against the same calls made bare.

``python bench/etcd.py`` starts three members with mutual TLS on loopback and drives them with 64 callers, each making
one call after the other on a key of its own, in rounds of two seconds that take turns:

- *commit*: :meth:`EtcdDirectory.commit`, create-if-absent of 200 bytes; *bare*: the same transaction through a callable
  of gRPC, without deadlines, failover, checks and types;
- *get* and *stale get*, linearizable and serializable, likewise.

It prints medians and ratios, and the processor time of this process for each call.
"""

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from telegraph.directory.etcd import rpc_pb2 as rpc
from telegraph.directory.etcd.calls import RANGE, TXN
from telegraph.directory.etcd.channels import Channels
from telegraph.directory.etcd.client import EtcdClient
from telegraph.directory.etcd.directory import EtcdDirectory
from telegraph.directory.port import Put, Unchanged
from telegraph.testing.etcd import EtcdCluster

CALLERS = 64
ROUNDS = 5
SECONDS = 2.0
VALUE = bytes(200)

Work = Callable[[int], Awaitable[object]]


class Figures:
    """What was measured of one kind of call, a value a round."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.costs: list[float] = []

    @property
    def rate(self) -> float:
        """Calls a second, the median."""
        return statistics.median(self.rates)

    @property
    def cost(self) -> float:
        """Microseconds of this process's processor for a call, the median."""
        return statistics.median(self.costs)


async def measured(work: Work, numbers: "itertools.count[int]", figures: Figures) -> None:
    """One round."""
    done, end = 0, time.perf_counter() + SECONDS

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await work(next(numbers))
            done += 1

    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    figures.rates.append(done / (time.perf_counter() - began))
    figures.costs.append((time.process_time() - used) / done * 1e6)


def works(directory: EtcdDirectory, bare: Channels, address: str) -> dict[str, Work]:
    """What is compared: ours, and the same bare."""
    txn, get = bare.unary(address, TXN), bare.unary(address, RANGE)

    async def our_commit(number: int) -> None:
        if await directory.commit([Unchanged(f"ours/{number}", 0)], [Put(f"ours/{number}", VALUE)]) is None:
            raise AssertionError("a key of its own was there already")

    def bare_commit(number: int) -> Awaitable[object]:
        key = f"/bench/bare/{number}".encode()
        absent = rpc.Compare(target=rpc.Compare.MOD, key=key, mod_revision=0)
        put = rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=VALUE))
        call: Awaitable[object] = txn(rpc.TxnRequest(compare=[absent], success=[put]))
        return call

    def bare_get(*, stale: bool) -> Work:
        return lambda _: get(rpc.RangeRequest(key=b"/bench/one", serializable=stale))

    return {
        "commit": our_commit,
        "bare commit": bare_commit,
        "get": lambda _: directory.get("one"),
        "bare get": bare_get(stale=False),
        "stale get": lambda _: directory.get("one", stale=True),
        "bare stale get": bare_get(stale=True),
    }


async def run(cluster: EtcdCluster) -> None:
    """All rounds, then the figures."""
    directory = EtcdDirectory(EtcdClient(cluster.addresses, cluster.tls), "/bench/", gather=False)
    bare = Channels(cluster.tls)
    await directory.commit([], [Put("one", VALUE)])
    numbers = itertools.count()
    compared = works(directory, bare, cluster.addresses[0])
    figures = {name: Figures() for name in compared}
    for _ in range(ROUNDS):
        for name, work in compared.items():
            await measured(work, numbers, figures[name])
    print(f"{'call':<16} {'a second':>10} {'processor':>12}   {CALLERS} in flight, 3 members, mutual TLS")
    for name, figure in figures.items():
        ratio = "" if name.startswith("bare") else f"   {figure.rate / figures[f'bare {name}'].rate:.2f} x bare"
        print(f"{name:<16} {figure.rate:>10,.0f} {figure.cost:>9.0f} us{ratio}", flush=True)
    await bare.close()
    await directory.close()


def main() -> None:
    """Starts the members and measures."""
    with tempfile.TemporaryDirectory() as folder, EtcdCluster(Path(folder), 3, secure=True) as cluster:
        asyncio.run(run(cluster))


if __name__ == "__main__":
    main()
