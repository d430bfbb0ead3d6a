"""alice decides about bob: verified, a new key accepted or not, blocked. On a network in memory, without sockets."""

import asyncio
import contextlib
from typing import Any
from uuid import UUID

import msgspec
import pytest
from town import Mallory, Person, Town, until

from telegraph.errors import (
    IllegalSafetyNumber,
    KeyChanged,
    ManagerAway,
    NameHeld,
    NoDeviceKey,
    SafetyNumberDiffers,
)
from telegraph.node.courier import Courier
from telegraph.node.keys import DeviceKey
from telegraph.node.model import Contact, ContactChanged, Event
from telegraph.node.people import SafetyNumber
from telegraph.peer.port import LinkClosed, Unreachable
from telegraph.protocol.frames import ErrorFrame, Hello, Stored, encode_frames
from telegraph.protocol.identity import Holder
from telegraph.protocol.manager_api import User

People = tuple[Person, Person]


@pytest.fixture
async def alice_and_bob(town: Town) -> People:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "hello")
    await until(lambda: alice.states(bob) == ["delivered"])
    return alice, bob


def known(person: Person, other: Person) -> Contact:
    contact = person.contacts.of_user(other.user_id)
    assert contact is not None
    return contact


async def number(person: Person, other: Person) -> SafetyNumber:
    return await person.decisions.safety_number(known(person, other))


async def verify(person: Person, other: Person) -> None:
    await person.decisions.verify(known(person, other), (await number(other, person)).number)


# --- safety numbers ---


async def test_both_see_the_same_number_and_one_scans_what_the_other_shows(alice_and_bob: People) -> None:
    alice, bob = alice_and_bob
    at_alice, at_bob = await number(alice, bob), await number(bob, alice)

    contact = await alice.decisions.verify(known(alice, bob), at_bob.scan)

    assert at_alice.number == at_bob.number
    assert contact.verified
    assert (await number(alice, bob)).verified
    assert not known(bob, alice).verified


@pytest.mark.parametrize(("typed", "error"), [("1" * 60, SafetyNumberDiffers), ("12345", IllegalSafetyNumber)])
async def test_a_number_that_does_not_fit_verifies_nobody(
    alice_and_bob: People, typed: str, error: type[Exception]
) -> None:
    alice, bob = alice_and_bob

    with pytest.raises(error):
        await alice.decisions.verify(known(alice, bob), typed)

    assert not known(alice, bob).verified


async def test_one_who_never_logged_in_has_no_number(town: Town) -> None:
    alice = await town.join("alice")
    dora = await alice.contacts.learn(User("dora", "dora-id", "", 0, "offline", None, None, 0))

    for asked in (
        alice.decisions.safety_number(dora),
        alice.decisions.verify(dora, None),
        alice.decisions.verify(dora, "1" * 60),
    ):
        with pytest.raises(NoDeviceKey):
            await asked


async def test_a_manager_in_between_shows_in_the_numbers(alice_and_bob: People) -> None:
    """The directory gives alice another key for bob, before anybody has compared."""
    alice, bob = alice_and_bob
    right = (await number(bob, alice)).number
    bob.key = DeviceKey.create()
    await alice.know(bob)

    with pytest.raises(SafetyNumberDiffers):
        await alice.decisions.verify(known(alice, bob), right)


async def test_followers_are_told_what_is_decided_and_nothing_if_nothing_changes(alice_and_bob: People) -> None:
    alice, bob = alice_and_bob
    events: list[Event] = []

    async def follow() -> None:
        async for _, event in alice.broker.follow(lambda: "alice"):
            events.append(event)

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    await verify(alice, bob)
    await verify(alice, bob)
    await alice.decisions.unverify(known(alice, bob))
    await until(lambda: len(events) >= 2)
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following

    told = [event.contact.verified for event in events if isinstance(event, ContactChanged)]
    assert told == [True, False]


# --- a changed key ---


