"""This node among the other nodes: links, couriers, and the report's REST calls, all on one endpoint."""

import asyncio
from collections.abc import Awaitable, Callable, Container
from random import Random

import structlog

from telegraph.errors import (
    AccountDeleted,
    ForgedFrame,
    KeyChanged,
    ManagerAway,
    RevokedKey,
    TelegraphError,
    Unavailable,
    WrongRole,
)
from telegraph.node import rounds, streams, voids
from telegraph.node.backoff import Backoff
from telegraph.node.broker import Broker
from telegraph.node.bucket import Bucket
from telegraph.node.calls import CallHandler
from telegraph.node.contacts import ContactBook
from telegraph.node.courier import Courier
from telegraph.node.database import Database
from telegraph.node.deliveries import Deliveries
from telegraph.node.history import conversations
from telegraph.node.links import LinkTable, OpenLink
from telegraph.node.local_address import is_ours
from telegraph.node.model import Contact
from telegraph.node.namesakes import find_as
from telegraph.node.own_address import OwnAddress
from telegraph.node.places import Places
from telegraph.node.rounds import Rounds
from telegraph.node.talk import answer_greeting, greet, listen
from telegraph.peer.port import Endpoint, Link, LinkClosed, Unreachable
from telegraph.protocol.frames import MessageFrame
from telegraph.protocol.identity import Holder
from telegraph.protocol.manager_api import User
from telegraph.supervision import supervise

log = structlog.get_logger(__name__)

FIRST_RETRY = 0.5
LAST_RETRY = 10.0
ANEW = (4, 900.0)
"""How often the numbers of a conversation may begin anew at once, and the seconds for each further time."""

FIRST_ROUND = rounds.FIRST_ROUND

FindUser = Callable[[str], Awaitable[User]]
Learn = Callable[[User], Awaitable[Contact]]


