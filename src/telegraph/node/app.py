"""The node: one person's daemon, and the Python API that bots, the page and the command line are built on."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime

from telegraph.errors import AccountDeleted, BadInput, IllegalText, NotLoggedIn, UnknownMessage
from telegraph.node import acts, drafts, examining, history, oneself, receipts, requests, streams
from telegraph.node.contacts import possible_name
from telegraph.node.doctor import Facts, Found, Waiting, findings
from telegraph.node.entering import Entering
from telegraph.node.expiry import MAX_SECONDS, MIN_SECONDS
from telegraph.node.model import Contact, Event, Message, Sites, as_time, id_bytes, id_text
from telegraph.node.people import SafetyNumber
from telegraph.node.reach import cause
from telegraph.node.settings import NodeSettings
from telegraph.node.trust import Ask
from telegraph.peer.port import Unreachable
from telegraph.protocol.doctor_api import ReachCause
from telegraph.protocol.frames import MAX_TEXT_BYTES
from telegraph.protocol.manager_api import User
from telegraph.protocol.names import name_key
from telegraph.protocol.node_api import MessageState
from telegraph.storage.engine import sqlite3


class Node(Entering):
    """One person's node. Use it as an async context manager; inside it runs, links are accepted, what waits goes out.

    ``data`` is its directory: account, keys, messages. ``manager`` is the URL of one manager or several; without one
    they are discovered. ``ca`` is the organisation's CA certificate file, unless an ``invite`` link gives its
    fingerprint, and the managers with it. ``key_file`` opens the store without a password from the second start on.
    See :class:`~telegraph.node.settings.NodeSettings` for the rest.

    What is stored is encrypted: until :meth:`login` has opened the store, or the key file has, most calls raise
    :class:`~telegraph.errors.NotLoggedIn`.

    Raises:
        CannotStart: on entering, see its subclasses.
    """

    def _configure(self, settings: NodeSettings, ask: Ask | None = None) -> None:
        super()._configure(settings, ask)
        self._examining = asyncio.Lock()
        self._own_port = examining.OwnPort()

    # --- people and messages ---

    async def people(self, query: str = "") -> list[User]:
        """Users whose name begins like this; those who are online if the query is empty.

        Raises:
            ManagerAway: the directory cannot be asked now.
        """
        return self._decisions.shown(await self._member.search(query), online_only=not query)

    @property
    def ended(self) -> tuple[str, str]:
        """Why the session ended and when (RFC 3339), each empty if it goes on or that is not known."""
        account = self.account
        return (account.ended, account.ended_at) if account else ("", "")

    @property
    def moved_here(self) -> bool:
        """Whether the latest log-in of this run took the session over from another device."""
        return self._membership is not None and self._membership.moved_here

    @property
    def sites(self) -> Sites:
        """The sites of the organisation, as far as a manager has told in this run."""
        return self._membership.sites if self._membership else Sites()

    async def contact(self, user: str) -> Contact:
        """Somebody by name: known here, or else looked up in the directory and pinned.

        Raises:
            UnknownUser: there is none of this name.
            ManagerAway: not known here, and the directory cannot be asked.
        """
        me = self._me
        known = self._contacts.named(user)
        if known is not None:
            return known
        if name_key(user) == name_key(me):
            return await self._contacts.oneself(self._member.require().user_id, me)
        return await self._learn(await self._member.find_user(possible_name(user)))

    async def send(
        self,
        user: str,
        text: str,
        *,
        reply_to: str | None = None,
        expires_in: float | None = None,
        request_id: str | None = None,
    ) -> Message:
        """Sends a message: returns once it is on this machine's disk; it goes out by itself.

        One to oneself stays here, and is read at once.

        ``expires_in``: seconds after which it fails unless it is delivered by then; without it, it waits for ever.
        ``request_id``: called again with the same one, also after a crash, it gives the message of the first time.

        Raises:
            BadInput: ``expires_in`` is less than a second or more than 366 days.
            IllegalText: empty, or longer than 64 KiB in UTF-8.
            UnknownUser, ManagerAway: as :meth:`contact`.
            AccountDeleted: nothing can reach them any more.
            UnknownMessage: ``reply_to`` is no message of this conversation; or what was sent under this id is deleted.
            RequestIdUsed: under ``request_id`` another message was sent.
        """
        if not _fits(text):
            raise IllegalText
        if expires_in is not None and not MIN_SECONDS <= expires_in <= MAX_SECONDS:
            raise BadInput(detail="a message may be given between a second and 366 days")
        contact = self._contacts.named(user) or await self.contact(user)
        if self.is_deleted(contact):
            raise AccountDeleted(username=contact.username)
        account = self._member.require()  # before anything is stored: an error must mean that nothing is sent
        answered = self._find_message(contact, reply_to) if reply_to is not None else None
        draft = streams.Draft(contact.id, text, time.time_ns() // 1000, reply_to=answered)
        own = contact.user_id == account.user_id
        if own or expires_in is not None or request_id is not None:
            return await self._send_aside(draft, expires_in, request_id, own=own)
        stored = await self.database.write_together(self._append, draft)
        self._broker.wake()
        if self._peers is not None:
            self._peers.offer(contact.id, streams.as_frame(draft, stored, account.user_id, contact.user_id))
        return Message(
            id=id_text(stored.uuid),
            sender=account.username,
            recipient=contact.username,
            text=text,
            state="pending",
            sent_at=as_time(draft.now_us),
            mine=True,
            reply_to=reply_to,
            conversation=contact.user_id,
            device=self._member.key.public,
            seq=stored.seq,
        )

    def _append(self, connection: sqlite3.Connection, drafts: Sequence[streams.Draft]) -> Sequence[streams.Appended]:
        return streams.append_all(connection, drafts, self._rng)

    async def _send_aside(
        self, draft: streams.Draft, seconds: float | None, request_id: str | None, *, own: bool
    ) -> Message:
        """Sends what needs more than its place in the stream: it stays here, has an end, or is known by an id."""

        def store(connection: sqlite3.Connection) -> int:
            if own:
                return oneself.keep(connection, draft, self._rng)
            (stored,) = streams.append_all(connection, [draft], self._rng)
            if seconds is not None:
                self._expiring.give(connection, stored.row, seconds)
            return stored.row

        def job(connection: sqlite3.Connection) -> int:
            if request_id is None:
                return store(connection)
            return requests.once(connection, request_id, draft, lambda: store(connection))

        row = await self.database.write(job, brief=True)
        if seconds is not None:
            self._expiring.changed()
        if own:
            self._broker.wake()
        else:
            self._messages_changed(draft.contact)
        return history.message(self.database.reader, row, self._me)

    async def delivered(self, message: Message) -> None:
        """Waits until a message of ours is on the recipient's disk, or is given up."""
        contact = await self.contact(message.recipient)
        state, seq = message.state, message.seq
        if not self._deliveries.heard_of(contact.id):
            state, seq = self._state(contact, message.id)
        while state == "pending" and not await self._deliveries.wait(contact.id, seq or 0):
            state, seq = self._state(contact, message.id)

    def _state(self, contact: Contact, message_id: str) -> tuple[MessageState, int | None]:
        row = history.find(self.database.reader, contact.id, self._find_message(contact, message_id)) or 0
        found = history.message(self.database.reader, row, self._me)
        return found.state, found.seq

    async def cancel(self, message_id: str) -> Message:
        """Gives up a message that waits. If it turns out that the other has it already, an event says so.

        Raises:
            UnknownMessage: there is none with this id.
            WrongState: it is delivered, or somebody else's.
        """
        return self._acted(await acts.cancel(self.database, message_id))

    async def retry(self, message_id: str) -> Message:
        """Sends a failed or cancelled message after all, as the newest of its conversation; tries a pending one now.

        Raises:
            UnknownMessage: there is none with this id.
            WrongState: it is delivered, or somebody else's.
            AccountDeleted: nothing can reach its recipient any more.
        """
        located = acts.locate(self.database, message_id)
        if located.contact in self._departed:
            raise AccountDeleted(username=self._contacts[located.contact].username)
        found = await acts.retry(self.database, message_id, time.time_ns() // 1000, self._rng)
        if self._peers is not None:
            self._peers.hurry(found.contact)
        return self._acted(found)

    async def delete_message(self, message_id: str) -> None:
        """Deletes a message here; the other keeps theirs. One that waits is given up, and never reaches them.

        Raises:
            UnknownMessage: there is none with this id.
        """
        self._messages_changed((await acts.delete_message(self.database, message_id)).contact)

    async def delete_conversation(self, user: str) -> int:
        """Deletes all messages with somebody here; what waits is given up: how many were deleted.

        Raises:
            UnknownUser, ManagerAway: as :meth:`contact`.
        """
        contact = await self.contact(user)
        deleted = await acts.delete_conversation(self.database, contact.id)
        self._messages_changed(contact.id)
        return deleted

    def _acted(self, found: acts.Located) -> Message:
        self._messages_changed(found.contact)
        return history.message(self.database.reader, found.row, self._me)

    def _find_message(self, contact: Contact, message_id: str) -> bytes:
        uuid = id_bytes(message_id)
        if uuid is None or history.find(self.database.reader, contact.id, uuid) is None:
            raise UnknownMessage
        return uuid

    @property
    def _me(self) -> str:
        account = self.account
        if account is None:
            raise NotLoggedIn
        return account.username

    async def read(self, user: str) -> int:
        """Marks everything from somebody as read, and tells them: how many messages became read."""
        contact = await self.contact(user)
        marked = await self.database.write(lambda connection: streams.read_here(connection, contact.id))
        if marked:
            self._messages_changed(contact.id)
        return marked

    @property
    def read_receipts(self) -> bool:
        """Whether others are told that their messages were read here."""
        return receipts.wanted(self.database.reader)

    async def choose_read_receipts(self, *, on: bool) -> None:
        """From now on others are told that their messages were read here, or not."""
        await self.database.write(lambda connection: receipts.choose(connection, on=on))

    async def history(
        self, user: str, *, before: str | None = None, after: str | None = None, limit: int = 50
    ) -> tuple[list[Message], bool]:
        """Up to ``limit`` messages before one (None: the latest), oldest first, and whether there are older ones.

        With ``after`` instead, those that follow a message, and whether there are newer ones.

        Raises:
            UnknownMessage: ``before`` or ``after`` is no message of this conversation.
            BadInput: both are given.
        """
        if before is not None and after is not None:
            raise BadInput(detail="give before or after, not both")
        contact = await self.contact(user)
        if after is not None:
            start = history.find(self.database.reader, contact.id, self._find_message(contact, after))
            return history.following(self.database.reader, contact.id, self._me, after=start, limit=limit)
        row = None
        if before is not None:
            row = history.find(self.database.reader, contact.id, self._find_message(contact, before))
        return history.page(self.database.reader, contact.id, self._me, before=row, limit=limit)

    async def search(self, query: str, user: str | None = None) -> list[Message]:
        """The newest 50 messages with every word of a query, newest first; the last word may be a beginning.

        Case and accents do not matter. ``user``: only in the conversation with them. The newest second may be missing.

        Raises:
            UnknownUser, ManagerAway: as :meth:`contact`.
        """
        contact = await self.contact(user) if user is not None else None
        self.database  # noqa: B018 - raises if the store is locked
        return await self._search.find(query, self._me, contact=contact.id if contact else None)

    def drafts(self) -> list[tuple[Contact, str]]:
        """What the user began to write and has not sent, and to whom."""
        return [(self._contacts[row], text) for row, text in drafts.kept(self.database.reader)]

    async def keep_draft(self, user: str, text: str) -> None:
        """Keeps what the user began to write to somebody; an empty text removes it.

        Raises:
            UnknownUser, ManagerAway: as :meth:`contact`.
        """
        contact = await self.contact(user)
        await self.database.write(lambda connection: drafts.keep(connection, contact.id, text), brief=True)

    def inbox(self) -> list[Message]:
        """Every unread message, in the order of arrival; marks nothing."""
        return history.unread(self.database.reader, self._me)

    def conversations(self) -> list[Contact]:
        """Everybody with whom there is a message, the latest conversation first."""
        return [self._contacts[row] for row in history.conversations(self.database.reader)]

    @property
    def contacts(self) -> list[Contact]:
        """Everybody known here; nobody while the store is locked."""
        return list(self._contacts) if self._store.state == "open" else []

    def is_deleted(self, contact: Contact) -> bool:
        """Whether a contact's account was deleted."""
        return contact.id in self._departed

    def presence(self, user_id: str) -> tuple[bool, str | None]:
        """Whether a contact is online as far as is known, and when they were last seen (RFC 3339 or None).

        Of who is blocked nothing is known.
        """
        if user_id == self.user_id:
            return self.account_state == "online", None
        contact = self._contacts.of_user(user_id)
        hidden = contact is not None and contact.blocked
        return (False, None) if hidden else self._online.get(user_id, (False, None))

    def reach(self, contact: Contact) -> tuple[bool, tuple[float, Unreachable] | None]:
        """Whether a connection to somebody is open, and how long ago the latest attempt failed, in seconds, and why."""
        if self._peers is None:
            return False, None
        return self._peers.links.of(contact.id) is not None, self._peers.failure(contact.id)

    def why_waiting(self, contact: Contact) -> ReachCause | None:
        """Why nothing goes to somebody right now; None: a connection to them is open."""
        linked, failure = self.reach(contact)
        if linked:
            return None
        state = self.account_state
        return cause(
            contact,
            deleted=self.is_deleted(contact),
            logged_in=state in ("online", "offline"),
            online=self.presence(contact.user_id)[0] if state == "online" else None,
            failure=failure[1] if failure else None,
        )

    async def examine(self) -> list[Found]:
        """Looks at everything that this node needs, and at what waits; one look at a time, of some seconds at most."""
        async with self._examining:
            return findings(await self._facts(), datetime.now(UTC))

    async def _facts(self) -> Facts:
        state, account, member = self.account_state, self.account, self._membership
        logged_in = state in ("online", "offline")
        managers, reached, free = await asyncio.gather(
            examining.managers(self._client, self._ca, self.managers, unknown=state == "locked"),
            self._own_port.reached(member.calls, self.peer_address) if member and logged_in else asyncio.sleep(0),
            examining.free(self.settings.data),
        )
        return Facts(
            state=state,
            username=self.username,
            provisional=account is not None and account.provisional,
            ended=self.ended[0],
            ended_at=self.ended[1],
            managers=managers,
            sites=self.sites.others,
            certificate=account.certificate if account else None,
            address=self.peer_address,
            reached=reached,
            free=free,
            damage=self.damage if self._store.state == "open" else None,
            waiting=self._what_waits() if self._store.state == "open" else None,
        )

    def _what_waits(self) -> list[Waiting]:
        reader = self.database.reader
        counted = [(one, history.pending_count(reader, one.id)) for one in self.conversations()]
        return [
            Waiting(one.username, count, self.why_waiting(one), self.presence(one.user_id)[1])
            for one, count in counted
            if count
        ]

    # --- trust ---

    async def safety_number(self, user: str) -> SafetyNumber:
        """The 60 digits that this user and another compare, see :meth:`Decisions.safety_number`."""
        return await self._decisions.safety_number(await self.contact(user))

    async def verify(self, user: str, number: str | None = None) -> Contact:
        """Marks somebody as verified, see :meth:`Decisions.verify`."""
        return await self._decisions.verify(await self.contact(user), number)

    async def unverify(self, user: str) -> Contact:
        """Takes that back, see :meth:`Decisions.unverify`."""
        return await self._decisions.unverify(await self.contact(user))

    async def accept_key(self, user: str, number: str | None = None) -> Contact:
        """Goes on with somebody's new device key, see :meth:`Decisions.accept_key`."""
        return await self._decisions.accept_key(await self.contact(user), number)

    async def keep_key(self, user: str) -> Contact:
        """Stays with the key that was verified, see :meth:`Decisions.keep_key`."""
        return await self._decisions.keep_key(await self.contact(user))

    async def block(self, user: str) -> Contact:
        """Wants to hear nothing of somebody and tells them nothing; what waits on either side waits on."""
        return await self._decisions.block(await self.contact(user), blocked=True)

    async def unblock(self, user: str) -> Contact:
        """Hears and tells them again; what waited on either side goes out."""
        return await self._decisions.block(await self.contact(user), blocked=False)

    def blocked(self) -> list[Contact]:
        """Everybody who is blocked, by name."""
        return self._decisions.blocked()

    # --- events ---

    def events(self, cursor: int | None = None) -> AsyncGenerator[Event]:
        """What happens from this call on, or since a cursor, until the node closes: messages, states, presence.

        The own messages of this node's user come as :class:`MessageSent`.
        """
        followed = self.follow(cursor)
        return (event async for _, event in followed)

    def follow(self, cursor: int | None = None) -> AsyncGenerator[tuple[int, Event]]:
        """As :meth:`events`, each event with the cursor to resume after."""
        return self._broker.follow(self._name_for_events, cursor)

    @property
    def cursor(self) -> int:
        """The cursor of the latest event on disk."""
        return self._broker.head()

    def _name_for_events(self) -> str:
        return self.username or ""


def _fits(text: str) -> bool:
    """Whether a text can be sent: not empty or too long, and valid Unicode (JSON can carry halves of characters)."""
    try:
        return 0 < len(text.encode()) <= MAX_TEXT_BYTES
    except UnicodeEncodeError:
        return False
