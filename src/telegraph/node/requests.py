"""Messages that may be handed in again because an answer was lost: under one id there is one message.

Jobs of the writer's transaction, so the id is on the disk exactly if the message is.
"""

from collections.abc import Callable
from typing import Final

from telegraph.errors import RequestIdUsed, UnknownMessage
from telegraph.node.streams import Draft
from telegraph.storage.engine import sqlite3

KEPT: Final = 100_000
"""Of so many latest messages the ids are known."""


def once(connection: sqlite3.Connection, request: str, draft: Draft, store: Callable[[], int]) -> int:
    """The row of the message that was handed in under an id; if it is the first, ``store`` stores it.

    Raises:
        RequestIdUsed: under this id another message was handed in.
        UnknownMessage: the user has deleted it since.
    """
    known = connection.execute(
        "SELECT r.message, m.contact, m.text, m.reply_to FROM requests r LEFT JOIN messages m ON m.id = r.message"
        " WHERE r.request = ?",
        (request,),
    ).fetchone()
    if known is None:
        row = store()
        connection.execute("INSERT INTO requests VALUES (?, ?)", (row, request))
        connection.execute("DELETE FROM requests WHERE message <= ?", (row - KEPT,))
        return row
    row, contact, text, reply_to = known
    if contact is None:
        raise UnknownMessage
    if (contact, text, reply_to) != (draft.contact, draft.text, draft.reply_to):
        raise RequestIdUsed
    return int(row)