async def test_to_a_new_device_of_one_who_is_not_verified_it_goes_on_and_is_said(
    town: Town, alice_and_bob: People
) -> None:
    alice, _ = alice_and_bob
    bob = await town.new_device("bob")
    await alice.know(bob)

    await alice.send(bob, "to the new device")

    await until(lambda: alice.states(bob) == ["delivered", "delivered"])
    assert bob.texts(alice) == ["to the new device"]
    assert [message.kind for message in alice.shown(bob)] == ["text", "key_changed", "text"]
    assert known(alice, bob).key_changed
    contact = await alice.decisions.accept_key(known(alice, bob))
    assert not contact.key_changed


async def test_nothing_goes_to_a_new_device_of_one_who_is_verified_until_the_user_says_so(
    town: Town, alice_and_bob: People
) -> None:
    alice, bob = alice_and_bob
    await verify(alice, bob)
    bob = await town.new_device("bob")
    await alice.know(bob)

    await alice.send(bob, "secret")
    await rest(alice, bob)

    assert alice.states(bob) == ["delivered", "pending"]
    assert known(alice, bob).waits == alice.shown(bob)[-1].waits == "key_changed"
    offered = (await number(alice, bob)).offered
    contact = await alice.decisions.accept_key(known(alice, bob), offered)
    await until(lambda: alice.states(bob) == ["delivered", "delivered"])
    assert bob.texts(alice) == ["secret"]
    assert (contact.verified, contact.waits) == (False, None)


async def rest(person: Person, other: Person) -> None:
    """Long enough for what may go out to have gone out: a message to a third person makes the whole way and back."""
    witness = person.town.people.get("witness") or await person.town.join("witness")
    before = len(person.states(witness))
    await person.send(witness, "x")
    person.peers.hurry(known(person, other).id)
    await until(lambda: person.states(witness) == ["delivered"] * (before + 1))


async def test_who_shows_a_new_key_of_one_who_is_verified_is_refused_and_keeps_what_they_send(
    town: Town, alice_and_bob: People
) -> None:
    alice, bob = alice_and_bob
    await verify(alice, bob)
    bob = await town.new_device("bob")

    await bob.send(alice, "it is me, with a new phone")
    await until(lambda: known(alice, bob).waits == "key_changed")

    assert alice.texts(bob) == ["hello", ""]
    assert bob.states(alice) == ["pending"]
    with pytest.raises(KeyChanged):
        await alice.peers.identify(bob.holder, "bob")
    await verify(alice, bob)
    await until(lambda: bob.states(alice) == ["delivered"])
    assert alice.texts(bob)[-1] == "it is me, with a new phone"
    assert known(alice, bob).verified


async def test_a_manager_that_lies_about_one_who_is_verified_gets_no_message(town: Town, alice_and_bob: People) -> None:
    """The directory names mallory's key and address as bob's: she waits there with a good certificate, for nothing."""
    alice, bob = alice_and_bob
    await verify(alice, bob)
    mallory = await town.join("mallory")
    await mallory.stop()
    mallory.user_id, mallory.name = bob.user_id, "bob"
    await mallory.start()
    town.people["bob"] = mallory
    await alice.peers.learn(msgspec.structs.replace(mallory.in_directory(), counter=99))

    await alice.send_to_known(bob, "only for bob")
    await mallory.send(alice, "trust me")
    await rest(alice, bob)

    assert alice.states(bob) == ["delivered", "pending"]
    assert mallory.texts(alice) == ["trust me"]
    assert mallory.states(alice) == ["pending"]
    kept = await alice.decisions.keep_key(known(alice, bob))
    assert (kept.device_key, kept.waits) == (bob.key.public, None)
    town.people["bob"] = bob
    await alice.peers.learn(msgspec.structs.replace(bob.in_directory(), counter=100))
    await until(lambda: alice.states(bob) == ["delivered", "delivered"])
    assert bob.texts(alice) == ["hello", "only for bob"]


