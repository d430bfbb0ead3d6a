"""What nodes tell each other of addresses, without any manager: their own, and on request those of common contacts.

A greeting carries the address of each end; one that moves tells every open link. While no manager answers, a node asks
its acquaintances where somebody is. It answers such a question only while no manager answers it either, only to people
to whom its user has written, and only about such people, who must be named: otherwise it is silent, whether it knows
or not, so that a question tells little about whom somebody knows.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from telegraph.node import streams, whereabouts
from telegraph.node.address_rules import Verdict
from telegraph.node.bucket import Bucket
from telegraph.node.contacts import ContactBook
from telegraph.node.database import Database
from telegraph.node.links import LinkTable, OpenLink
from telegraph.node.own_address import OwnAddress
from telegraph.peer.port import LinkClosed
from telegraph.protocol.frames import Frame, Hello, Moved, SignedAddress, Whereabouts, WhereIs

log = structlog.get_logger(__name__)

ASKED_AT_MOST: Final = 16
"""Acquaintances asked at a time."""

_ANSWER_WITHIN: Final = 10.0
_MOVES: Final = (8, 1.0)
_QUESTIONS: Final = (32, 0.5)
_REPORTS: Final = (4, 60.0)
"""How many at once, and the seconds for each further one, of one contact."""


class Around(Protocol):
    """What this needs of the node around it."""

    database: Database
    links: LinkTable

    def hurry(self, contact_id: int) -> None:
        """A contact can probably be reached now."""
        ...


class Places:
    """Who is where. One for each log-in, as :class:`~telegraph.node.peers.Peers`."""

    def __init__(
        self, around: Around, contacts: ContactBook, own: OwnAddress | None, managers_away: Callable[[], bool]
    ) -> None:
        """``own`` is None where nothing is known of the own address, in tests."""
        self._around = around
        self._contacts = contacts
        self._own = own
        self._managers_away = managers_away
        self._asked: dict[str, float] = {}
        self._moves: dict[int, Bucket] = {}
        self._questions: dict[int, Bucket] = {}
        self._reports: dict[int, Bucket] = {}
        self._told: dict[int, int] = {}
        if own is not None:
            own.on_moved = self._tell_all

    # --- our own ---

    def own_address(self) -> SignedAddress | None:
        """Where this node is, signed."""
        return None if self._own is None else self._own.signed

    def is_told(self, contact_id: int) -> bool:
        """Whether a contact has heard on a link where this node is now."""
        signed = self.own_address()
        return signed is None or self._told.get(contact_id, 0) >= signed.counter

    def linked(self, link: OpenLink) -> None:
        """A link is in use from now on; its greeting may have carried an address that was replaced meanwhile."""
        self._told[link.contact] = link.told
        if not self.is_told(link.contact):
            self._tell(link)

    def _tell_all(self, _signed: SignedAddress) -> None:
        for link in self._around.links.all():
            self._tell(link)

    def _tell(self, link: OpenLink) -> None:
        signed = self.own_address()
        if signed is not None:
            self._say(link, Moved(signed))
            self._told[link.contact] = signed.counter

    # --- what others say ---

    async def greeted(self, contact_id: int, hello: Hello) -> None:
        """Takes what a greeting says of addresses. It is done before the own greeting or message follows."""
        if hello.address is not None:
            await self._take(contact_id, hello.address, first_hand=True)
        signed = self.own_address()
        if self._own is None or (signed is not None and hello.knows <= signed.counter):
            return
        if self._allowed(self._reports, contact_id, _REPORTS):
            await self._own.overtaken(hello.knows)

    async def handle(self, link: OpenLink, frame: Moved | WhereIs | Whereabouts) -> None:
        """One frame about addresses."""
        match frame:
            case Moved(address):
                if self._allowed(self._moves, link.contact, _MOVES):
                    await self._take(link.contact, address, first_hand=True)
            case WhereIs(user_id):
                if self._allowed(self._questions, link.contact, _QUESTIONS):
                    self._answer(link, user_id)
            case Whereabouts(user_id, address):
                await self._hear(user_id, address)

    def _answer(self, link: OpenLink, user_id: str) -> None:
        subject = self._contacts.of_user(user_id)
        if subject is None or subject.id == link.contact or not self._managers_away():
            return
        if self._is_acquaintance(link.contact) and self._is_acquaintance(subject.id):
            address = whereabouts.signed_address(self._around.database.reader, subject.id)
            if address is not None:
                self._say(link, Whereabouts(user_id, address))

    def _is_acquaintance(self, contact_id: int) -> bool:
        """Whether this node's user has written to somebody."""
        return streams.sent(self._around.database.reader, contact_id) > 0

    async def _hear(self, user_id: str, address: SignedAddress) -> None:
        contact, now = self._contacts.of_user(user_id), asyncio.get_running_loop().time()
        if contact is None or now - self._asked.get(user_id, float("-inf")) > _ANSWER_WITHIN:
            log.info("address_not_asked_for")
            return
        if await self._take(contact.id, address, first_hand=False) == "taken":
            self._asked.pop(user_id, None)
            self._around.hurry(contact.id)

    async def _take(self, contact_id: int, address: SignedAddress, *, first_hand: bool) -> Verdict:
        if whereabouts.signed_address(self._around.database.reader, contact_id) == address:
            return "known"  # as in most greetings
        verdict = await self._around.database.write(
            lambda connection: whereabouts.take_address(connection, contact_id, address, first_hand=first_hand)
        )
        if verdict == "taken":
            self._contacts.reload(contact_id)
        elif verdict != "known":
            log.warning("address_refused", contact=self._contacts[contact_id].user_id, why=verdict)
        return verdict

    # --- asking ---

    def ask(self, contact_id: int) -> None:
        """Asks acquaintances where a contact is, if no manager can be asked; an answer makes the courier hurry."""
        if not self._managers_away():
            return
        user_id = self._contacts[contact_id].user_id
        self._asked[user_id] = asyncio.get_running_loop().time()
        others = [link for link in self._around.links.all() if link.contact != contact_id]
        for link in [link for link in others if self._is_acquaintance(link.contact)][:ASKED_AT_MOST]:
            self._say(link, WhereIs(user_id))

    # --- bounds ---

    @staticmethod
    def _say(link: OpenLink, frame: Frame) -> None:
        try:
            link.answer(frame)
        except LinkClosed:  # its far end reads nothing; whoever uses the link finds out
            log.info("address_not_told")

    @staticmethod
    def _allowed(buckets: dict[int, Bucket], contact_id: int, rate: tuple[int, float]) -> bool:
        now = asyncio.get_running_loop().time()
        bucket = buckets.setdefault(contact_id, Bucket(*rate, now))
        if bucket.take(now):
            return True
        log.info("too_many_address_frames")
        return False
