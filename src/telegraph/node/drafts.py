"""What the user began to write: kept in the encrypted store, so that no browser has to put it on the disk."""

from telegraph.storage.engine import sqlite3


def kept(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    """The contacts for whom there are drafts, and these."""
    return [(int(contact), str(text)) for contact, text in connection.execute("SELECT contact, text FROM drafts")]


def keep(connection: sqlite3.Connection, contact: int, text: str) -> None:
    """The draft for a contact is this one now, none if it is empty; in the writer's transaction."""
    if text:
        connection.execute("INSERT OR REPLACE INTO drafts VALUES (?, ?)", (contact, text))
    else:
        connection.execute("DELETE FROM drafts WHERE contact = ?", (contact,))
