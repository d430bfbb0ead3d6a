"""For how long a leader may believe that it leads. Pure.

A lease is counted by the directory from when a renewal reaches it, which is after it was sent. So whoever counts from
the sending, by a clock that nobody can set, ends no later than the directory does; a tenth is given away for clocks
that do not run alike (Gray and Cheriton, "Leases", 1989).
"""

from typing import Final

_SAFETY: Final = 0.1
_RENEWALS: Final = 3
"""How many renewals fit into a lease: two may be lost."""

_HURRY: Final = 4
"""After one that failed the next is tried so many times sooner."""


class Tenure:
    """A lease as its holder sees it; times are seconds of one monotonic clock."""

    def __init__(self, sent: float, ttl: float) -> None:
        """It was asked for at ``sent`` and granted for ``ttl``."""
        self._ttl = ttl
        self.end = 0.0
        """Until then it is certain to be held."""
        self.next = 0.0
        """When the next renewal is due."""
        self.renewed(sent, ttl)

    def renewed(self, sent: float, ttl: float) -> None:
        """A renewal that was sent then gave so many seconds."""
        self.end = max(self.end, sent + ttl * (1 - _SAFETY))
        self.next = sent + ttl / _RENEWALS

    def failed(self, now: float) -> None:
        """A renewal failed: it is tried again soon, and not after the end."""
        self.next = min(now + self._ttl / _RENEWALS / _HURRY, self.end)

    def certain(self, now: float) -> bool:
        """Whether it is certain to be held."""
        return now < self.end
