"""The last changes that one watch has told, for several readers, each of whom is somewhere else in them. Pure."""

from collections import deque
from typing import Final

from telegraph.directory.port import Change, HistoryGone

KEPT: Final = 1000
"""Changes that are kept although every reader has had them, for readers who begin anew where they were."""

MOST: Final = 10_000
"""Changes that are kept for a reader who is slow; whoever is further behind must begin anew."""


class ChangeLog:
    """Changes in order, each with a number; ``end`` is that of the next one."""

    def __init__(self, after: int, kept: int = KEPT, most: int = MOST) -> None:
        """Every change after that revision will be added."""
        self._floor = after
        self._changes: deque[Change] = deque()
        self._begin = 0
        self._repeated = 0
        self._kept = kept
        self._most = most

    @property
    def end(self) -> int:
        """The number of the next change."""
        return self._begin + len(self._changes)

    @property
    def begin(self) -> int:
        """The number of the first change that is kept."""
        return self._begin

    def resume(self) -> int:
        """A watch begins: it has to tell everything after this revision, the last commit anew if it was cut."""
        if not self._changes:
            return self._floor
        self._repeated = self._changes[-1].revision
        return self._repeated - 1

    def reaches(self, after: int) -> bool:
        """Whether every change after a revision is here, or will be."""
        return after >= self._floor

    def add(self, change: Change, slowest: int) -> bool:
        """Adds a change; False if it is here already, as after :meth:`resume`.

        Args:
            change: the next one.
            slowest: the number that the slowest reader reads next.
        """
        if change.revision <= self._repeated and self._has(change):
            return False
        self._changes.append(change)
        while len(self._changes) > self._most or (len(self._changes) > self._kept and self._begin < slowest):
            self._floor = self._changes.popleft().revision
            self._begin += 1
        return True

    def _has(self, change: Change) -> bool:
        """A commit writes no key twice, so revision and key say which change it is."""
        return any(known.revision == change.revision and known.key == change.key for known in self._changes)

    def read(self, number: int) -> Change | None:
        """The change with a number, None if it is still to come.

        Raises:
            HistoryGone: it is not kept any more.
        """
        if number < self._begin:
            raise HistoryGone
        return self._changes[number - self._begin] if number < self.end else None
