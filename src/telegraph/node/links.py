"""The links that are open right now, at most one per contact."""

import asyncio
import contextlib
from collections.abc import Callable

from telegraph.node.divergence import Claim
from telegraph.node.link_rules import Standing, newer_stays
from telegraph.peer.port import Link, LinkClosed
from telegraph.protocol.frames import MAX_FRAMES, Frame, Stored, encode_frames

MAX_ANSWERS = MAX_FRAMES
"""Answers that may wait for an end that does not read them."""


class OpenLink:
    """A link whose two ends know each other, and how far sending on it has come.

    ``sent`` is the highest message number handed to it, ``acknowledged`` the highest that the other end has on disk,
    ``marked`` the highest of which this end's disk says so; ``marking``: that is about to be written. ``receipt`` is
    the highest read receipt. ``asked`` are the numbers given up that it was told and has not answered. ``closed`` is
    set when it is gone. ``told`` is the counter of the own address that its greeting carried, 0 for none. ``stream`` is
    the one whose numbers go over it, ``epoch`` what this end called it, ``claim`` what the other end had of it.
    """

    def __init__(self, link: Link, contact: int, since: float, received_there: int) -> None:
        self.link = link
        self.contact = contact
        self.standing = Standing(link.outgoing, since)
        self.sent = received_there
        self.acknowledged = received_there
        self.marked = received_there
        self.marking = False
        self.receipt = 0
        self.asked: set[int] = set()
        self.refused = False
        self.told = 0
        self.stream = 0
        self.epoch = 0
        self.claim = Claim(0, received_there, None)
        self.closed = asyncio.Event()
        self._answers: list[Frame] = []
        self._answering = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """How many messages are sent and not yet acknowledged."""
        return self.sent - self.acknowledged

    def answer(self, *frames: Frame) -> None:
        """Answers what the other end sent, soon and in order; an acknowledgement replaces the one before it.

        The task that reads must never wait for the other end to read: two ends that did would wait for each other.

        Raises:
            LinkClosed: the other end asks and asks and reads no answer.
        """
        for frame in frames:
            if isinstance(frame, Stored) and self._answers and isinstance(self._answers[-1], Stored):
                self._answers.pop()
            self._answers.append(frame)
        if len(self._answers) > MAX_ANSWERS:
            raise LinkClosed
        self._answering.set()

    async def send_answers(self) -> None:
        """Sends answers as they come, until the link is gone."""
        with contextlib.suppress(LinkClosed):
            while not self.closed.is_set():
                await self._answering.wait()
                self._answering.clear()
                answers, self._answers = self._answers, []
                await self.link.send(encode_frames(answers))

    async def close(self) -> None:
        """Closes the link; whoever reads from it ends."""
        self.closed.set()
        await self.link.close()


class LinkTable:
    """Open links by contact; two at once are settled by :mod:`telegraph.node.link_rules`."""

    def __init__(self, own_key: bytes) -> None:
        self._own_key = own_key
        self._open: dict[int, OpenLink] = {}

    def of(self, contact: int) -> OpenLink | None:
        """The open link to a contact, or None."""
        found = self._open.get(contact)
        return None if found is None or found.closed.is_set() else found

    def all(self) -> list[OpenLink]:
        """Every open link."""
        return [link for link in self._open.values() if not link.closed.is_set()]

    def add(self, new: OpenLink) -> OpenLink | None:
        """Takes a link in; gives the one that must go, which may be the new one. Its far end is for the caller to tell.

        Nothing is awaited here: a link that is in the table needs its reader at once.
        """
        existing = self.of(new.contact)
        if existing is None or newer_stays(existing.standing, new.standing, self._own_key, new.link.remote.key):
            self._open[new.contact] = new
            loser = existing
        else:
            loser = new
        if loser is not None:
            loser.closed.set()
        return loser

    def remove(self, link: OpenLink) -> None:
        """The link is gone."""
        link.closed.set()
        if self._open.get(link.contact) is link:
            del self._open[link.contact]

    def in_flight(self) -> int:
        """How many messages are sent and not yet acknowledged, on all links."""
        return sum(link.in_flight for link in list(self._open.values()))

    async def close_of(self, contact: int) -> None:
        """Closes the link to a contact, if there is one."""
        link = self._open.pop(contact, None)
        if link is not None:
            await link.close()

    async def close_if(self, chosen: Callable[[OpenLink], bool]) -> None:
        """Closes the links that are chosen."""
        contacts = [contact for contact, link in self._open.items() if chosen(link)]
        await asyncio.gather(*(self.close_of(contact) for contact in contacts))

    async def close(self) -> None:
        """Closes all links."""
        await self.close_if(lambda _link: True)
