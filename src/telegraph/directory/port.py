"""The port behind which accounts live: a small ordered key-value store with transactions and a watch.

It is the part of etcd's model (https://etcd.io/docs/v3.5/learning/api/) that the managers need, so that memory,
SQLite and etcd
behave alike; one contract suite runs over all of them. Keys are ``/``-separated strings of printable ASCII, values
are bytes. Every commit gets
a revision, greater than all before; an entry carries the revision of its last change.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """A key's present value. ``revision`` is that of its last change."""

    key: str
    value: bytes
    revision: int


class Snapshot(msgspec.Struct, frozen=True):
    """Entries as of one revision, in key order."""

    entries: tuple[Entry, ...]
    revision: int


class Unchanged(msgspec.Struct, frozen=True):
    """Condition of a transaction: the key's last change is this revision; 0 means that there is no such key."""

    key: str
    revision: int


class Put(msgspec.Struct, frozen=True):
    """Write of a transaction: the key has this value from now on."""

    key: str
    value: bytes


class Delete(msgspec.Struct, frozen=True):
    """Write of a transaction: the key is gone. Deleting what is not there is no change."""

    key: str


class Change(msgspec.Struct, frozen=True):
    """What a watch tells: the key's new value, or None if it was deleted, at this revision."""

    key: str
    value: bytes | None
    revision: int


class HistoryGone(Exception):
    """A watch asked for changes older than those that are kept: scan anew and watch from the snapshot's revision.

    etcd calls it compaction; without it the log of changes would grow for ever.
    """


class Directory(Protocol):
    """An ordered key-value store with compare-and-set transactions, snapshot reads and a watch.

    Reads see every commit that was acknowledged before they began. An acknowledged commit is durable.
    Every method may raise :class:`telegraph.errors.DirectoryUnavailable`; ``commit`` also
    :class:`telegraph.errors.FateUnknown`.
    """

    async def get(self, key: str) -> Entry | None:
        """The key's entry, or None."""
        ...

    async def scan(self, prefix: str, *, limit: int = 0) -> Snapshot:
        """All entries whose key begins with the prefix, in key order; at most ``limit`` if that is not 0."""
        ...

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        """Applies all writes in one transaction if every condition holds: the new revision.

        None if a condition does not hold; then nothing was written. No key may be written twice. A commit
        that changes nothing (no writes, or deletes of what is not there) gives the present revision, as in etcd.
        """
        ...

    def watch(self, prefix: str, *, after: int) -> AsyncIterator[Change]:
        """Every change below the prefix with a revision greater than ``after``, in order, none left out, endlessly.

        Raises:
            HistoryGone: while iterating, if changes after that revision are no longer kept.
        """
        ...

    async def close(self) -> None:
        """Ends all watches and lets go of files and connections."""
        ...
