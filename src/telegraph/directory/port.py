"""The port behind which accounts live: a small ordered key-value store with transactions and a watch.

It is the part of etcd's model (https://etcd.io/docs/v3.5/learning/api/) that the managers need, so that memory,
SQLite and etcd
behave alike; one contract suite runs over all of them. Keys are ``/``-separated strings of printable ASCII, values
are bytes. Every commit gets
a revision, greater than those of all commits that were over when it began; commits of one moment that have nothing to
do with each other may share one. An entry carries the revision of its last change.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """A key's present value. ``revision`` is that of its last change, ``lease`` what it will vanish with, or 0."""

    key: str
    value: bytes
    revision: int
    lease: int = 0


class Snapshot(msgspec.Struct, frozen=True):
    """Entries as of one revision, in key order."""

    entries: tuple[Entry, ...]
    revision: int


class Unchanged(msgspec.Struct, frozen=True):
    """Condition of a transaction: the key's last change is this revision; 0 means that there is no such key."""

    key: str
    revision: int


class Put(msgspec.Struct, frozen=True):
    """Write of a transaction: the key has this value from now on, and vanishes with this lease.

    Without a lease (0) it stays until it is deleted, also if it had one before.
    """

    key: str
    value: bytes
    lease: int = 0


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


class LeaseGone(Exception):
    """A lease was revoked or ran out, and its keys with it: make another and write the keys again."""


class Reads(Protocol):
    """What is read from; every :class:`Directory` will do."""

    async def get(self, key: str) -> Entry | None:
        """The key's entry, or None."""
        ...

    async def scan(self, prefix: str, *, limit: int = 0) -> Snapshot:
        """All entries whose key begins with the prefix, in key order; at most ``limit`` if that is not 0."""
        ...


class Frozen(Protocol):
    """A directory as it was at one moment, for whoever reads all of it and has no room for all of it."""

    @property
    def revision(self) -> int:
        """That moment."""
        ...

    def pages(self, prefix: str = "") -> AsyncIterator[Sequence[Entry]]:
        """All entries below the prefix, in key order, some hundreds at a time; may be read more than once.

        Raises:
            HistoryGone: while iterating, if the moment is too long ago by now (with etcd's default an hour).
        """
        ...


class Directory(Protocol):
    """An ordered key-value store with compare-and-set transactions, snapshot reads, leases and a watch.

    Reads see every commit that was acknowledged before they began; those with ``stale`` may trail behind, by what a
    follower of a cluster has not heard yet, and are answered also where no quorum is. An acknowledged commit is
    durable. Every method may raise :class:`telegraph.errors.DirectoryUnavailable`; ``commit`` also
    :class:`telegraph.errors.FateUnknown`.

    A lease is a promise to come back: keys written under it vanish, in one commit that watches tell, when its holder
    has not called ``keep_alive`` for its time to live, or at once with ``revoke``.
    """

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        """The key's entry, or None."""
        ...

    async def scan(self, prefix: str, *, limit: int = 0, stale: bool = False) -> Snapshot:
        """All entries whose key begins with the prefix, in key order; at most ``limit`` if that is not 0."""
        ...

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        """Applies all writes in one transaction if every condition holds: the new revision.

        None if a condition does not hold; then nothing was written. No key may be written twice. A commit
        that changes nothing (no writes, or deletes of what is not there) gives the present revision, as in etcd.

        Raises:
            LeaseGone: a write names a lease that is not there; nothing was written.
        """
        ...

    async def grant(self, ttl: float) -> int:
        """A new lease of so many seconds. A back end may give more (etcd: whole seconds, at least about 2)."""
        ...

    async def keep_alive(self, lease: int) -> float:
        """Renews a lease: the seconds that it has from now on.

        Raises:
            LeaseGone: there is none, so its keys are gone.
        """
        ...

    async def revoke(self, lease: int) -> None:
        """Ends a lease and deletes its keys; one that is gone already is no error."""
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


class FreezableDirectory(Directory, Protocol):
    """A directory that can be read as a whole, however large it is; each back end is one."""

    def frozen(self) -> AbstractAsyncContextManager[Frozen]:
        """The directory as it is now, whatever is committed while the block runs."""
        ...
