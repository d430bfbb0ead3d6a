"""A point in time as pure code sees it: handed in, never asked for."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec


class Moment(msgspec.Struct, frozen=True):
    """Now, on two clocks: ``mono``, seconds since some start, for waiting; ``wall``, seconds since 1970, to show."""

    mono: float
    wall: float

    @property
    def utc(self) -> datetime:
        """The wall clock as an aware time."""
        return datetime.fromtimestamp(self.wall, UTC)

    @property
    def text(self) -> str:
        """The wall clock in RFC 3339, UTC, with microseconds, as in the report's section 5.1."""
        return as_text(self.utc)

    def earlier(self, seconds: float) -> "Moment":
        """So many seconds ago."""
        return Moment(self.mono - seconds, self.wall - seconds)


def as_text(when: datetime) -> str:
    """An aware time in UTC, RFC 3339 with microseconds; texts of it sort as the times do."""
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")


Clock = Callable[[], Moment]