async def test_what_was_on_its_way_when_the_key_was_doubted_stops(alice_and_bob: People) -> None:
    """The link to the device that was verified is open; even on it nothing is sent while the user has not decided."""
    alice, bob = alice_and_bob
    await verify(alice, bob)
    await alice.contacts.learn(msgspec.structs.replace(bob.in_directory(), device_key=DIRECTORYS_OTHER_KEY))

    await alice.send_to_known(bob, "wait")
    await rest(alice, bob)
    assert alice.states(bob) == ["delivered", "pending"]

    await bob.send(alice, "can you hear me?")
    await until(lambda: bob.states(alice) == ["delivered"])
    await alice.decisions.keep_key(known(alice, bob))
    await until(lambda: alice.states(bob) == ["delivered", "delivered"])


DIRECTORYS_OTHER_KEY = "bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0="


async def test_a_key_that_was_shown_is_accepted_and_no_later_one(town: Town, alice_and_bob: People) -> None:
    alice, bob = alice_and_bob
    await verify(alice, bob)
    bob = await town.new_device("bob")
    await alice.know(bob)
    shown = (await number(alice, bob)).offered
    await alice.contacts.learn(msgspec.structs.replace(bob.in_directory(), device_key=DIRECTORYS_OTHER_KEY))

    with pytest.raises(SafetyNumberDiffers):
        await alice.decisions.accept_key(known(alice, bob), shown)

    assert known(alice, bob).waits == "key_changed"


@pytest.mark.parametrize("verified", [True, False])
async def test_a_dial_that_ends_after_the_key_changed_is_not_used(town: Town, verified: bool) -> None:
    """Else what is meant for the new device would go to the old one, or before alice has decided."""
    alice, bob = await town.join("alice"), await town.join("bob")
    before = await alice.know(bob)
    if verified:
        before = await alice.decisions.verify(before, None)
    town.network.delay(0.02)
    dialling = asyncio.create_task(alice.peers.dial(before))
    await alice.contacts.learn(msgspec.structs.replace(bob.in_directory(), device_key=DIRECTORYS_OTHER_KEY))
    assert not dialling.done()

    with pytest.raises(Unreachable):
        await dialling

    assert alice.peers.links.of(before.id) is None


async def test_nothing_follows_what_is_on_its_way_when_the_key_is_doubted(town: Town, bob_and_mallory: People) -> None:
    """The link is in use, and its other end has not acknowledged yet."""
    bob, mallory = bob_and_mallory
    talk = await Mallory.dial(town, bob)
    await talk.hear()
    await bob.decisions.verify(known(bob, mallory), None)
    await bob.send_to_known(mallory, "one")
    assert [frame.text for frame in await talk.hear()] == ["one"]
    await bob.contacts.learn(msgspec.structs.replace(mallory.in_directory(), device_key=DIRECTORYS_OTHER_KEY))

    await bob.send_to_known(mallory, "two")
    await talk.say(Stored(1))
    await until(lambda: bob.states(mallory) == ["delivered", "pending"])
    await talk.link.send(b"garbage, for an answer behind all that was sent")

    assert [type(frame) for frame in await talk.hear()] == [ErrorFrame]


# --- names ---


async def test_who_takes_a_contacts_name_is_not_let_in(town: Town, alice_and_bob: People) -> None:
    alice, bob = alice_and_bob
    mallory = await town.join("mallory")
    mallory.name = "bob"
    town.people["bob"], rightful = mallory, bob

    with pytest.raises(NameHeld):
        await alice.peers.identify(mallory.holder, "bob")

    town.people["bob"] = rightful
    assert known(alice, bob).user_id == "bob-id"
    assert alice.contacts.of_user("mallory-id") is None


# --- blocking ---


async def test_who_is_blocked_is_not_heard_and_nothing_is_lost(alice_and_bob: People) -> None:
    alice, bob = alice_and_bob
    await alice.decisions.block(known(alice, bob), blocked=True)

    await bob.send(alice, "one", "two")
    await alice.send(bob, "waits too")
    await rest(bob, alice)
    await rest(alice, bob)

    assert alice.texts(bob) == ["hello", "waits too"]
    assert (alice.states(bob), bob.states(alice)) == (["delivered", "pending"], ["pending", "pending"])
    assert [contact.username for contact in alice.decisions.blocked()] == ["bob"]
    await alice.decisions.block(known(alice, bob), blocked=False)
    await until(lambda: bob.states(alice) == ["delivered", "delivered"] and alice.states(bob)[-1] == "delivered")
    assert [text for text in alice.texts(bob) if text in ("one", "two")] == ["one", "two"]
    assert alice.decisions.blocked() == []


