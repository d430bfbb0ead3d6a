"""What the user decides about people: compared and verified, another key accepted or not, blocked."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from telegraph.errors import NoDeviceKey, SafetyNumberDiffers
from telegraph.node import safety
from telegraph.node.broker import Broker
from telegraph.node.contacts import ContactBook
from telegraph.node.model import Contact, ContactChanged
from telegraph.protocol.manager_api import User


class SafetyNumber(msgspec.Struct, frozen=True):
    """A safety number: 60 digits, and what a QR code of it holds.

    ``offered`` is the number with the key that the directory says is theirs now, if the user has to decide on one.
    """

    user: str
    number: str
    scan: str
    verified: bool
    offered: str | None = None


class Decisions:
    """Each takes a contact and gives it as it is then; couriers, links and followers are told."""

    def __init__(
        self,
        contacts: ContactBook,
        broker: Broker,
        own_side: Callable[[], tuple[str, bytes]],
        on_decided: Callable[[Contact, Contact], Awaitable[None]],
    ) -> None:
        """``own_side`` gives the own user id and device key. ``on_decided`` is told of a contact before and after."""
        self._contacts = contacts
        self._broker = broker
        self._own_side = own_side
        self._on_decided = on_decided

    async def safety_number(self, contact: Contact) -> SafetyNumber:
        """What the user compares with the contact.

        Raises:
            NoDeviceKey: they have never logged in.
        """
        own, theirs = await self._sides(contact, contact.device_key)
        offered = None
        if contact.offered_key is not None:
            offered = safety.number(*await self._sides(contact, contact.offered_key))
        return SafetyNumber(
            contact.username, safety.number(own, theirs), safety.to_scan(own, theirs), contact.verified, offered
        )

    async def verify(self, contact: Contact, number: str | None) -> Contact:
        """The user has compared: the number is the other's, as read or scanned; None if it was done by other means.

        The number of a key that was offered accepts it.

        Raises:
            NoDeviceKey: they have never logged in.
            IllegalSafetyNumber: that is none.
            SafetyNumberDiffers: it is not the one that this end has; nothing is changed.
            KeyChanged: without a number, while a key waits for the user's word.
        """
        key = contact.device_key if number is None else await self._key_of(contact, number)
        if key is None:
            raise NoDeviceKey(username=contact.username)
        return await self._told(contact, await self._contacts.verify(contact, key))

    async def unverify(self, contact: Contact) -> Contact:
        """The user takes that back.

        Raises:
            KeyChanged: a key waits for their word.
        """
        return await self._told(contact, await self._contacts.unverify(contact))

    async def accept_key(self, contact: Contact, number: str | None = None) -> Contact:
        """The user takes the key that was offered, or knows that the key changed; what waits goes out. Verified is off.

        Raises:
            SafetyNumberDiffers: the number that they were shown is not that of the key that is offered now.
            IllegalSafetyNumber: that is none.
        """
        key = contact.offered_key
        if number is not None and (key or contact.device_key) != await self._key_of(contact, number):
            raise SafetyNumberDiffers(username=contact.username)
        return await self._told(contact, await self._contacts.accept(contact, key))

    async def keep_key(self, contact: Contact) -> Contact:
        """The user does not take the key that was offered; what waits goes to the verified one."""
        return await self._told(contact, await self._contacts.keep(contact))

    async def block(self, contact: Contact, *, blocked: bool) -> Contact:
        """The user wants to hear nothing of the contact and tell them nothing, or does again."""
        return await self._told(contact, await self._contacts.block(contact, blocked=blocked))

    def blocked(self) -> list[Contact]:
        """Everybody who is blocked, by name."""
        return sorted((contact for contact in self._contacts if contact.blocked), key=lambda contact: contact.username)

    def shown(self, users: list[User], *, online_only: bool) -> list[User]:
        """What the directory says of users, without the presence of those who are blocked."""
        hidden = {contact.user_id for contact in self._contacts if contact.blocked}
        return [
            msgspec.structs.replace(user, status="offline", last_seen=None) if user.user_id in hidden else user
            for user in users
            if not (online_only and user.user_id in hidden)
        ]

    # --- how ---

    async def _sides(self, contact: Contact, key: bytes | None) -> tuple[bytes, bytes]:
        """The fingerprints of both ends, with one of the contact's keys."""
        if key is None:
            raise NoDeviceKey(username=contact.username)
        own = await asyncio.to_thread(safety.fingerprint, *self._own_side())
        return own, await asyncio.to_thread(safety.fingerprint, contact.user_id, key)

    async def _key_of(self, contact: Contact, number: str) -> bytes:
        """Which of the contact's keys has this number; one that was offered before the pinned one."""
        for key in (contact.offered_key, contact.device_key):
            if key is not None and safety.fits(number, *await self._sides(contact, key)):
                return key
        if contact.device_key is None:
            raise NoDeviceKey(username=contact.username)
        raise SafetyNumberDiffers(username=contact.username)

    async def _told(self, before: Contact, after: Contact) -> Contact:
        if after != before:
            await self._on_decided(before, after)
            self._broker.publish(ContactChanged(after))
        return after
