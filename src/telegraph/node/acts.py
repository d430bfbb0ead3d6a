"""What the user does to messages and conversations beside writing and reading; the node tells who must hear of it."""

from random import Random

import msgspec

from telegraph.errors import UnknownMessage, WrongState
from telegraph.node import deleting, history, voids
from telegraph.node.database import Database
from telegraph.node.model import id_bytes
from telegraph.protocol.node_api import MessageState
from telegraph.storage.engine import sqlite3


class Located(msgspec.Struct, frozen=True):
    """A message by its row, and whose conversation it is in."""

    row: int
    contact: int


def locate(database: Database, message_id: str) -> Located:
    """The message with an id, of whatever conversation.

    Raises:
        UnknownMessage: there is none.
    """
    uuid = id_bytes(message_id)
    rows = database.read("SELECT id, contact FROM messages WHERE uuid = ?", uuid)
    if not rows:
        raise UnknownMessage
    return Located(*map(int, map(str, rows[0])))


async def cancel(database: Database, message_id: str) -> Located:
    """Gives up a message; one that is given up already is as wanted.

    Raises:
        UnknownMessage: there is none with this id.
        WrongState: it is delivered, or somebody else's.
    """
    found = locate(database, message_id)
    await database.write(
        lambda connection: _must(connection, found, "cancelled", done=voids.cancel(connection, found.row))
    )
    return found


async def retry(database: Database, message_id: str, now_us: int, rng: Random) -> Located:
    """Sends a message after all that failed or was cancelled; one that is pending is as wanted.

    Raises:
        UnknownMessage: there is none with this id.
        WrongState: it is delivered, or somebody else's.
    """
    found = locate(database, message_id)
    await database.write(
        lambda connection: _must(connection, found, "pending", done=voids.retry(connection, found.row, now_us, rng))
    )
    return found


async def delete_message(database: Database, message_id: str) -> Located:
    """Removes a message from this node; one that waits is given up.

    Raises:
        UnknownMessage: there is none with this id.
    """
    found = locate(database, message_id)
    await database.write(lambda connection: deleting.delete_message(connection, found.contact, found.row))
    return found


async def delete_conversation(database: Database, contact: int) -> int:
    """Removes all messages of a conversation from this node, piece by piece: how many."""
    top = await database.write(lambda connection: deleting.begin_conversation(connection, contact))
    deleted = 0
    while count := await database.write(lambda connection: deleting.delete_some(connection, contact, top)):
        deleted += count
    return deleted


def _must(connection: sqlite3.Connection, found: Located, wanted: MessageState, *, done: bool) -> None:
    state = history.state(connection, found.row)
    if not done and state != wanted:
        raise WrongState(state=state)
