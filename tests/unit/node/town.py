"""A town of nodes without managers, on a network in memory, and somebody in it who speaks frames by hand."""

import asyncio
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from telegraph.errors import ManagerAway, UnknownUser
from telegraph.node import epochs, history, streams
from telegraph.node.broker import Broker
from telegraph.node.contacts import ContactBook
from telegraph.node.database import Database
from telegraph.node.deliveries import Deliveries
from telegraph.node.keys import DeviceKey
from telegraph.node.model import Contact, Message
from telegraph.node.own_address import OwnAddress
from telegraph.node.peers import Peers
from telegraph.node.people import Decisions
from telegraph.node.revocations import Revocations
from telegraph.peer.memory import MemoryNetwork
from telegraph.peer.port import Link
from telegraph.protocol.addresses import Address
from telegraph.protocol.frames import Hello, MessageFrame, decode_frames, encode_frames
from telegraph.protocol.identity import Holder
from telegraph.protocol.manager_api import User
from telegraph.protocol.names import name_key


class Person:
    """A node without its managers: those are a dictionary of the town."""

    def __init__(self, town: "Town", name: str, device: str = "") -> None:
        self.town, self.name, self.user_id = town, name, f"{name}-id"
        self.key = DeviceKey.create()
        self.address = Address(f"{name}.example", 8000)
        self.data = town.root / (name + device)
        self.data.mkdir()
        self.marked_offline: list[str] = []
        self.clock = 1_700_000_000_000_000
        self.peers: Peers
        self._open()

    def _open(self) -> None:
        self.db = Database.open(self.data, bytes(32))
        self.contacts = ContactBook(self.db)
        self.revoked = Revocations(self.db)
        self.own = OwnAddress(self.db, self.key, self.user_id, lambda: self.address)
        self.broker = Broker(self.db)
        self.decisions = Decisions(
            self.contacts,
            self.broker,
            lambda: (self.user_id, self.key.public),
            self.decided,
        )

    @property
    def holder(self) -> Holder:
        return Holder("user", self.user_id, self.key.public)

    def in_directory(self) -> User:
        key = b64encode(self.key.public).decode()
        return User(self.name, self.user_id, self.address.host, self.address.port, "online", None, key, 1)

    async def start(self) -> None:
        await self.own.refresh()

        async def marked(reason: str) -> None:
            self.marked_offline.append(reason)

        self.peers = Peers(
            endpoint=self.town.network.endpoint(self.address, self.holder),
            user_id=self.user_id,
            username=self.name,
            key=self.key.public,
            database=self.db,
            contacts=self.contacts,
            broker=self.broker,
            find_user=self.town.find,
            learn=self.contacts.learn,
            own=self.own,
            managers_away=lambda: not self.town.managers_live,
            on_marked_offline=marked,
            rng=Random(self.name),
            deliveries=Deliveries(),
            revoked=self.revoked,
        )
        await self.peers.start()

    async def backup(self) -> None:
        """Copies the data directory while nothing runs."""
        await self._copy(self.data, self.data.with_suffix(".backup"))

    async def restore(self) -> None:
        """Puts the copy in its place: all that came after it is forgotten."""
        await self._copy(self.data.with_suffix(".backup"), self.data)

    async def _copy(self, source: Path, target: Path) -> None:
        await self.stop()
        await self.db.close()
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        self._open()
        await self.start()

    async def move(self, host: str) -> None:
        """Starts anew somewhere else, and only the node itself knows of it."""
        await self.stop()
        self.address = Address(host, 9000)
        await self.start()

    def believed(self, other: "Person") -> str | None:
        """At which host this person would look for somebody."""
        contact = self.contacts.of_user(other.user_id)
        return contact.address.host if contact and contact.address else None

    async def decided(self, before: Contact, after: Contact) -> None:
        await self.peers.decided(before, after)

    async def know(self, other: "Person") -> Contact:
        return await self.contacts.learn(other.in_directory())

    async def send(self, other: "Person", *texts: str) -> None:
        await self.know(other)
        await self.send_to_known(other, *texts)

    async def send_to_known(self, other: "Person", *texts: str) -> None:
        """Sends without a look into the directory."""
        contact = self.contacts.of_user(other.user_id)
        assert contact is not None
        for text in texts:
            self.clock += 1000
            await self.db.write(
                lambda db, text=text: streams.append(db, contact.id, text, self.clock, Random(self.name + text))  # type: ignore[misc]
            )
        self.peers.happened(contact.id)

    async def read(self, other: "Person") -> None:
        contact = await self.know(other)
        await self.db.write(lambda db: streams.read_here(db, contact.id))
        self.peers.happened(contact.id)

    def shown(self, other: "Person") -> list[Message]:
        contact = self.contacts.of_user(other.user_id)
        return history.page(self.db.reader, contact.id, self.name, before=None, limit=1000)[0] if contact else []

    def texts(self, other: "Person") -> list[str]:
        return [message.text for message in self.shown(other)]

    def states(self, other: "Person") -> list[str]:
        return [message.state for message in self.shown(other) if message.mine]

    @property
    def pending(self) -> int:
        return history.pending_count(self.db.reader)

    async def stop(self) -> None:
        await self.peers.close()


class Town:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.network = MemoryNetwork(seed=1, silence=0.05)
        self.people: dict[str, Person] = {}
        self.managers_live = True

    async def join(self, name: str) -> Person:
        person = self.people[name] = Person(self, name)
        await person.start()
        return person

    async def new_device(self, name: str) -> Person:
        """Somebody logs in on a new device; the directory knows it, and nobody else yet."""
        before = self.people[name]
        await before.stop()
        await before.db.close()
        person = self.people[name] = Person(self, name, "-moved")
        person.clock = before.clock + 60_000_000
        await person.start()
        return person

    async def find(self, username: str) -> User:
        if not self.managers_live:
            raise ManagerAway
        if name_key(username) not in self.people:
            raise UnknownUser(username=username)
        return self.people[name_key(username)].in_directory()

    async def call(self, caller: Holder, target: Person, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        reply = await self.network.call(caller, target.address, path, msgspec.json.encode(body))
        return reply.status, msgspec.json.decode(reply.body)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not what():  # noqa: ASYNC110 - what is awaited is spread over two nodes and has no one event
            await asyncio.sleep(0)  # hands the turn to those who make it so


class Mallory:
    """Somebody with a valid certificate who speaks frames by hand."""

    def __init__(self, link: Link) -> None:
        self.link = link

    @classmethod
    async def dial(cls, town: Town, target: Person, *, as_user: str = "mallory-id", **says: Any) -> "Mallory":
        mallory = town.people["mallory"]
        link = await mallory.peers._endpoint.dial(target.address, target.key.public)
        mallory_says = cls(link)
        contact = mallory.contacts.of_user(target.user_id)
        if contact is not None:
            have = epochs.claim_of(mallory.db.reader, contact.id)
            says = {"epoch": have.epoch, "received": have.received, "received_id": have.received_id, **says}
        await mallory_says.say(Hello([1], as_user, "mallory", **says))
        return mallory_says

    async def say(self, *frames: Any) -> None:
        await self.link.send(encode_frames(list(frames)))

    async def hear(self) -> list[Any]:
        async with asyncio.timeout(5):
            return list(decode_frames(await self.link.receive()))

    def message(self, seq: int = 1, **changes: Any) -> MessageFrame:
        frame = MessageFrame(
            id=seq.to_bytes(16), seq=seq, seen=0, sender="mallory-id", recipient="bob-id", sent_at=0, text="x"
        )
        return msgspec.structs.replace(frame, **changes)
