"""Where a watch is: which changes it has told, so that it can go on at another member. Pure.

A commit's changes share one revision, and one may be cut in the middle when a connection breaks. So a watch resumes at
the revision that it told last, and leaves out as many changes of it as it has told: within a revision their order is
the same at every member.
"""

from collections.abc import Iterable, Iterator

from telegraph.directory.port import Change


class Position:
    """See the module; ``after`` is the revision up to which everything is known."""

    def __init__(self, after: int) -> None:
        self._done = after
        self._cut = 0
        self._told = 0
        self._skip = 0

    def resume(self) -> int:
        """A connection begins: it has to send everything from this revision on."""
        self._skip = self._told
        return self._done + 1

    def take(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Those of the changes that came which are new."""
        for change in changes:
            if change.revision != self._cut:
                self._done, self._cut, self._told, self._skip = change.revision - 1, change.revision, 0, 0
            if self._skip:
                self._skip -= 1
                continue
            self._told += 1
            yield change

    def seen(self, revision: int) -> None:
        """The member says, in order with its changes, that it has sent everything up to this revision."""
        if revision > self._done:
            self._done, self._cut, self._told, self._skip = revision, 0, 0, 0
