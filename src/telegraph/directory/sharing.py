"""One watch on the whole directory for all who follow a part of it: each change comes once, however many follow.

Over etcd each watch costs the member and the manager as much for each commit as the commit itself, nearly.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from telegraph.directory.changelog import ChangeLog
from telegraph.directory.port import Change, HistoryGone

Watching = Callable[[int], AsyncIterator[Change]]
"""Begins a watch on everything after a revision."""


class _Reader:
    """One who follows; ``at`` is the number of the change that is read next."""

    __slots__ = ("at", "news", "prefix")

    def __init__(self, prefix: str, at: int) -> None:
        self.prefix = prefix
        self.at = at
        self.news = asyncio.Event()


class _Pump:
    """The watch while it runs, and what ended it."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.ended = False
        self.problem: Exception | None = None


class SharedWatch:
    """See the module. The watch runs while somebody follows."""

    def __init__(self, watching: Watching, told: Callable[[str], None], running: Callable[[bool], None]) -> None:
        """Makes it.

        Args:
            watching: how the watch begins.
            told: is told of the key of each change at once, however slow the readers are.
            running: is told when the watch begins (True) and ends.
        """
        self._watching = watching
        self._told = told
        self._running = running
        self._log: ChangeLog | None = None
        self._pump: _Pump | None = None
        self._readers: set[_Reader] = set()

    def reaches(self, after: int) -> bool:
        """Whether somebody who knows everything up to this revision can follow here."""
        return self._log is None or self._log.reaches(after)

    async def changes(self, prefix: str, after: int) -> AsyncGenerator[Change]:
        """Every later change below the prefix, in order, until the directory is closed.

        Raises:
            HistoryGone: the reader is too slow, or the directory has not kept what it needs.
            Exception: what ended the watch.
        """
        log = self._log = self._log or ChangeLog(after)
        pump, reader = self._running_pump(log), _Reader(prefix, log.begin)
        self._readers.add(reader)
        try:
            while True:
                while (change := log.read(reader.at)) is not None:
                    reader.at += 1
                    if change.revision > after and change.key.startswith(prefix):
                        yield change
                if pump.ended:
                    break
                reader.news.clear()
                await reader.news.wait()
            if pump.problem is not None:
                raise pump.problem
        finally:
            self._readers.discard(reader)
            if not self._readers:
                await _ended(pump)

    def _running_pump(self, log: ChangeLog) -> _Pump:
        if self._pump is None or self._pump.ended:
            self._pump = _Pump()
            self._pump.task = asyncio.ensure_future(self._run(self._pump, log))
        return self._pump

    async def _run(self, pump: _Pump, log: ChangeLog) -> None:
        self._running(True)
        try:
            async for change in self._watching(log.resume()):
                self._told(change.key)
                if log.add(change, self._slowest(log)):
                    self._tell(change.key, log.end)
        except HistoryGone as gone:
            pump.problem, self._log = gone, None  # whoever comes next begins with a log of their own
        except Exception as problem:  # noqa: BLE001 - raised at the readers
            pump.problem = problem
        finally:
            pump.ended = True
            self._running(False)
            for reader in self._readers:
                reader.news.set()

    def _slowest(self, log: ChangeLog) -> int:
        return min((reader.at for reader in self._readers), default=log.end)

    def _tell(self, key: str, end: int) -> None:
        for reader in self._readers:
            if key.startswith(reader.prefix):
                reader.news.set()
            elif reader.at == end - 1:  # it waits, and would only leave this one out
                reader.at = end


async def _ended(pump: _Pump) -> None:
    pump.ended = True  # from here on: whoever comes next begins the watch anew
    if pump.task is not None:
        pump.task.cancel()
        await asyncio.gather(pump.task, return_exceptions=True)
