"""The numbers of a conversation: how far both streams have come and were read; they tell most states."""

from functools import lru_cache
from typing import Final

import msgspec

from telegraph.storage.engine import sqlite3


class Counters(msgspec.Struct):
    """The numbers of a conversation, as in the table of contacts."""

    stream: int
    out_seq: int
    out_id: bytes
    out_ord: bytes
    out_stored: int
    out_read: int
    in_seq: int
    in_seen: int
    in_ord: bytes
    in_read: int
    in_holes: int
    read_told: int
    read_ord: bytes
    epoch: int
    in_id: bytes


_COUNTERS: Final = ", ".join(Counters.__struct_fields__)


def counters(connection: sqlite3.Connection, contact: int) -> Counters:
    """The numbers of one conversation."""
    row = connection.execute(f"SELECT {_COUNTERS} FROM contacts WHERE id = ?", (contact,)).fetchone()
    return Counters(*row)


def set_counters(connection: sqlite3.Connection, contact: int, **values: object) -> None:
    """Changes some numbers of one conversation."""
    connection.execute(_update(tuple(values)), (*values.values(), contact))


@lru_cache(maxsize=64)
def _update(names: tuple[str, ...]) -> str:
    """The same string each time, by which the connection finds what it has prepared."""
    return f"UPDATE contacts SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?"
