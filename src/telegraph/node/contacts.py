"""Whom this node knows: pinned user ids, device keys and last known addresses, kept in memory and on disk."""

from base64 import b64decode
from collections.abc import Iterator

from telegraph.errors import IllegalName, UnknownUser
from telegraph.node import streams, whereabouts
from telegraph.node.database import Database
from telegraph.node.model import Contact
from telegraph.protocol.addresses import Address
from telegraph.protocol.manager_api import User
from telegraph.protocol.names import MAX_NAME_LENGTH, check_username, name_key
from telegraph.storage.engine import sqlite3

_COLUMNS = "id, user_id, username, device_key, host, port, counter, key_changed"


class ContactBook:
    """All contacts. What the directory says is taken over by :meth:`learn`, in one transaction each time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_id: dict[int, Contact] = {}
        self._by_user: dict[str, Contact] = {}
        self._by_name: dict[str, Contact] = {}
        self._by_spelling: dict[str, Contact] = {}
        for contact in _load(database.reader):
            self._remember(contact)

    def named(self, username: str) -> Contact | None:
        """The contact of this name, however it is spelt."""
        exactly = self._by_spelling.get(username)
        if exactly is not None:
            return exactly
        return self._by_name.get(name_key(username))

    def of_user(self, user_id: str) -> Contact | None:
        """The contact with this user id."""
        return self._by_user.get(user_id)

    def __getitem__(self, contact_id: int) -> Contact:
        return self._by_id[contact_id]

    def __iter__(self) -> Iterator[Contact]:
        return iter(list(self._by_id.values()))

    async def learn(self, user: User) -> Contact:
        """Takes over what the directory says of a user: pins a new one, updates a known one.

        An address is taken only if its counter is newer. Another device key begins new streams and marks the contact.
        """
        contact = await self._database.write(lambda connection: _learn(connection, user))
        self._remember(contact)
        return contact

    def reload(self, contact_id: int) -> None:
        """Something of a contact was written past this book."""
        self._remember(*_load(self._database.reader, "WHERE id = ?", contact_id))

    def _remember(self, contact: Contact) -> None:
        before = self._by_id.get(contact.id)
        if before is not None:
            self._by_name.pop(name_key(before.username), None)
            self._by_spelling.pop(before.username, None)
        self._by_id[contact.id] = contact
        self._by_user[contact.user_id] = contact
        self._by_name[name_key(contact.username)] = contact
        self._by_spelling[contact.username] = contact


def _load(connection: sqlite3.Connection, where: str = "", *values: object) -> list[Contact]:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM contacts {where}", values)
    return [
        Contact(
            id=row_id,
            user_id=user_id,
            username=username,
            device_key=key,
            address=Address(host, port) if host else None,
            counter=counter,
            key_changed=bool(changed),
        )
        for row_id, user_id, username, key, host, port, counter, changed in rows
    ]


def _learn(connection: sqlite3.Connection, user: User) -> Contact:
    key = b64decode(user.device_key) if user.device_key else None
    connection.execute(
        "INSERT INTO contacts (user_id, username, name_key, device_key) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, name_key = excluded.name_key,"
        " device_key = ifnull(device_key, excluded.device_key)",
        (user.user_id, user.username, name_key(user.username), key),
    )
    (contact,) = _load(connection, "WHERE user_id = ?", user.user_id)
    if key is not None and contact.device_key != key:
        streams.change_key(connection, contact.id, key)
    whereabouts.learn_address(connection, contact.id, user)
    return _load(connection, "WHERE user_id = ?", user.user_id)[0]


def possible_name(name: str) -> str:
    """A name that somebody can have: the directory need not be asked for another, nor could a URL carry ``..`` to it.

    Raises:
        UnknownUser: nobody can be called that.
    """
    try:
        for part in name.split("~"):  # a heal between sites may give somebody the name NAME~SITE
            check_username(part)
    except IllegalName:
        shown = "".join(character if character.isprintable() else "\ufffd" for character in name[:MAX_NAME_LENGTH])
        raise UnknownUser(username=shown) from None
    return name
