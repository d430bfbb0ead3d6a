"""Contacts whose account was deleted: what waits for them fails with that reason, and nothing more goes out to them."""

from telegraph.node import voids
from telegraph.node.database import Database
from telegraph.storage.engine import sqlite3


class Departed:
    """The rows of contacts who are gone for good; a deleted account never comes back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._contacts = {int(str(row[0])) for row in database.read("SELECT id FROM contacts WHERE gone")}

    def __contains__(self, contact: object) -> bool:
        return contact in self._contacts

    async def note(self, contact: int) -> bool:
        """The contact's account was deleted; whether that is news."""
        if contact in self._contacts:
            return False
        await self._database.write(lambda connection: _depart(connection, contact))
        self._contacts.add(contact)
        return True


def _depart(connection: sqlite3.Connection, contact: int) -> None:
    """Everything that waits fails, and the contact is marked. Of what was given up nobody can be told any more."""
    voids.fail_all(connection, contact, "account_deleted")
    connection.execute("DELETE FROM voids WHERE contact = ?", (contact,))
