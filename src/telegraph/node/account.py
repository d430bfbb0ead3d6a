"""This node's own account as it is stored: who, which device key, certificate and session."""

import msgspec

from telegraph.node.database import Database
from telegraph.node.keys import DeviceKey


class Account(msgspec.Struct, frozen=True):
    """The account of a data directory; ``token`` is None when logged out. ``certificate`` and ``ca`` are PEM.

    ``counter`` is that of the last address announced (DESIGN.md 10.7).
    """

    user_id: str
    username: str
    certificate: str | None
    ca: str | None
    token: str | None
    counter: int


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
    )


async def device_key(database: Database) -> DeviceKey:
    """The device key of this data directory, made at first use and never changed."""
    stored = database.setting("device_key")
    if stored is not None:
        return DeviceKey.from_private_bytes(stored)
    key = DeviceKey.create()
    await database.set(device_key=key.private_bytes, device_public=key.public)
    return key


def _text(database: Database, name: str) -> str | None:
    value = database.setting(name)
    return None if value is None else value.decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
