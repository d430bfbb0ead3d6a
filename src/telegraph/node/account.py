"""This node's own account as it is stored: who, which device key, certificate and session."""

import msgspec

from telegraph.node import streams
from telegraph.node.counters import set_counters
from telegraph.node.database import Database
from telegraph.node.keys import DeviceKey
from telegraph.storage.engine import sqlite3


class Account(msgspec.Struct, frozen=True):
    """The account of a data directory; ``token`` is None when logged out. ``certificate`` and ``ca`` are PEM.

    ``counter`` is that of the last address announced (DESIGN.md 10.7). ``ended`` is why the session ended, if another
    end than this device ended it, and ``ended_at`` when (RFC 3339, empty if not known); a device that was given up has
    no certificate any more. ``provisional``: some site has not confirmed the name yet.
    """

    user_id: str
    username: str
    certificate: str | None
    ca: str | None
    token: str | None
    counter: int
    ended: str = ""
    ended_at: str = ""
    provisional: bool = False


def load(database: Database) -> Account | None:
    """The account, or None if nobody ever logged in here."""
    user_id, username = _text(database, "user_id"), _text(database, "username")
    if user_id is None or username is None:
        return None
    return Account(
        user_id=user_id,
        username=username,
        certificate=_text(database, "certificate"),
        ca=_text(database, "ca"),
        token=_text(database, "token"),
        counter=int(_text(database, "counter") or 0),
        ended=_text(database, "ended") or "",
        ended_at=_text(database, "ended_at") or "",
        provisional=_text(database, "provisional") is not None,
    )


async def save(database: Database, account: Account) -> None:
    """Stores all of the account in one transaction."""
    await database.set(
        user_id=account.user_id.encode(),
        username=account.username.encode(),
        certificate=_bytes(account.certificate),
        ca=_bytes(account.ca),
        token=_bytes(account.token),
        counter=str(account.counter).encode(),
        ended=account.ended.encode(),
        ended_at=account.ended_at.encode(),
        provisional=b"yes" if account.provisional else None,
    )


async def device_key(database: Database) -> DeviceKey:
    """The device key of this data directory, made at first use; another takes its place only if it is revoked."""
    stored = database.setting("device_key")
    if stored is not None:
        return DeviceKey.from_private_bytes(stored)
    key = DeviceKey.create()
    await database.set(device_key=key.private_bytes, device_public=key.public)
    return key


async def become_another_device(database: Database) -> None:
    """The store was restored: the numbers that its device gave out later are taken, so that device is given up.

    Until the next log-in it can be read. May be repeated.
    """
    await database.set(token=None, certificate=None, ended=b"logged_out", ended_at=None)
    await replace_device_key(database)


async def replace_device_key(database: Database) -> DeviceKey:
    """Another device key instead of one that was given up; with everybody the numbers begin anew."""
    key = DeviceKey.create()

    def job(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT OR REPLACE INTO settings VALUES ('device_key', ?)", (key.private_bytes,))
        connection.execute("INSERT OR REPLACE INTO settings VALUES ('device_public', ?)", (key.public,))
        _begin_anew(connection)

    await database.write(job)
    return key


def _text(database: Database, name: str) -> str | None:
    value = database.setting(name)
    return None if value is None else value.decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _begin_anew(connection: sqlite3.Connection) -> None:
    """This device has another key: with everybody, both streams begin anew, as they do at the other end."""
    known = connection.execute("SELECT id, device_key, key_changed FROM contacts WHERE device_key IS NOT NULL")
    for contact, key, changed in known.fetchall():
        streams.change_key(connection, contact, key)
        set_counters(connection, contact, key_changed=changed)
