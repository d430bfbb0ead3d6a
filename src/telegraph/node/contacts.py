"""Whom this node knows: pinned user ids, device keys and last known addresses, kept in memory and on disk."""

import time
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator
from typing import Final

from telegraph.errors import IllegalName, KeyChanged, NameHeld, UnknownUser
from telegraph.node import notices, streams, whereabouts
from telegraph.node.database import Database
from telegraph.node.model import KEY_CHANGED, Contact
from telegraph.node.pinning import Pinned, judge_key
from telegraph.protocol.addresses import Address
from telegraph.protocol.manager_api import User
from telegraph.protocol.names import HEALED, MAX_NAME_LENGTH, check_username, may_be_same, name_key
from telegraph.storage.engine import sqlite3

_COLUMNS: Final = (
    "id, user_id, username, device_key, host, port, counter, key_changed,"
    " ifnull(verified_key = device_key, 0), offered_key, blocked"
)


class ContactBook:
    """All contacts; each change is one transaction. What the directory says is taken over by :meth:`learn`."""

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

        An address is taken only if its counter is newer. Another device key is judged by :mod:`telegraph.node.pinning`.
        A name that a contact has here is never given to somebody else, and one whom the user has verified keeps theirs:
        who types a name must not reach another person because the directory says so. But whose name a heal between
        sites gave to another is shown by the new one, which has a site behind it.

        Raises:
            NameHeld: the user is not known here, or called otherwise, and the name is a contact's.
        """
        now = time.time_ns() // 1000
        contact = await self._change(lambda connection: _learn(connection, user, now))
        for namesake in user.namesakes:
            if namesake.user_id in self._by_user:
                self.reload(self._by_user[namesake.user_id].id)
        return contact

    async def oneself(self, user_id: str, username: str) -> Contact:
        """The user of this node as somebody to write to; the directory need not be asked."""

        def job(connection: sqlite3.Connection) -> Contact:
            connection.execute(
                "INSERT INTO contacts (user_id, username, name_key) VALUES (?, ?, ?) ON CONFLICT (user_id) DO UPDATE"
                " SET username = excluded.username, name_key = excluded.name_key",
                (user_id, username, name_key(username)),
            )
            return _load(connection, "WHERE user_id = ?", user_id)[0]

        return await self._change(job)

    # --- what the user says ---

    async def verify(self, contact: Contact, key: bytes) -> Contact:
        """The user has compared this key: it is the one that links are made with from now on.

        Raises:
            KeyChanged: it is no longer the contact's, nor one that waits for the user's word.
        """

        def job(connection: sqlite3.Connection, pinned: Pinned) -> None:
            if key == pinned.offered_key:
                streams.change_key(connection, contact.id, key)
            elif key != pinned.device_key or pinned.offered_key is not None:
                raise KeyChanged(username=contact.username)
            _set(connection, contact.id, verified_key=key, offered_key=None, key_changed=0)

        return await self._decide(contact, job)

    async def unverify(self, contact: Contact) -> Contact:
        """The user takes that back.

        Raises:
            KeyChanged: a key waits for their word, which would no longer be asked for.
        """

        def job(connection: sqlite3.Connection, pinned: Pinned) -> None:
            if pinned.offered_key is not None:
                raise KeyChanged(username=contact.username)
            _set(connection, contact.id, verified_key=None)

        return await self._decide(contact, job)

    async def accept(self, contact: Contact, key: bytes | None) -> Contact:
        """The user takes the key that was offered (None: none was), or knows that it changed. Verified is off then.

        Raises:
            KeyChanged: another key is offered by now.
        """

        def job(connection: sqlite3.Connection, pinned: Pinned) -> None:
            if key != pinned.offered_key:
                raise KeyChanged(username=contact.username)
            if key is not None:
                streams.change_key(connection, contact.id, key)
                _set(connection, contact.id, verified_key=None, offered_key=None)
            _set(connection, contact.id, key_changed=0)

        return await self._decide(contact, job)

    async def keep(self, contact: Contact) -> Contact:
        """The user does not take the key that was offered: all stays with the verified one."""

        def job(connection: sqlite3.Connection, pinned: Pinned) -> None:
            if pinned.offered_key is not None:
                _set(connection, contact.id, refused_key=pinned.offered_key, offered_key=None, key_changed=0)

        return await self._decide(contact, job)

    async def block(self, contact: Contact, *, blocked: bool) -> Contact:
        """The user wants to hear nothing of somebody, or does again."""
        return await self._decide(contact, lambda connection, _: _set(connection, contact.id, blocked=int(blocked)))

    # --- how ---

    async def _decide(self, contact: Contact, job: Callable[[sqlite3.Connection, Pinned], None]) -> Contact:
        def decided(connection: sqlite3.Connection) -> Contact:
            job(connection, _pinned(connection, contact.id))
            return _load(connection, "WHERE id = ?", contact.id)[0]

        return await self._change(decided)

    async def _change(self, job: Callable[[sqlite3.Connection], Contact]) -> Contact:
        contact = await self._database.write(job)
        self._remember(contact)
        return contact

    def reload(self, contact_id: int) -> None:
        """Something of a contact was written past this book."""
        self._remember(*_load(self._database.reader, "WHERE id = ?", contact_id))

    def _remember(self, contact: Contact) -> None:
        before = self._by_id.get(contact.id)
        if before is not None:
            for names, name in ((self._by_name, name_key(before.username)), (self._by_spelling, before.username)):
                if name in names and names[name].id == contact.id:  # it may be another's by now
                    del names[name]
        self._by_id[contact.id] = contact
        self._by_user[contact.user_id] = contact
        self._by_name[name_key(contact.username)] = contact
        self._by_spelling[contact.username] = contact


def told_key(user: User) -> bytes | None:
    """The device key that the directory tells of, None if it tells of none or of nonsense."""
    try:
        return b64decode(user.device_key, validate=True) if user.device_key else None
    except NotBase64:
        return None


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
            verified=bool(verified),
            offered_key=offered,
            blocked=bool(blocked),
        )
        for row_id, user_id, username, key, host, port, counter, changed, verified, offered, blocked in rows
    ]


def _set(connection: sqlite3.Connection, contact: int, **values: object) -> None:
    assignments = ", ".join(f"{name} = ?" for name in values)
    connection.execute(f"UPDATE contacts SET {assignments} WHERE id = ?", (*values.values(), contact))


def _pinned(connection: sqlite3.Connection, contact: int) -> Pinned:
    row = connection.execute(
        "SELECT device_key, verified_key, offered_key, refused_key FROM contacts WHERE id = ?", (contact,)
    ).fetchone()
    return Pinned(*row)


def _learn(connection: sqlite3.Connection, user: User, now_us: int) -> Contact:
    known = _load(connection, "WHERE user_id = ?", user.user_id)
    keeps_name = bool(known) and (known[0].verified or name_key(known[0].username) == name_key(user.username))
    if not keeps_name:
        _make_room(connection, user)
    if not known:
        connection.execute(
            "INSERT INTO contacts (user_id, username, name_key) VALUES (?, ?, ?)",
            (user.user_id, user.username, name_key(user.username)),
        )
        known = _load(connection, "WHERE user_id = ?", user.user_id)
    (contact,) = known
    if not contact.verified or _only_longer(contact.username, user.username):
        _set(connection, contact.id, username=user.username, name_key=name_key(user.username))
    _learn_key(connection, contact.id, told_key(user), now_us)
    whereabouts.learn_address(connection, contact.id, user)
    return _load(connection, "WHERE id = ?", contact.id)[0]


def _only_longer(before: str, now: str) -> bool:
    """Whether a name only got a site behind it, which nobody types by mistake: that is shown also of the verified."""
    return HEALED not in before and HEALED in now and may_be_same(before, now)


def _make_room(connection: sqlite3.Connection, user: User) -> None:
    """The name is this user's now; a contact who had it until two sites met again goes on by their new one."""
    for holder in _load(connection, "WHERE name_key = ? AND user_id != ?", name_key(user.username), user.user_id):
        renamed = next((other.username for other in user.namesakes if other.user_id == holder.user_id), None)
        if renamed is None or not _only_longer(holder.username, renamed):
            raise NameHeld(username=user.username)
        _set(connection, holder.id, username=renamed, name_key=name_key(renamed))


