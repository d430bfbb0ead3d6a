"""How much does it help that writes which arrive together share one synced commit (telegraph.storage.writer)?"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import connect
from telegraph.storage.writer import Writer

WRITES = 500
ROUNDS = 5


def insert(connection: sqlite3.Connection) -> None:
    """One small durable write, the size of a short message."""
    connection.execute("INSERT INTO messages (text) VALUES (?)", ("x" * 200,))


async def alone(writer: Writer) -> None:
    """Each write waits for the one before: one commit each."""
    for _ in range(WRITES):
        await writer.run(insert)


async def together(writer: Writer) -> None:
    """All writes are handed in at once: they share commits."""
    await asyncio.gather(*(writer.run(insert) for _ in range(WRITES)))


async def rate(work: Callable[[Writer], Awaitable[None]], writer: Writer) -> float:
    """Writes per second of one round."""
    start = time.perf_counter()
    await work(writer)
    return WRITES / (time.perf_counter() - start)


async def main() -> None:
    """Prints the medians and their ratio; the rounds alternate, so that a busy moment hits both."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # the disk of the project: /tmp is often in memory
        writer = Writer(lambda: connect(Path(folder) / "bench.sqlite3"), "bench-writer")
        await writer.run(lambda db: db.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, text TEXT)").rowcount)
        rounds = [(await rate(alone, writer), await rate(together, writer)) for _ in range(ROUNDS)]
        await writer.close()
    singly, grouped = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"Durable writes per second, median of {ROUNDS} rounds of {WRITES}:")
    print(f"  one at a time  {singly:10,.0f}")
    print(f"  handed in together {grouped:6,.0f}")
    print(f"  ratio          {grouped / singly:10.1f}")


if __name__ == "__main__":
    asyncio.run(main())
