"""A node as an end of the bench: as ``telegraph node run`` has it, with its local API, driven from inside."""

import asyncio
import os
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random

from messaging.driving import WORDS, one_at_a_time, stream, text
from telegraph.cli.running import configure_logging, hand_over_quickly
from telegraph.node import history, search, streams
from telegraph.node.api.server import LocalApi
from telegraph.node.app import Node
from telegraph.node.ids import next_id
from telegraph.node.model import Message
from telegraph.peer.tls import TlsEndpoint
from telegraph.protocol.frames import MessageFrame
from telegraph.storage.engine import sqlite3

PASSWORD = "a password for benches"  # noqa: S105 - made-up people

_CALLERS = 64
_FILL_AT_ONCE = 1000


class NodeEnd:
    """One person's node."""

    def __init__(self, name: str, data: str, manager: str, ca: str) -> None:
        configure_logging()
        hand_over_quickly()
        self._name, self._data, self._manager, self._ca = name, Path(data), manager, ca
        self._open = AsyncExitStack()
        self._last: Message | None = None
        self._dialled: list[float] = []
        self._watch_dials()

    def _watch_dials(self) -> None:
        dial = TlsEndpoint.dial

        async def noted(*arguments: object) -> object:
            self._dialled.append(time.monotonic())
            return await dial(*arguments)  # type: ignore[arg-type]

        TlsEndpoint.dial = noted  # type: ignore[method-assign,assignment]

    async def start(self) -> float:
        """Starts the node: when it was ready. From the second time on the key file opens its store."""
        self.node = Node(
            self._data,
            manager=self._manager,
            ca=self._ca,
            host="127.0.0.1",
            peer_port=0,
            key_file=self._data.with_suffix(".key"),
        )
        await self._open.enter_async_context(self.node)
        await self._open.enter_async_context(LocalApi(self.node))
        return time.monotonic()

    async def register(self) -> None:
        """Makes the account."""
        await self.node.register(self._name, PASSWORD)

    async def stop(self) -> None:
        """Stops the node properly; the process goes on."""
        await self.node.depart()
        await self._open.aclose()

    # --- sending ---

    async def _deliver(self, to: str, what: str) -> None:
        await self.node.delivered(await self.node.send(to, what))

    async def stream(self, to: str, outstanding: int, count: int) -> float:
        """See :func:`messaging.driving.stream`; it is over when the outbox on disk is empty."""
        start = time.perf_counter()
        await stream(lambda what: self._deliver(to, what), outstanding, count)
        while history.pending_count(self.node.database.reader):  # noqa: ASYNC110 - no event says that it is empty
            await asyncio.sleep(0.0005)
        return time.perf_counter() - start

    async def one_at_a_time(self, to: str, count: int) -> list[float]:
        """See :func:`messaging.driving.one_at_a_time`."""
        return await one_at_a_time(lambda what: self._deliver(to, what), count)

    async def send(self, to: str, count: int) -> None:
        """Hands over texts without waiting for their delivery, 64 callers at a time."""
        numbers = iter(range(count))

        async def caller() -> None:
            for number in numbers:
                self._last = await self.node.send(to, text(number))

        await asyncio.gather(*(caller() for _ in range(_CALLERS)))

    async def last_delivered(self) -> float:
        """Waits until the message that was sent last is delivered: when it was."""
        assert self._last is not None  # noqa: S101 - one was sent
        await self.node.delivered(self._last)
        return time.monotonic()

    async def dialled(self) -> list[float]:
        """When other nodes were dialled, since this was asked last."""
        moments, self._dialled = self._dialled, []
        return moments

    # --- what is stored ---

    async def fill(self, contacts: int, each: int) -> None:
        """Stores conversations with made-up people, as if their messages had come one after the other; and indexes."""
        for number in range(contacts):
            contact = await self.node.database.write(partial(_befriend, name=f"friend{number}"))
            for first in range(1, each + 1, _FILL_AT_ONCE):
                frames = _messages(number, first, min(_FILL_AT_ONCE, each - first + 1))
                await self.node.database.write(partial(streams.receive, contact=contact, frames=frames))
        while search.behind(self.node.database.reader):
            self.node._broker.wake()  # noqa: SLF001 - nobody said that messages are there
            await asyncio.sleep(0.1)

    async def open_conversation(self, name: str, times: int) -> list[float]:
        """The seconds that its last 50 messages take, each time."""
        took = []
        for _ in range(times):
            start = time.perf_counter()
            messages, _ = await self.node.history(name, limit=50)
            took.append(time.perf_counter() - start)
            assert len(messages) == 50  # noqa: S101 - a bench of nothing would be quick
        return took

    async def look(self, times: int) -> list[float]:
        """The seconds of searches for one word, for two, and for the beginning of one, in turn."""
        took, rng = [], Random(2)  # noqa: S311 - the same words in each run
        for number in range(times):
            words = " ".join(rng.choices(WORDS, k=1 + number % 2))
            start = time.perf_counter()
            await self.node.search(words if number % 3 else words[:-1] or words)
            took.append(time.perf_counter() - start)
        return took

    async def unlock(self) -> float:
        """The seconds that a log-in takes, Argon2id included."""
        start = time.perf_counter()
        await self.node.login(self._name, PASSWORD)
        return time.perf_counter() - start

    async def resident(self) -> float:
        """What the process has in memory, MB."""
        return _resident()


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _befriend(connection: sqlite3.Connection, name: str) -> int:
    connection.execute(
        "INSERT INTO contacts (user_id, username, name_key, device_key) VALUES (?, ?, ?, ?)",
        (f"{name}-id", name, name, name.encode().ljust(32)),
    )
    (row,) = connection.execute("SELECT id FROM contacts WHERE username = ?", (name,)).fetchone()
    return int(row)


def _messages(number: int, first: int, count: int) -> list[MessageFrame]:
    rng, ids = Random(f"{number} {first}"), [b""]  # noqa: S311 - made-up ids
    for seq in range(first, first + count):
        ids.append(next_id(ids[-1], (1_700_000_000 + number * 10_000_000 + seq) * 1000, rng))
    return [
        MessageFrame(
            id=uuid,
            seq=first + index,
            seen=0,
            sender=f"friend{number}-id",
            recipient="",
            sent_at=(1_700_000_000 + first + index) * 1_000_000,
            text=text(first + index),
        )
        for index, uuid in enumerate(ids[1:])
    ]
