"""alice, bob and mallory on a network in memory: links, couriers and the report's calls, without sockets."""

import asyncio
from typing import Any

import msgspec
import pytest
from town import Mallory, Person, Town, until

from telegraph.errors import KeyChanged
from telegraph.node import streams
from telegraph.node.keys import DeviceKey
from telegraph.peer.port import LinkClosed, Unreachable
from telegraph.protocol.addresses import Address
from telegraph.protocol.frames import ErrorFrame, Read, Refuse
from telegraph.protocol.identity import Holder
from telegraph.protocol.manager_api import User

MANAGER = Holder("manager", "m1", b"manager")


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


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"sender": "alice-id"}, "forged_frame"),
        ({"recipient": "alice-id"}, "forged_frame"),
        ({"text": ""}, "illegal_text"),
    ],
)
async def test_a_forged_or_empty_message_is_refused_and_not_stored(
    town: Town, bob_and_mallory: tuple[Person, Person], changes: dict[str, Any], error: str
) -> None:
    bob, mallory = bob_and_mallory
    talk = await Mallory.dial(town, bob)
    await talk.hear()

    await talk.say(talk.message(**changes))

    *_, answer = await talk.hear()
    assert isinstance(answer, ErrorFrame | Refuse)
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

    await until(lambda: not alice.pending and not bob.pending)
    assert alice.states(bob) == bob.states(alice) == ["delivered"] * 120


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


async def test_a_link_to_a_device_that_was_replaced_changes_nothing_any_more(
    town: Town, bob_and_mallory: tuple[Person, Person]
) -> None:
    bob, mallory = bob_and_mallory
    talk = await Mallory.dial(town, bob)
    await talk.hear()
    contact = await bob.know(mallory)
    await bob.db.write(lambda db: streams.change_key(db, contact.id, b"n" * 32))

    await talk.say(talk.message())

    with pytest.raises(LinkClosed):
        await talk.hear()
    assert bob.shown(mallory) == []