async def test_a_link_that_is_open_ends_with_the_block(town: Town, bob_and_mallory: People) -> None:
    bob, mallory = bob_and_mallory
    talk = await Mallory.dial(town, bob)
    await talk.hear()
    await talk.say(talk.message(1))
    await until(lambda: bob.texts(mallory) == ["x"])
    await talk.hear()

    await bob.decisions.block(known(bob, mallory), blocked=True)

    with pytest.raises(LinkClosed):
        await talk.hear()
    assert bob.texts(mallory) == ["x"]


async def test_what_a_blocked_person_is_told_is_what_a_node_without_managers_tells_a_stranger(
    town: Town, bob_and_mallory: People
) -> None:
    bob, _ = bob_and_mallory
    town.managers_live = False
    stranger = await answers(town, bob)
    town.managers_live = True
    mallory = await bob.know(town.people["mallory"])
    await bob.decisions.block(mallory, blocked=True)

    blocked = await answers(town, bob)

    assert blocked == stranger
    assert bob.shown(town.people["mallory"]) == []


async def answers(town: Town, bob: Person) -> list[Any]:
    """What mallory's greeting and calls are answered."""
    mallory = town.people["mallory"]
    talk = await Mallory.dial(town, bob)
    greeting = await talk.hear()
    parties = {"from": "mallory", "to": "bob"}
    message = await town.call(mallory.holder, bob, "/receive_message", **parties, text="x")
    receipt = await town.call(mallory.holder, bob, "/notify_read", **parties)
    return [greeting, message, receipt]


async def test_one_who_is_blocked_by_name_before_any_contact_is_never_heard(bob_and_mallory: People) -> None:
    bob, mallory = bob_and_mallory
    await bob.decisions.block(await bob.know(mallory), blocked=True)

    await mallory.send(bob, "let me in")
    await rest(mallory, bob)

    assert bob.shown(mallory) == []
    assert mallory.states(bob) == ["pending"]


async def test_a_block_while_the_directory_is_asked_who_calls_holds(town: Town, bob_and_mallory: People) -> None:
    bob, mallory = bob_and_mallory

    async def slow(username: str) -> User:
        await bob.decisions.block(await bob.know(mallory), blocked=True)
        return await town.find(username)

    bob.peers._find_user = slow

    with pytest.raises(ManagerAway):
        await bob.peers.identify(mallory.holder, "mallory")


