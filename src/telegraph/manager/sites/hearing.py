"""When a site counts as heard, and how long to wait before it is called again. Pure.

A connection that breaks and is back within :data:`~telegraph.protocol.sites.SILENCE` was no cut: a flapping link costs
no write, and nobody is told.
"""

from typing import Final

from telegraph.directory.cluster_records import LinkRecord
from telegraph.manager.moment import Moment
from telegraph.protocol.sites import SILENCE

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
"""Seconds. A heal is noticed within that, and a site that is gone is asked no more often."""


def pause_after(failures: int, chance: float) -> float:
    """Seconds to wait after so many tries in a row that heard nothing; ``chance`` in [0, 1) spreads them."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures, 16)) * (0.5 + chance / 2)


class Hearing:
    """How another site is heard; ``last`` is when it was."""

    def __init__(self, told: LinkRecord | None, now: Moment) -> None:
        """``told`` is what the directory says. A new leader gives the other site its time before it says otherwise."""
        self._told = told
        self._begun = now
        self.last: Moment | None = None

    def heard(self, now: Moment) -> None:
        """Something came."""
        self.last = now

    def is_up(self, now: Moment) -> bool:
        """Whether something came lately."""
        return self.last is not None and now.mono - self.last.mono < SILENCE

    def record(self, now: Moment) -> LinkRecord | None:
        """What is to be written, None if that is known already."""
        up = self.is_up(now)
        if self._told is not None and self._told.up == up:
            return None
        if not up and now.mono - self._begun.mono < SILENCE:
            return None
        if up:
            return LinkRecord(up=True, since=now.text)
        return LinkRecord(up=False, since=self._last_heard())

    def _last_heard(self) -> str:
        if self.last is not None:
            return self.last.text
        return self._begun.text if self._told is not None else ""  # the leader before this one heard it until then

    def written(self, record: LinkRecord) -> None:
        """The directory says this now."""
        self._told = record

    @property
    def since(self) -> str:
        """Since when it is so, as the directory has it."""
        return "" if self._told is None else self._told.since

    def next_look(self, now: Moment) -> float:
        """Seconds after which :meth:`record` may say something else if nothing comes."""
        last = self._begun if self.last is None else self.last
        left = last.mono + SILENCE - now.mono
        return left if left > 0 else SILENCE
