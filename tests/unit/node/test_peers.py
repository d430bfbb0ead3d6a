"""alice, bob and mallory on a network in memory: links, couriers and the report's calls, without sockets."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from telegraph.errors import KeyChanged, ManagerAway, UnknownUser
from telegraph.node import history, peers, streams
from telegraph.node.broker import Broker
from telegraph.node.contacts import ContactBook
from telegraph.node.database import Database
from telegraph.node.keys import DeviceKey
from telegraph.node.model import Contact, Message
from telegraph.node.peers import Peers
from telegraph.peer.memory import MemoryNetwork
from telegraph.peer.port import Link, LinkClosed, Unreachable
from telegraph.protocol.addresses import Address
from telegraph.protocol.frames import ErrorFrame, Hello, MessageFrame, Read, Refuse, decode_frames, encode_frames
from telegraph.protocol.identity import Holder
from telegraph.protocol.manager_api import User
from telegraph.protocol.names import name_key

MANAGER = Holder("manager", "m1", b"manager")


class Person:
    """A node without its managers: those are a dictionary of the town."""

    def __init__(self, town: "Town", name: str) -> None:
        self.town, self.name, self.user_id = town, name, f"{name}-id"
        self.key = DeviceKey.create()
        self.address = Address(f"{name}.example", 8000)
        (town.root / name).mkdir()
        self.db = Database.open(town.root / name)
        self.contacts = ContactBook(self.db)
        self.marked_offline: list[str] = []
        self.clock = 1_700_000_000_000_000
        self.peers: Peers

    @property
    def holder(self) -> Holder:
        return Holder("user", self.user_id, self.key.public)

    def in_directory(self) -> User:
        key = b64encode(self.key.public).decode()
        return User(self.name, self.user_id, self.address.host, self.address.port, "online", None, key, 1)

    async def start(self) -> None:
        async def marked(reason: str) -> None:
            self.marked_offline.append(reason)

        self.peers = Peers(
            endpoint=self.town.network.endpoint(self.address, self.holder),
            user_id=self.user_id,
            username=self.name,
            key=self.key.public,
            database=self.db,
            contacts=self.contacts,
            broker=Broker(self.db),
            find_user=self.town.find,
            learn=self.contacts.learn,
            own_address=lambda: None,
            on_marked_offline=marked,
            rng=Random(self.name),
        )
        await self.peers.start()

    async def know(self, other: "Person") -> Contact:
        return await self.contacts.learn(other.in_directory())

    async def send(self, other: "Person", *texts: str) -> None:
        contact = await self.know(other)
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

    async def find(self, username: str) -> User:
        if not self.managers_live:
            raise ManagerAway
        if name_key(username) not in self.people:
            raise UnknownUser(username=username)
        return self.people[name_key(username)].in_directory()

    async def call(self, caller: Holder, target: Person, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        reply = await self.network.call(caller, target.address, path, msgspec.json.encode(body))
        return reply.status, msgspec.json.decode(reply.body)


@pytest.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    monkeypatch.setattr(peers, "FIRST_RETRY", 0.002)
    monkeypatch.setattr(peers, "LAST_RETRY", 0.01)
    made = Town(tmp_path)
    yield made
    for person in made.people.values():
        await person.stop()
        await person.db.close()
    await made.network.close()


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not what():  # noqa: ASYNC110 - what is awaited is spread over two nodes and has no one event
            await asyncio.sleep(0)  # hands the turn to those who make it so


async def test_a_message_is_delivered_and_read(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")

    await alice.send(bob, "hello")
    await until(lambda: alice.states(bob) == ["delivered"])
    await bob.read(alice)
    await until(lambda: alice.states(bob) == ["read"])

    assert bob.texts(alice) == ["hello"]


async def test_the_read_receipt_is_owed_until_it_is_acknowledged(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "hello")
    await until(lambda: bob.texts(alice) == ["hello"])
    await alice.stop()
    await bob.read(alice)
    contact = await bob.know(alice)
    assert streams.receipt_due(bob.db.reader, contact.id) == 1

    await alice.start()
    await until(lambda: alice.states(bob) == ["read"] and streams.receipt_due(bob.db.reader, contact.id) == 0)


async def test_one_who_is_away_delays_nobody_else(town: Town) -> None:
    alice, bob, carol = await town.join("alice"), await town.join("bob"), await town.join("carol")
    await bob.stop()

    await alice.send(bob, "waits")
    await alice.send(carol, "goes")
    await until(lambda: alice.states(carol) == ["delivered"])

    assert alice.states(bob) == ["pending"]
    await bob.start()
    await until(lambda: alice.states(bob) == ["delivered"])


async def test_what_waits_from_before_a_restart_goes_out_at_the_start(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await bob.stop()
    await alice.send(bob, "one", "two")
    await alice.stop()
    await bob.start()

    await alice.start()

    await until(lambda: alice.states(bob) == ["delivered"] * 2)
    assert bob.texts(alice) == ["one", "two"]


async def test_many_messages_cross_in_both_directions_while_links_break(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    town.network.drop(0.05)

    await asyncio.gather(
        alice.send(bob, *[f"a{number}" for number in range(200)]),
        bob.send(alice, *[f"b{number}" for number in range(200)]),
    )
    await until(lambda: alice.states(bob) == bob.states(alice) == ["delivered"] * 200)

    assert alice.texts(bob) == bob.texts(alice)
    assert [text for text in bob.texts(alice) if text[0] == "a"] == [f"a{number}" for number in range(200)]


async def test_both_dial_at_once_and_both_are_heard(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    town.network.delay(0.005)

    await asyncio.gather(alice.send(bob, "from alice"), bob.send(alice, "from bob"))

    await until(lambda: alice.states(bob) == bob.states(alice) == ["delivered"])


async def test_one_who_moved_is_found_again_through_the_directory(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.know(bob)
    await bob.stop()
    bob.address = Address("elsewhere.example", 9000)
    await bob.start()
    await alice.contacts.learn(msgspec.structs.replace(bob.in_directory(), ip="bob.example", port=8000, counter=1))
    town.people["bob"] = bob

    async def moved(username: str) -> User:
        return msgspec.structs.replace(town.people[username].in_directory(), counter=2)

    alice.peers._find_user = moved
    await alice.send(bob, "found you")

    await until(lambda: alice.states(bob) == ["delivered"])


async def test_strangers_are_looked_up_before_they_are_heard(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    town.managers_live = False
    await alice.send(bob, "you do not know me yet")
    await asyncio.sleep(0.02)
    assert bob.texts(alice) == []

    town.managers_live = True

    await until(lambda: bob.texts(alice) == ["you do not know me yet"])


async def test_who_shows_another_key_than_the_pinned_one_is_refused_unless_the_directory_knows_it(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await bob.know(alice)
    stranger = Holder("user", alice.user_id, b"x" * 32)

    with pytest.raises(KeyChanged):
        await bob.peers.identify(stranger, "alice")

    contact = bob.contacts.named("alice")
    assert contact is not None
    assert not contact.key_changed


async def test_a_new_device_that_the_directory_knows_begins_anew_and_is_marked(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "from the old device")
    await until(lambda: bob.texts(alice) == ["from the old device"])
    alice.key = DeviceKey.create()

    contact = await bob.peers.identify(alice.holder, "alice")

    assert contact.key_changed
    assert contact.device_key == alice.key.public


class Mallory:
    """Somebody with a valid certificate who speaks frames by hand."""

    def __init__(self, link: Link) -> None:
        self.link = link

    @classmethod
    async def dial(cls, town: Town, target: Person, *, as_user: str = "mallory-id") -> "Mallory":
        mallory = town.people["mallory"]
        link = await mallory.peers._endpoint.dial(target.address, target.key.public)
        mallory_says = cls(link)
        await mallory_says.say(Hello([1], as_user, "mallory"))
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


@pytest.fixture
async def bob_and_mallory(town: Town) -> tuple[Person, Person]:
    return await town.join("bob"), await town.join("mallory")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"sender": "alice-id"}, "forged_frame"),
        ({"recipient": "alice-id"}, "forged_frame"),
        ({"text": ""}, "malformed_body"),
    ],
)
async def test_a_forged_or_empty_message_is_refused_and_not_stored(
    town: Town, bob_and_mallory: tuple[Person, Person], changes: dict[str, Any], error: str
) -> None:
    bob, mallory = bob_and_mallory
    talk = await Mallory.dial(town, bob)
    await talk.hear()

    await talk.say(talk.message(**changes))

    [answer] = await talk.hear()
    assert isinstance(answer, ErrorFrame)
    assert answer.error == error
    assert bob.shown(mallory) == []


@pytest.mark.parametrize(("seq", "seen", "error"), [(5, 0, "sequence_gap"), (1, 3, "forged_frame")])
async def test_forged_numbers_are_refused(
    town: Town, bob_and_mallory: tuple[Person, Person], seq: int, seen: int, error: str
) -> None:
    bob, mallory = bob_and_mallory
    talk = await Mallory.dial(town, bob)
    await talk.hear()

    await talk.say(talk.message(seq, seen=seen))

    refusals = [frame for frame in await talk.hear() if isinstance(frame, Refuse)]
    assert [refusal.error for refusal in refusals] == [error]
    assert bob.shown(mallory) == []


async def test_a_greeting_in_another_users_name_is_refused(town: Town, bob_and_mallory: tuple[Person, Person]) -> None:
    talk = await Mallory.dial(town, bob_and_mallory[0], as_user="alice-id")

    [answer] = await talk.hear()

    assert isinstance(answer, ErrorFrame)
    assert answer.error == "forged_frame"


async def test_garbage_and_unknown_frames_are_answered_and_the_link_goes_on(
    town: Town, bob_and_mallory: tuple[Person, Person]
) -> None:
    bob, mallory = bob_and_mallory
    talk = await Mallory.dial(town, bob)
    await talk.hear()

    for garbage in (b"", b"\xc1", msgspec.msgpack.encode([{"t": "teleport"}]), msgspec.msgpack.encode({"t": "msg"})):
        await talk.link.send(garbage)
        assert isinstance((await talk.hear())[0], ErrorFrame)
    await talk.say(talk.message())

    await until(lambda: bob.texts(mallory) == ["x"])


async def test_receipts_for_what_was_never_sent_change_nothing(
    town: Town, bob_and_mallory: tuple[Person, Person]
) -> None:
    bob, mallory = bob_and_mallory
    await bob.send(mallory, "to you")
    await until(lambda: bob.states(mallory) == ["delivered"])
    await bob.peers.links.close()
    talk = await Mallory.dial(town, bob)
    await talk.hear()

    await talk.say(Read(99))
    await talk.say(talk.message())
    await until(lambda: "x" in bob.texts(mallory))

    assert bob.states(mallory) == ["delivered"]


async def test_a_managers_certificate_opens_no_link(town: Town, bob_and_mallory: tuple[Person, Person]) -> None:
    bob, _ = bob_and_mallory
    endpoint = town.network.endpoint(Address("manager.example", 8000), MANAGER)

    with pytest.raises(Unreachable):
        await endpoint.dial(bob.address, bob.key.public)


async def test_the_reports_call_delivers_one_message_once(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    message_id = "0190b5a8-7c3e-7d51-8a3f-0123456789ab"
    body = {"from": "Alice", "to": "BOB", "text": "by POST", "id": message_id}

    first = await town.call(alice.holder, bob, "/receive_message", **body)
    again = await town.call(alice.holder, bob, "/receive_message", **body)

    assert first == again == (200, {"status": "ok", "id": message_id, "state": "delivered"})
    assert bob.texts(alice) == ["by POST"]


async def test_the_reports_read_receipt_counts_what_it_marks(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "one", "two")
    await until(lambda: alice.states(bob) == ["delivered"] * 2)

    status, answer = await town.call(bob.holder, alice, "/notify_read", **{"from": "bob", "to": "alice"})

    assert (status, answer["marked"]) == (200, 2)
    assert alice.states(bob) == ["read", "read"]


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/receive_message", {"from": "alice", "to": "carol", "text": "x"}, 403, "forged_frame"),
        ("/receive_message", {"from": "carol", "to": "bob", "text": "x"}, 403, "forged_frame"),
        ("/receive_message", {"from": "alice", "to": "bob", "text": ""}, 400, "illegal_text"),
        ("/receive_message", {"from": "alice", "to": "bob", "text": "x", "id": "1"}, 400, "malformed_body"),
        ("/receive_message", {"from": "alice", "to": "bob"}, 400, "malformed_body"),
        ("/receive_message", {"from": 7, "to": "bob", "text": "x"}, 400, "malformed_body"),
        ("/notify_read", {"from": "alice", "to": "carol"}, 403, "forged_frame"),
        ("/disconnect", {"username": "bob", "user_id": "bob-id"}, 403, "wrong_role"),
        ("/elsewhere", {}, 404, "unknown_path"),
    ],
)
async def test_a_call_that_does_not_fit_is_refused_and_changes_nothing(
    town: Town, path: str, body: dict[str, Any], status: int, error: str
) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await bob.know(alice)

    answered, answer = await town.call(alice.holder, bob, path, **body)

    assert (answered, answer["status"], answer["error"]) == (status, status, error)
    assert bob.shown(alice) == []
    assert bob.marked_offline == []


async def test_only_a_manager_may_say_that_a_node_was_marked_offline(town: Town) -> None:
    bob = await town.join("bob")

    right = await town.call(MANAGER, bob, "/disconnect", username="bob", user_id="bob-id", reason="inactive")
    wrong_user = await town.call(MANAGER, bob, "/disconnect", username="eve", user_id="eve-id")
    message = await town.call(MANAGER, bob, "/receive_message", **{"from": "m1", "to": "bob", "text": "x"})

    assert right[0] == 200
    assert (wrong_user[0], message[0]) == (403, 403)
    assert bob.marked_offline == ["inactive"]


async def test_two_who_flood_each_other_do_not_wait_for_each_other(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    long = "x" * 60_000

    await asyncio.gather(alice.send(bob, *[long] * 120), bob.send(alice, *[long] * 120))

    await until(lambda: alice.states(bob) == bob.states(alice) == ["delivered"] * 120)


async def test_one_who_asks_and_never_reads_the_answers_is_cut_off(
    town: Town, bob_and_mallory: tuple[Person, Person]
) -> None:
    bob, mallory = bob_and_mallory
    talk = await Mallory.dial(town, bob)
    await talk.hear()
    garbage = msgspec.msgpack.encode([{"t": "teleport"}])

    async def ask_for_ever() -> None:
        while True:
            await talk.link.send(garbage)

    with pytest.raises(LinkClosed):
        await asyncio.wait_for(ask_for_ever(), 10)

    assert bob.shown(mallory) == []