class Peers:
    """Everything between this node and others. One for each log-in: it knows who this node is."""

    def __init__(  # noqa: PLR0913 - the parts of a node
        self,
        *,
        endpoint: Endpoint,
        user_id: str,
        username: str,
        key: bytes,
        database: Database,
        contacts: ContactBook,
        broker: Broker,
        find_user: FindUser,
        learn: Learn,
        own: OwnAddress | None,
        managers_away: Callable[[], bool],
        on_marked_offline: Callable[[str], Awaitable[None]],
        rng: Random,
        deliveries: Deliveries | None = None,
        revoked: Container[object] = (),
    ) -> None:
        """``revoked`` holds the devices that must not be spoken with."""
        self.user_id = user_id
        self.username = username
        self.database = database
        self.links = LinkTable(key)
        self.places = Places(self, contacts, own, managers_away)
        self.deliveries = deliveries or Deliveries()
        self._endpoint = endpoint
        self._contacts = contacts
        self._broker = broker
        self._find_user = find_user
        self._learn = learn
        self._revoked = revoked
        self._rng = rng
        self._anew: dict[int, Bucket] = {}
        self._couriers: dict[int, Courier] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._calls = CallHandler(self, on_marked_offline)
        self._rounds = Rounds(self, managers_away, rng, FIRST_ROUND)

    async def start(self) -> None:
        """Accepts links and calls, and sets out with what waits from before."""
        self.database.count_under_way(self.links.in_flight)
        await self._endpoint.serve(self._accept, self._calls.answer)
        for contact in streams.waiting(self.database.reader):
            self.wake(contact)
        self._spawn(supervise("rounds", self._rounds.run))

    async def close(self) -> None:
        """Closes every link and stops."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.links.close()
        await self._endpoint.close()

    # --- what couriers and links ask of the node ---

    def contact(self, contact_id: int) -> Contact:
        """A contact by its row."""
        return self._contacts[contact_id]

    def happened(self, contact_id: int) -> None:
        """Something about a contact's messages changed."""
        self._broker.wake()
        self.wake(contact_id)

    def arrived(self) -> None:
        """Messages of somebody are on disk here."""
        self._broker.wake()

    def acknowledged(self, contact_id: int, upto: int) -> None:
        """A contact has our messages up to a number on disk."""
        self.deliveries.acknowledged(contact_id, upto)
        if not self._closed:
            self._courier(contact_id).nudge()

    def given_up(self, contact_id: int) -> None:
        """Something became of a message to a contact that is not told by a number."""
        self.deliveries.see_anew(contact_id)

    def offer(self, contact_id: int, frame: MessageFrame) -> None:
        """A message for a contact was just stored: it need not be read again to be sent."""
        if not self._closed:
            self._courier(contact_id).offer(frame)

    def known(self, holder: Holder) -> Contact | None:
        """The contact with this user id, if there is one."""
        return self._contacts.of_user(holder.id)

    def may_begin_anew(self, contact_id: int) -> bool:
        """Whether the numbers of a conversation may begin anew, which nobody needs often."""
        now = asyncio.get_running_loop().time()
        return self._anew.setdefault(contact_id, Bucket(*ANEW, now)).take(now)

    async def begun_anew(self, contact_id: int) -> None:
        """The numbers of a conversation have begun anew: a link that counts by the old ones is closed."""
        self.deliveries.see_anew(contact_id)
        await self.links.close_of(contact_id)
        self.happened(contact_id)

    def wake(self, contact_id: int) -> None:
        """There may be something to carry to a contact."""
        if not self._closed:
            self._courier(contact_id).wake()

    def hurry(self, contact_id: int) -> None:
        """A contact can probably be reached now."""
        if not self._closed:
            self._courier(contact_id).hurry()

    def network_changed(self, *, close_links: bool) -> None:
        """Links that are dead are given up before they are silent for long, and whoever has something to send tries."""
        for link in self.links.all():
            host = link.link.local_host
            if close_links or (host is not None and not is_ours(host)):
                link.closed.set()
                self._spawn(link.close())
        for courier in self._couriers.values():
            courier.hurry()
        self._rounds.hurry()

    def failure(self, contact_id: int) -> tuple[float, Unreachable] | None:
        """The seconds since the latest attempt to reach a contact failed, and why; None if none has."""
        courier = self._couriers.get(contact_id)
        if courier is None or courier.failure is None:
            return None
        at, problem = courier.failure
        return asyncio.get_running_loop().time() - at, problem

    def visit(self, contact_id: int) -> None:
        """Makes a link to a contact if there is none."""
        if not self._closed and self.links.of(contact_id) is None:
            self._courier(contact_id).visit()

    def untold(self, most: int) -> list[int]:
        """Of the people of the latest conversations those who do not know where this node is now."""
        recent = conversations(self.database.reader)[:most]
        others = [row for row in recent if self._contacts[row].user_id != self.user_id]
        return [contact_id for contact_id in others if not self.places.is_told(contact_id)]

    def _courier(self, contact_id: int) -> Courier:
        courier = self._couriers.get(contact_id)
        if courier is None:
            courier = Courier(contact_id, self, Backoff(FIRST_RETRY, LAST_RETRY, self._rng))
            self._couriers[contact_id] = courier
            self._spawn(supervise("courier", courier.run))
        return courier

    async def look_up(self, contact: Contact) -> Contact:
        """The contact with what the directory says now; as it was if no manager answers, then others are asked."""
        self.places.ask(contact.id)
        try:
            user = await find_as(self._find_user, contact.username, contact.user_id)
            if user.user_id != contact.user_id:  # the name is somebody else's now; messages go by id, never by name
                return contact
            return await self.learn(user)
        except AccountDeleted:  # of this name; whether it was theirs, a manager has said by their id
            if await self.database.write(lambda connection: voids.fail_if_gone(connection, contact.id)):
                self.given_up(contact.id)
                self.happened(contact.id)
            return self.contact(contact.id)
        except TelegraphError:
            return self.contact(contact.id)

    async def learn(self, user: User) -> Contact:
        """Takes over what the directory says; a link to another key than the one that is pinned now is closed."""
        before = self._contacts.of_user(user.user_id)
        contact = await self._learn(user)
        if before is not None and before.device_key != contact.device_key:
            self.deliveries.see_anew(contact.id)
        link = self.links.of(contact.id)
        if link is not None and link.link.remote.key != contact.device_key:
            await self.links.close_of(contact.id)
        return contact

    async def decided(self, before: Contact, contact: Contact) -> None:
        """The user has decided about a contact: what may no longer be said is cut off, and what may be goes out."""
        if contact.blocked or contact.device_key != before.device_key:
            await self.links.close_of(contact.id)
        if contact.device_key != before.device_key:
            self.deliveries.see_anew(contact.id)
        if before.waits and not contact.waits:
            self.wake(contact.id)
            self.visit(contact.id)  # so that what waits there comes at once as well
            self.hurry(contact.id)

    async def dial(self, contact: Contact) -> OpenLink:
        """Opens a link to a contact's device and takes it in."""
        if contact.address is None or contact.device_key is None:
            raise Unreachable("no address")
        if Holder("user", contact.user_id, contact.device_key) in self._revoked:
            raise Unreachable("their device's key is revoked")
        link = await self._endpoint.dial(contact.address, contact.device_key)
        opened = await greet(link, contact, self)
        if self._contacts[contact.id].waits:  # since the dial began
            await opened.close()
            raise Unreachable("the user decides first")
        if self._take_in(opened):
            self._spawn(self._use(opened))
        preferred = self.links.of(contact.id)
        if preferred is None:
            raise Unreachable("the link was closed")
        return preferred

    async def identify(self, holder: Holder, username: str) -> Contact:
        """The contact behind a certificate; one that is new, or has another key, is looked up in the directory.

        Raises:
            WrongRole: it is no user's.
            ForgedFrame: the name that they give is somebody else's.
            KeyChanged: their key is not the one that is pinned here, and cannot or must not take its place.
            ManagerAway: that cannot be found out now; or the user has blocked them.
        """
        if holder.role != "user":
            raise WrongRole
        if holder in self._revoked:
            raise RevokedKey
        contact = self._contacts.of_user(holder.id)
        if contact is not None and (contact.blocked or contact.device_key == holder.key):
            return _unblocked(contact)
        try:
            user = await find_as(self._find_user, contact.username if contact else username, holder.id)
        except Unavailable as problem:  # whatever a manager says of it: one answer, so that it tells nothing
            raise ManagerAway from problem
        if contact is None and user.user_id != holder.id:
            raise ForgedFrame(detail="the name that it gives is somebody else's")
        if user.user_id != holder.id or not user.device_key:
            raise ManagerAway
        contact = await self.learn(user)
        if contact.device_key != holder.key:
            raise KeyChanged(username=contact.username)
        return _unblocked(contact)

    # --- links ---

    async def _accept(self, link: Link) -> None:
        try:
            opened = await answer_greeting(link, self)
        except (TelegraphError, LinkClosed, TimeoutError) as problem:
            log.info("greeting_failed", reason=type(problem).__name__)
            return
        if self._take_in(opened):
            if not self._closed:
                self._courier(opened.contact).linked()
            await self._use(opened)

    def _take_in(self, opened: OpenLink) -> bool:
        """Whether a link stays. The far end of the one that does not is told while work goes on over the other."""
        contact, remote = self._contacts[opened.contact], opened.link.remote
        if contact.blocked or contact.device_key != remote.key or remote in self._revoked:  # since the greeting began
            self._spawn(opened.close())
            return False
        loser = self.links.add(opened)
        if loser is not None:
            self._spawn(loser.close())
        return loser is not opened

    async def close_revoked(self) -> None:
        """Closes the links of devices whose key is revoked by now."""
        await self.links.close_if(lambda link: link.link.remote in self._revoked)

    async def _use(self, opened: OpenLink) -> None:
        self.places.linked(opened)
        answering = asyncio.create_task(opened.send_answers())
        try:
            await listen(opened, self)
        finally:
            answering.cancel()
            self.links.remove(opened)
            self.wake(opened.contact)  # its courier, which may wait for an answer on it
            await opened.close()
            self.wake(opened.contact)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _unblocked(contact: Contact) -> Contact:
    """The contact, unless the user has blocked them: then what is said to somebody whom no manager can vouch for now.

    So they cannot read out of the answer that they are blocked.
    """
    if contact.blocked:
        raise ManagerAway
    return contact