async def test_a_block_in_the_middle_of_a_greeting_holds(
    town: Town, bob_and_mallory: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob, mallory = bob_and_mallory
    contact = await bob.know(mallory)

    async def blocks(*_: object) -> None:
        await bob.contacts.block(contact, blocked=True)

    monkeypatch.setattr(bob.peers.places, "greeted", blocks)  # it is called between the two greetings
    talk = await Mallory.dial(town, bob)
    await talk.hear()

    with pytest.raises(LinkClosed):
        await talk.hear()
    assert bob.peers.links.of(contact.id) is None


async def test_who_is_unblocked_need_not_wait_for_their_own_next_try(
    alice_and_bob: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = alice_and_bob
    rests = asyncio.Event()

    async def rest_until_good_news(courier: Courier) -> None:
        rests.set()
        await courier._hurry.wait()
        courier._wake.set()

    monkeypatch.setattr(Courier, "_rest", rest_until_good_news)
    await alice.decisions.block(known(alice, bob), blocked=True)
    await bob.send(alice, "let me in")
    await rests.wait()

    await alice.decisions.block(known(alice, bob), blocked=False)

    await until(lambda: bob.states(alice) == ["delivered"])


async def test_what_arrives_in_the_moment_of_the_block_is_not_stored(town: Town, bob_and_mallory: People) -> None:
    """The block is on disk, and the link not yet closed."""
    bob, mallory = bob_and_mallory
    talk = await Mallory.dial(town, bob)
    await talk.hear()
    await bob.contacts.block(known(bob, mallory), blocked=True)

    with contextlib.suppress(LinkClosed):
        await talk.say(talk.message())
        await talk.hear()

    assert bob.shown(mallory) == []


async def test_the_presence_of_who_is_blocked_is_not_in_what_the_directory_says(bob_and_mallory: People) -> None:
    bob, mallory = bob_and_mallory
    await bob.decisions.block(await bob.know(mallory), blocked=True)
    found = [bob.in_directory(), msgspec.structs.replace(mallory.in_directory(), last_seen="2026-01-01T00:00:00Z")]

    named = bob.decisions.shown(found, online_only=False)
    online = bob.decisions.shown(found, online_only=True)

    assert [(user.username, user.status, user.last_seen) for user in named] == [
        ("bob", "online", None),
        ("mallory", "offline", None),
    ]
    assert [user.username for user in online] == ["bob"]


# --- forged frames ---


@pytest.mark.parametrize("kind", ["key_changed"])
async def test_an_entry_that_only_bobs_own_node_may_write_is_refused(
    town: Town, bob_and_mallory: People, kind: str
) -> None:
    bob, mallory = bob_and_mallory
    talk = await Mallory.dial(town, bob)
    await talk.hear()

    await talk.say(talk.message(kind=kind, text="alice has a new key"))

    [answer] = await talk.hear()
    assert isinstance(answer, ErrorFrame)
    assert answer.error == "forged_frame"
    assert bob.shown(mallory) == []


async def test_one_forged_message_among_others_spoils_them_all(town: Town, bob_and_mallory: People) -> None:
    bob, mallory = bob_and_mallory
    talk = await Mallory.dial(town, bob)
    await talk.hear()

    await talk.say(talk.message(1), talk.message(2, sender="alice-id"))

    [answer] = await talk.hear()
    assert isinstance(answer, ErrorFrame)
    assert bob.shown(mallory) == []


async def test_an_answer_to_a_message_of_another_conversation_stays_in_its_own(
    town: Town, bob_and_mallory: People
) -> None:
    bob, mallory = bob_and_mallory
    alice = await town.join("alice")
    await alice.send(bob, "between us")
    await until(lambda: bob.texts(alice) == ["between us"])
    talk = await Mallory.dial(town, bob)
    await talk.hear()

    (theirs,) = bob.shown(alice)
    await talk.say(talk.message(reply_to=UUID(theirs.id).bytes))

    await until(lambda: bob.texts(mallory) == ["x"])
    assert bob.texts(alice) == ["between us"]


async def test_the_one_who_is_dialled_cannot_answer_as_somebody_else(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await bob.stop()
    endpoint = town.network.endpoint(bob.address, bob.holder)

    async def answer_as_carol(link: Any) -> None:
        await link.receive()
        await link.send(encode_frames([Hello([1], "carol-id", "bob")]))
        await link.receive()

    async def no_call(_: Any) -> Any:
        raise AssertionError("nobody calls")

    await endpoint.serve(answer_as_carol, no_call)
    contact = await alice.know(bob)

    with pytest.raises(Unreachable):
        await alice.peers.dial(contact)

    assert alice.peers.links.of(contact.id) is None
    await endpoint.close()


@pytest.mark.parametrize(
    "remote",
    [
        Holder("user", "alice-id", b"x" * 32),  # another device
        Holder("user", "carol-id", b"x" * 32),  # another user
    ],
)
async def test_the_reports_call_by_another_device_or_user_is_refused(
    town: Town, alice_and_bob: People, remote: Holder
) -> None:
    alice, bob = alice_and_bob
    before = bob.texts(alice)

    status, answer = await town.call(remote, bob, "/receive_message", **{"from": "alice", "to": "bob", "text": "x"})

    assert (status, answer["error"]) in ((409, "key_changed"), (403, "forged_frame"))
    assert bob.texts(alice) == before
    assert bob.contacts.of_user("carol-id") is None
