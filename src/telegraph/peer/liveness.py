"""When a silent link is dead (DESIGN.md section 7). Pure, but for :func:`bytes_moved`.

Each end says something at least every third of the silence that is allowed, so that hearing nothing means something.
A large message on a slow line is no silence: bytes that the kernel has taken in count as well.
"""

import socket
import struct
from typing import Protocol

import msgspec

_COUNTERS = struct.Struct("=QQ")
_COUNTERS_AT = 120
"""Where ``tcpi_bytes_acked`` and ``tcpi_bytes_received`` lie in Linux's ``struct tcp_info`` (linux/tcp.h)."""


class Moved(msgspec.Struct, frozen=True):
    """Bytes of a connection that the other machine has taken (``acked``) and that came from it (``received``)."""

    acked: int = 0
    received: int = 0


class Liveness:
    """Judges one link. Times are monotonic seconds.

    While this end reads, ``silence`` seconds without a sign of life mean death. While it does not, because what came
    before is not handled yet, it cannot hear; then the other machine's acknowledgements are a sign of life too, and
    their absence means death only after ``stalled`` seconds.
    """

    def __init__(self, now: float, silence: float, stalled: float) -> None:
        self._silence = silence
        self._stalled = stalled
        self._sign = now
        self._moved = Moved()

    def heard(self, now: float) -> None:
        """Something came, or could have come unheard until now."""
        self._sign = now

    def is_dead(self, now: float, moved: Moved, *, reading: bool) -> bool:
        """Whether to give the link up; to be asked regularly."""
        taken = moved.acked > self._moved.acked and not reading
        if moved.received > self._moved.received or taken:
            self._sign = now
        self._moved = moved
        return now - self._sign >= (self._silence if reading else self._stalled)


class HasOptions(Protocol):
    """A socket as asyncio and uvloop lend it."""

    def getsockopt(self, level: int, option: int, length: int, /) -> bytes:
        """As :meth:`socket.socket.getsockopt`."""
        ...


def bytes_moved(connection: HasOptions | None) -> Moved:
    """The kernel's counters of a TCP connection; zeros where it has none, so that only frames count as life."""
    if connection is None:
        return Moved()
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _COUNTERS_AT + _COUNTERS.size)
        return Moved(*_COUNTERS.unpack_from(info, _COUNTERS_AT))
    except (OSError, struct.error):
        return Moved()
