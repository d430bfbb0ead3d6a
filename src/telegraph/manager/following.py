"""Keeps something in memory in step with the keys below a prefix, whatever the watch goes through."""

from collections.abc import Callable, Iterable

import structlog

from telegraph.directory.port import Directory, HistoryGone

log = structlog.get_logger(__name__)

Take = Callable[[str, bytes | None, int], None]
"""Is told the rest of a key, its value (None: it is gone) and the revision; may be told the same twice."""


class Follower:
    """Tells of every key once at :meth:`load`, and of every change from then on."""

    def __init__(self, directory: Directory, prefix: str, take: Take, known: Callable[[], Iterable[str]]) -> None:
        """``known`` gives those that ``take`` believes to be there: at a load it is told which of them are gone."""
        self._directory = directory
        self._prefix = prefix
        self._take = take
        self._known = known
        self._after: int | None = None

    async def load(self) -> None:
        """Tells of everything as it is now."""
        snapshot = await self._directory.scan(self._prefix)
        there = {entry.key.removeprefix(self._prefix) for entry in snapshot.entries}
        for gone in [each for each in self._known() if each not in there]:
            self._take(gone, None, snapshot.revision)
        for entry in snapshot.entries:
            self._take(entry.key.removeprefix(self._prefix), entry.value, entry.revision)
        self._after = snapshot.revision

    async def follow(self) -> None:
        """Tells of every change until the directory closes; may be called again after an error."""
        if self._after is None:
            await self.load()
        try:
            async for change in self._directory.watch(self._prefix, after=self._after or 0):
                self._take(change.key.removeprefix(self._prefix), change.value, change.revision)
                self._after = change.revision - 1  # the rest of this commit is still to come
        except HistoryGone:
            log.warning("watch_behind", prefix=self._prefix, after=self._after)
            await self.load()
