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
        return self.utc.isoformat(timespec="microseconds").replace("+00:00", "Z")


Clock = Callable[[], Moment]
