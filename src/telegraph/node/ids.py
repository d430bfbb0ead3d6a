"""Message ids: UUIDs of version 7 (RFC 9562, 5.7) that rise along a conversation whatever the clock does. Pure."""

from random import Random

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62
_RANDOM_A = ((1 << 12) - 1) << 64
_RANDOM_B = (1 << 62) - 1
_MILLISECONDS = (1 << 48) - 1
_STEP = 1 << 32


def next_id(previous: bytes, now_ms: int, rng: Random) -> bytes:
    """The next id of one sender in one conversation, 16 bytes, greater than ``previous`` (empty for the first).

    ``now_ms`` is milliseconds since 1970. If the clock has not moved on since the previous id, or went back, the
    previous one is
    counted up by a random step instead (RFC 9562, section 6.2, method 2).
    """
    fresh = _compose(now_ms & _MILLISECONDS, rng.getrandbits(12), rng.getrandbits(62))
    if fresh > previous:
        return fresh
    value = int.from_bytes(previous)
    tail = ((value & _RANDOM_A) >> 2) | (value & _RANDOM_B)
    milliseconds = value >> 80
    tail += rng.randrange(1, _STEP)
    if tail >> 74:
        milliseconds, tail = milliseconds + 1, tail & ((1 << 74) - 1)
    return _compose(milliseconds, tail >> 62, tail & _RANDOM_B)


def earliest_id(now_ms: int) -> bytes:
    """The smallest id of a moment, for ordering only."""
    return _compose(now_ms & _MILLISECONDS, 0, 0)


def _compose(milliseconds: int, random_a: int, random_b: int) -> bytes:
    return ((milliseconds << 80) | _VERSION | (random_a << 64) | _VARIANT | random_b).to_bytes(16)
