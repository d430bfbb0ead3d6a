"""How many writes share one commit. Pure: counts, no clock.

A commit costs one fsync however much is in it. Committing what one turn of the event loop brought commits single
messages, since callers who were woken together hand in one after the other; waiting for a fixed time makes a lone
message slow. So the first waits for as long as turns bring more, and at most half of all goes into one commit: while
one half is synced here, the other is on its way, or synced at the other end.
"""

MAX_BATCH = 1024
"""Jobs in one commit at most, so that the first of them does not wait for ever."""

IDLE_TURNS = 3
"""Turns of the event loop that bring nothing, after which nobody is waited for any more."""

_SMALLEST_SHARE = 16
"""So few jobs are never divided: a sync costs more than they do."""


class Gathering:
    """Decides, while nothing is being committed, when those who wait have waited enough. ``last`` is the last batch."""

    def __init__(self) -> None:
        self.last = 0
        self._seen = 0
        self._idle = 0
        self._alone = True

    def begin(self, under_way: int | None) -> None:
        """The first job is there, ``under_way`` more are beyond this writer and come back."""
        self._seen, self._idle = 1, 0
        self._alone = self.last <= 1 and (under_way or 0) <= 1

    def goes_on(self, waiting: int) -> bool:
        """Whether to wait for another turn of the event loop, now that so many wait. Who is alone need not."""
        if waiting > self._seen:
            self._seen, self._idle = waiting, 0
            return waiting < MAX_BATCH
        self._idle += 1
        return self._idle < IDLE_TURNS and not (self._alone and waiting == 1)


def share_of(waiting: int, under_way: int | None) -> int:
    """How many of those who wait go into the next commit.

    ``under_way`` is what was committed here and is on its way, or at the other end; None where nothing comes back.
    """
    if under_way is None:
        return min(waiting, MAX_BATCH)
    half = (waiting + under_way + 1) // 2
    return min(waiting, max(half, _SMALLEST_SHARE), MAX_BATCH)
