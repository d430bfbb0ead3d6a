"""Carries what waits for one contact: finds a link or dials one, sends in order within a window, tries again.

Each contact has a courier of its own, so that one who is away delays nobody else.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Protocol

import structlog

from telegraph.node import streams, voids
from telegraph.node.backoff import Backoff
from telegraph.node.database import Database
from telegraph.node.links import LinkTable, OpenLink
from telegraph.node.model import Contact
from telegraph.node.voids import Numbered
from telegraph.peer.port import LinkClosed, Unreachable
from telegraph.protocol.frames import Frame, MessageFrame, Read, Skip, encode_frames

log = structlog.get_logger(__name__)

WINDOW = 512
"""Messages in flight at most."""

_AT_ONCE = 256
_FRESH = 1024
"""Messages that were just stored and are kept in memory until they are sent, at most."""

_ACKNOWLEDGED_WITHIN = 30.0
"""Seconds without progress after which a link that seems alive is given up: its far end has lost its way."""


class Road(Protocol):
    """What a courier needs of the node around it."""

    user_id: str
    database: Database
    links: LinkTable

    def contact(self, contact_id: int) -> Contact:
        """The contact as known now."""
        ...

    async def look_up(self, contact: Contact) -> Contact:
        """The contact with what the directory says now; as it was if no manager answers."""
        ...

    async def dial(self, contact: Contact) -> OpenLink:
        """Opens a link and takes it in.

        Raises:
            Unreachable: it cannot be opened, or another link was preferred.
        """
        ...


class Courier:
    """The courier of one contact; :meth:`run` is its task."""

    def __init__(self, contact: int, road: Road, backoff: Backoff) -> None:
        self._id = contact
        self._road = road
        self._backoff = backoff
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._dialling: asyncio.Task[OpenLink] | None = None
        self._dialled: Contact | None = None
        self._visit = False
        self._carrying: OpenLink | None = None
        self._fresh: deque[MessageFrame] = deque()
        self._unread = True
        self._due = 0
        self.failure: tuple[float, Unreachable] | None = None
        """The latest attempt that failed since one did not: when, by the loop's clock, and why."""

    def wake(self) -> None:
        """There may be something to do: what, has to be read."""
        self._unread = True
        self._fresh.clear()
        self._wake.set()

    def nudge(self) -> None:
        """An acknowledgement has made room."""
        self._wake.set()

    def offer(self, frame: MessageFrame) -> None:
        """A message was just stored: while a link is open it is kept here, so that it need not be read."""
        link, fresh = self._carrying, self._fresh
        if link is not None and link.closed.is_set():
            link = None
        last = fresh[-1].seq if fresh else link.sent if link is not None else 0
        if link is not None and len(fresh) < _FRESH and (frame.seq == last + 1 or (self._unread and not fresh)):
            fresh.append(frame)
        else:
            self.wake()
        self._wake.set()

    def visit(self) -> None:
        """Makes a link if there is none, though nothing may wait; tries once."""
        self._visit = True
        self._wake.set()

    def hurry(self) -> None:
        """There is reason to believe that the contact can be reached now."""
        self._backoff.reset()
        self.linked()

    def linked(self) -> None:
        """The contact has opened a link. That it is of use has still to be seen, so the back-off goes on."""
        self._hurry.set()
        self._wake.set()

    async def run(self) -> None:
        """Works until cancelled."""
        self._carrying = None
        self.wake()  # begun anew after a mistake, nothing else may ever say that something waits
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                if self._has_work():
                    await self._work()
        finally:
            await self._give_up_dialling()

    def _has_work(self) -> bool:
        """Whether something waits; the disk is asked only if something may have changed there since it was last."""
        if self._road.contact(self._id).waits:
            return False
        if self._fresh or self._visit:
            return True
        if not self._unread:
            return False
        reader = self._road.database.reader
        waiting = reader.execute("SELECT 1 FROM outbox WHERE contact = ? LIMIT 1", (self._id,)).fetchone()
        return waiting is not None or streams.receipt_due(reader, self._id) > 0 or voids.any_due(reader, self._id)

    async def _work(self) -> None:
        self._hurry.clear()
        self._visit = False
        link = self._road.links.of(self._id)
        if link is None:
            try:
                link = await self._reach()
            except Unreachable as problem:
                self.failure = asyncio.get_running_loop().time(), problem
                await self._rest()
                return
        self.failure = None
        before = link.acknowledged
        try:
            await self._carry(link)
            self._backoff.reset()
        except (LinkClosed, TimeoutError):
            self._carrying, self._unread = None, True
            await link.close()
            if link.acknowledged > before:
                self._backoff.reset()
            if self._road.links.of(self._id) is None:  # else another link took the place of this one
                await self._rest()
        if self._has_work():
            self._wake.set()

    async def _rest(self) -> None:
        """Waits before the next attempt, less if somebody has good news."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._backoff.next()):  # wait_for of Python 3.11 can swallow a cancellation
                await self._hurry.wait()
        self._wake.set()

    async def _reach(self) -> OpenLink:
        """A link, whichever comes first: one that we dial, or one that the contact opens meanwhile.

        Dialling may take long where nobody answers, and so may the directory. A dial that is not waited for any more
        goes on, for both ends have to agree which of two links stays.

        Raises:
            Unreachable: they cannot be reached now, or are somewhere else by now.
        """
        dialling, news = self._dial(), False
        while not dialling.done():
            await _either(dialling, self._hurry)
            link = self._road.links.of(self._id)
            if link is not None:
                return link
            if self._hurry.is_set():
                if self._has_moved():
                    await self._give_up_dialling()
                    raise Unreachable("they moved")
                self._hurry.clear()
                news = True
        try:
            return dialling.result()
        except Unreachable:
            if news:
                self._hurry.set()
            raise

    def _dial(self) -> "asyncio.Task[OpenLink]":
        if self._dialling is None or self._dialling.done():
            self._dialled = self._road.contact(self._id)
            self._dialling = asyncio.create_task(self._connect(self._dialled))
            self._dialling.add_done_callback(lambda task: task.cancelled() or task.exception())  # nobody may ask later
        return self._dialling

    def _has_moved(self) -> bool:
        now, dialled = self._road.contact(self._id), self._dialled
        return dialled is not None and (now.address, now.device_key) != (dialled.address, dialled.device_key)

    async def _give_up_dialling(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.wait((self._dialling,))
            self._dialling = None

    async def _connect(self, contact: Contact) -> OpenLink:
        """Dials where the contact was last; if that fails, asks the directory, and dials where it says."""
        try:
            return await self._road.dial(contact)
        except Unreachable:
            fresh = await self._road.look_up(contact)
            if (fresh.address, fresh.device_key) == (contact.address, contact.device_key):
                raise
            return await self._road.dial(fresh)

    async def _carry(self, link: OpenLink) -> None:
        """Sends until nothing waits and nothing is in flight."""
        if self._carrying is not link:
            self._carrying, self._unread = link, True
            self._fresh.clear()
        looked = self._unread
        while True:
            self._wake.clear()
            if link.closed.is_set() or link.refused:
                raise LinkClosed
            looked = looked or self._unread
            frames = self._next(link)
            if frames:
                await link.link.send(encode_frames(frames))
            elif link.in_flight or link.asked or link.marking or (self._due and link.receipt):
                async with asyncio.timeout(_ACKNOWLEDGED_WITHIN):
                    await self._wake.wait()
            elif looked and self._left_behind(link):
                raise LinkClosed
            else:
                return

    def _next(self, link: OpenLink) -> list[Frame]:
        if self._road.contact(self._id).waits:
            return []
        frames: list[Frame] = []
        look = self._unread
        room = min(WINDOW - max(link.in_flight, len(link.asked)), _AT_ONCE)
        if room > 0:
            frames += self._numbered(link, room)
        if look:
            self._due = streams.receipt_due(self._road.database.reader, self._id)
            if self._due > link.receipt:
                link.receipt = self._due
                frames.append(Read(self._due))
        return frames

    def _numbered(self, link: OpenLink, room: int) -> list[Numbered]:
        """What comes next, by number: messages, and numbers given up in place of theirs.

        What was just stored is in memory. Before that, whatever happened, the disk tells; only it knows of numbers
        given up behind those that were sent.
        """
        fresh = self._fresh
        while fresh and fresh[0].seq <= link.sent:
            fresh.popleft()
        given_up = self._unread and voids.any_due(self._road.database.reader, self._id)
        if fresh and fresh[0].seq == link.sent + 1 and not given_up:
            chosen = self._fitting(islice(fresh, room))
            self._unread = False
        elif self._unread:
            chosen = self._read(link, room)
            self._unread = bool(chosen)  # there may be more
        else:
            chosen = []
        if chosen:
            link.sent = max(link.sent, chosen[-1].seq)
        return chosen

    def _read(self, link: OpenLink, room: int) -> list[Numbered]:
        contact = self._road.contact(self._id)
        reader = self._road.database.reader
        messages = streams.pending(reader, self._id, self._road.user_id, contact.user_id, after=link.sent, limit=room)
        skips = voids.due(reader, self._id, after=link.sent, asked=link.asked, limit=room)
        chosen = self._fitting(voids.merged(messages, skips, room))
        link.asked.update(frame.seq for frame in chosen if isinstance(frame, Skip))
        return chosen

    @staticmethod
    def _fitting(frames: Iterable[Numbered]) -> list[Numbered]:
        """As many as fit into one message of the link, one at least."""
        chosen: list[Numbered] = []
        size = 0
        for frame in frames:
            size += streams.wire_bytes(frame.text) if isinstance(frame, MessageFrame) else 0
            if chosen and size > streams.BYTES_AT_ONCE:
                break
            chosen.append(frame)
        return chosen

    def _left_behind(self, link: OpenLink) -> bool:
        """Whether something waits that this link takes for delivered: the numbers are another device's by now."""
        first = streams.first_waiting(self._road.database.reader, self._id)
        return first is not None and first <= link.sent


async def _either(task: "asyncio.Task[OpenLink]", event: asyncio.Event) -> None:
    """Returns when the task is done or the event is set; leaves the task alone."""
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