def _learn_key(connection: sqlite3.Connection, contact: int, told: bytes | None, now_us: int) -> None:
    match judge_key(_pinned(connection, contact), told):
        case "none":
            return
        case "first":
            _set(connection, contact, device_key=told)
        case "withdrawn":
            _set(connection, contact, offered_key=None)
        case "offered":
            _note_change(connection, contact, now_us)
            _set(connection, contact, offered_key=told)
        case "changed":
            _note_change(connection, contact, now_us)
            streams.change_key(connection, contact, told or b"")


def _note_change(connection: sqlite3.Connection, contact: int, now_us: int) -> None:
    """Says so in the conversation, once at its place: a directory that changes its mind for ever fills no disk."""
    unseen = connection.execute("SELECT key_changed FROM contacts WHERE id = ?", (contact,)).fetchone()[0]
    if not (unseen and notices.is_last(connection, contact, KEY_CHANGED)):
        notices.note(connection, contact, KEY_CHANGED, now_us)
    _set(connection, contact, key_changed=1)


def possible_name(name: str) -> str:
    """A name that somebody can have: the directory need not be asked for another, nor could a URL carry ``..`` to it.

    Raises:
        UnknownUser: nobody can be called that.
    """
    try:
        for part in name.split(HEALED):  # a heal between sites may give somebody the name NAME~SITE
            check_username(part)
    except IllegalName:
        shown = "".join(character if character.isprintable() else "\ufffd" for character in name[:MAX_NAME_LENGTH])
        raise UnknownUser(username=shown) from None
    return name


def is_news(contact: Contact, user: User) -> bool:
    """Whether the directory says something that is not yet stored here."""
    return user.counter > contact.counter or user.username != contact.username or told_key(user) != contact.device_key
