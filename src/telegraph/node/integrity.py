"""Is the store whole? A quick look at each opening, and after an unclean stop a full check that holds nobody up.

Every page of the store carries an HMAC, so a damaged one is noticed at the latest when it is read; the full check
(``PRAGMA cipher_integrity_check``, then SQLite's ``quick_check``) finds it before.
"""

import asyncio
import contextlib
from pathlib import Path

import structlog

from telegraph.errors import DataUnreadable, TelegraphError
from telegraph.node.database import Database
from telegraph.storage.engine import sqlite3

log = structlog.get_logger(__name__)

_RECENT = 100
_TABLES = ("messages", "events", "contacts")
_STOPPED = "stopped"
"""The setting that says that the last stop was in order; gone while the store is open."""


def look(connection: sqlite3.Connection, directory: Path) -> None:
    """Reads what the last commits wrote. Key and schema were checked when the connection was opened.

    Raises:
        DataUnreadable: a page of it is damaged.
    """
    try:
        for table in _TABLES:
            connection.execute(f"SELECT * FROM {table} ORDER BY rowid DESC LIMIT ?", (_RECENT,)).fetchall()
    except sqlite3.DatabaseError as problem:
        raise DataUnreadable(data=directory, detail=f"the store is damaged ({problem})") from problem


async def opened(database: Database) -> bool:
    """The store is in use from now on; whether its last stop was in order, or this is its first start."""
    orderly = database.setting(_STOPPED) is not None or database.setting("device_key") is None
    await database.set(**{_STOPPED: None})
    return orderly


async def closing(database: Database) -> None:
    """The store is about to be closed in order."""
    with contextlib.suppress(TelegraphError):  # a full disk: then the next start looks at everything
        await database.set(**{_STOPPED: b"1"})


async def check(database: Database) -> list[str]:
    """The full check, in a thread of its own and on a connection of its own: what is wrong, a line each."""
    found = await asyncio.to_thread(_check, database)
    for line in found:
        log.error("store_damaged", detail=line)
    if not found:
        log.info("store_checked")
    return found


def _check(database: Database) -> list[str]:
    connection = database.connect()
    try:
        wrong = [str(row[0]) for row in connection.execute("PRAGMA cipher_integrity_check")]
        return wrong or [str(row[0]) for row in connection.execute("PRAGMA quick_check(10)") if row[0] != "ok"]
    except sqlite3.DatabaseError as problem:
        return [str(problem)]
    finally:
        connection.close()
