"""What the SQLite directory does inside one transaction: functions of a connection.

Leases lie in a table, so that they outlive the process. Their deadlines are on a clock that counts from the machine's
start and does not stop while it sleeps, which no administrator can set. After a restart of the machine that clock has
begun anew; whoever held a lease died with it, and :func:`forget_earlier_boots` says so when the file is opened.
"""

import time
from collections.abc import Sequence

from telegraph.directory.port import Delete, LeaseGone, Put, Unchanged
from telegraph.storage.engine import sqlite3

FORGET_EVERY = 256
"""Old changes are deleted once in so many revisions, so that most commits do not touch the old end of the table."""


def boot_clock() -> float:
    """Seconds since this machine's start, sleep included."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def transact(
    connection: sqlite3.Connection, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete], kept: int
) -> int | None:
    """One commit, see the port.

    Raises:
        LeaseGone: a write names a lease that is not there.
    """
    if any(isinstance(write, Put) and write.lease and not _has_lease(connection, write.lease) for write in writes):
        raise LeaseGone
    if any(_revision_of(connection, condition.key) != condition.revision for condition in conditions):
        return None
    changes = [write for write in writes if isinstance(write, Put) or _revision_of(connection, write.key)]
    return _write(connection, changes, kept)


def _write(connection: sqlite3.Connection, changes: Sequence[Put | Delete], kept: int) -> int:
    (revision,) = connection.execute("SELECT revision FROM counter").fetchone()
    if not changes:
        return int(revision)
    revision += 1
    connection.execute("UPDATE counter SET revision = ?", (revision,))
    for place, write in enumerate(changes):
        _apply(connection, revision, place, write)
    if revision % min(FORGET_EVERY, kept) == 0:
        _forget(connection, revision - kept)
    return int(revision)


def _revision_of(connection: sqlite3.Connection, key: str) -> int:
    row = connection.execute("SELECT revision FROM entries WHERE key = ?", (key,)).fetchone()
    return int(row[0]) if row else 0


def _apply(connection: sqlite3.Connection, revision: int, place: int, write: Put | Delete) -> None:
    value = write.value if isinstance(write, Put) else None
    if isinstance(write, Delete):
        connection.execute("DELETE FROM entries WHERE key = ?", (write.key,))
    else:
        connection.execute(
            "INSERT INTO entries (key, value, revision, lease) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " value = excluded.value, revision = excluded.revision, lease = excluded.lease",
            (write.key, write.value, revision, write.lease),
        )
    connection.execute("INSERT INTO changes VALUES (?, ?, ?, ?)", (revision, place, write.key, value))


def _forget(connection: sqlite3.Connection, upto: int) -> None:
    if upto > 0:
        connection.execute("DELETE FROM changes WHERE revision <= ?", (upto,))
        connection.execute("UPDATE counter SET forgotten = ?", (upto,))


# --- leases ---


def forget_earlier_boots(connection: sqlite3.Connection, now: float) -> None:
    """When the file is opened: leases of before the machine's restart have run out, and are collected next."""
    connection.execute("UPDATE leases SET deadline = 0 WHERE deadline > ? + ttl", (now,))


def next_deadline(connection: sqlite3.Connection) -> float | None:
    """When the next lease runs out, None if there is none."""
    (deadline,) = connection.execute("SELECT min(deadline) FROM leases").fetchone()
    return None if deadline is None else float(deadline)


def grant(connection: sqlite3.Connection, ttl: float, now: float) -> int:
    """A new lease."""
    row = connection.execute("INSERT INTO leases (ttl, deadline) VALUES (?, ?) RETURNING id", (ttl, now + ttl))
    (lease,) = row.fetchone()
    return int(lease)


def keep_alive(connection: sqlite3.Connection, lease: int, now: float) -> float | None:
    """Its time to live from now on, None if there is no such lease (any more)."""
    row = connection.execute(
        "UPDATE leases SET deadline = ? + ttl WHERE id = ? AND deadline > ? RETURNING ttl", (now, lease, now)
    ).fetchone()
    return float(row[0]) if row else None


def revoke(connection: sqlite3.Connection, lease: int, kept: int) -> None:
    """Ends a lease: its keys go in one commit."""
    bound = connection.execute("SELECT key FROM entries WHERE lease = ? AND lease <> 0 ORDER BY key", (lease,))
    _write(connection, [Delete(key) for (key,) in bound.fetchall()], kept)
    connection.execute("DELETE FROM leases WHERE id = ?", (lease,))


def collect(connection: sqlite3.Connection, now: float, kept: int) -> None:
    """Ends every lease that has run out."""
    for (lease,) in connection.execute("SELECT id FROM leases WHERE deadline <= ?", (now,)).fetchall():
        revoke(connection, lease, kept)


def _has_lease(connection: sqlite3.Connection, lease: int) -> bool:
    return connection.execute("SELECT 1 FROM leases WHERE id = ?", (lease,)).fetchone() is not None
