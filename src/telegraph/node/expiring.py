"""Lets messages fail whose time is up: the task around :mod:`telegraph.node.expiry`."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

import msgspec

from telegraph.node import voids
from telegraph.node.database import Database
from telegraph.node.expiry import Anchor, SteadyTime, wait
from telegraph.storage.engine import sqlite3

_SETTING: Final = "steady_time"
_KEPT_EVERY: Final = 60.0
"""Seconds between two looks at the clocks while something can expire."""

_AT_ONCE: Final = 256
_COUNTER: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The counter that also counts while a Linux machine sleeps."""


def machine_counter() -> int:
    """Microseconds of the machine's own counter, which nobody sets."""
    return time.clock_gettime_ns(_COUNTER) // 1000


def wall_clock() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class Expiring:
    """The messages of one store that may expire; :meth:`run` is its task."""

    def __init__(
        self,
        database: Database,
        happened: Callable[[int], None],
        *,
        wall: Callable[[], int] = wall_clock,
        counter: Callable[[], int] = machine_counter,
    ) -> None:
        """``happened`` is told the contact of each message that failed."""
        self._database = database
        self._happened = happened
        self._wall = wall
        self._counter = counter
        saved = database.setting(_SETTING)
        anchor = msgspec.json.decode(saved, type=Anchor) if saved else None
        self._time = SteadyTime(anchor, wall=wall(), counter=counter())
        self._news = asyncio.Event()

    def give(self, connection: sqlite3.Connection, message: int, seconds: float) -> None:
        """In the writer's transaction: a message fails unless it is delivered within so many seconds from now."""
        due = self._time.now(self._counter()) + int(seconds * 1_000_000)
        connection.execute("INSERT INTO expiries (message, due) VALUES (?, ?)", (message, due))
        self._keep(connection)

    def changed(self) -> None:
        """A message that may expire was sent."""
        self._news.set()

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            self._news.clear()
            rows = self._database.read("SELECT due FROM expiries ORDER BY due LIMIT 1")
            seconds = wait(int(str(rows[0][0])) if rows else None, self._time.now(self._counter()), _KEPT_EVERY)
            if seconds == 0:
                for contact in await self._database.write(self._expire):
                    self._happened(contact)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            if seconds is not None:
                await self._database.write(self._keep)

    def _expire(self, connection: sqlite3.Connection) -> set[int]:
        now = self._time.now(self._counter())
        due = connection.execute(
            "SELECT e.message, m.contact FROM expiries e JOIN messages m ON m.id = e.message WHERE e.due <= ?"
            " ORDER BY e.due LIMIT ?",
            (now, _AT_ONCE),
        ).fetchall()
        failed = {contact for message, contact in due if voids.fail(connection, message, "expired")}
        connection.executemany("DELETE FROM expiries WHERE message = ?", [(message,) for message, _ in due])
        self._keep(connection)
        return failed

    def _keep(self, connection: sqlite3.Connection) -> None:
        anchor = self._time.anchor(wall=self._wall(), counter=self._counter())
        connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (_SETTING, msgspec.json.encode(anchor)))
