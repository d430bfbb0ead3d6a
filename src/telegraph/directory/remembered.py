"""Which reads may be answered from memory, while a watch tells of every change. Pure.

A read that begins sees every commit that was acknowledged before. So its result may be remembered until the watch tells
of a change of that key, unless it told of one while the read was under way: then nobody knows which of both is newer.
Hence what is remembered is never older than what the watch has told last; and it is as old as what it has not told yet.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Reading:
    """A read under way; ``clean`` as long as no change of its key was told."""

    __slots__ = ("clean", "key")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.clean = True


class Remembered(Generic[Value]):
    """Results of reads; beyond ``most`` keys the one that was read longest ago is forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[Hashable, Value] = {}
        self._readings: dict[Hashable, set[Reading]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> Value | None:
        """What is remembered of a key, None if nothing is."""
        return self._values.get(key)

    def begin(self, key: Hashable) -> Reading:
        """A read begins now; :meth:`end` must follow."""
        reading = Reading(key)
        self._readings.setdefault(key, set()).add(reading)
        return reading

    def end(self, reading: Reading, value: Value | None) -> None:
        """The read gave this, or nothing (None), which is not remembered."""
        others = self._readings[reading.key]
        others.discard(reading)
        if not others:
            del self._readings[reading.key]
        if not reading.clean or value is None:
            return
        self._values.pop(reading.key, None)
        self._values[reading.key] = value
        if len(self._values) > self._most:
            del self._values[next(iter(self._values))]

    def changed(self, key: Hashable) -> None:
        """The key has another value, or may have one."""
        self._values.pop(key, None)
        for reading in self._readings.get(key, ()):
            reading.clean = False

    def clear(self) -> None:
        """Any key may have another value."""
        self._values.clear()
        for readings in self._readings.values():
            for reading in readings:
                reading.clean = False
