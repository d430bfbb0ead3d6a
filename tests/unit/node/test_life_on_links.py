"""alice gives up messages while links break: both screens stay true."""

import asyncio
from random import Random

import pytest
from town import Mallory, Person, Town, until

from telegraph.node import history, receipts, streams, voids
from telegraph.node.model import Message
from telegraph.protocol.frames import MessageFrame, Refuse, Skip, Skipped, Stored


async def give_up(person: Person, other: Person, message: Message) -> None:
    contact = await person.know(other)
    row = row_of(person, message)
    await person.db.write(lambda db: voids.cancel(db, row))
    person.peers.happened(contact.id)


async def try_again(person: Person, other: Person, message: Message, rng: Random) -> None:
    contact = await person.know(other)
    row = row_of(person, message)
    person.clock += 1000
    await person.db.write(lambda db: voids.retry(db, row, person.clock, rng))
    person.peers.happened(contact.id)


def row_of(person: Person, message: Message) -> int:
    row = person.db.read("SELECT id FROM messages WHERE uuid = ?", bytes.fromhex(message.id.replace("-", "")))[0][0]
    assert isinstance(row, int)
    return row


def nothing_waits(person: Person) -> bool:
    return not person.db.read("SELECT 1 FROM outbox UNION ALL SELECT 1 FROM voids")


async def test_what_is_cancelled_while_bob_is_away_never_reaches_him(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await bob.stop()
    await alice.send(bob, "one", "two", "three")

    await give_up(alice, bob, alice.shown(bob)[1])
    await bob.start()

    await until(lambda: nothing_waits(alice))
    assert bob.texts(alice) == ["one", "three"]
    assert alice.states(bob) == ["delivered", "cancelled", "delivered"]


async def test_a_cancelled_message_can_be_sent_after_all(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await bob.stop()
    await alice.send(bob, "one", "two")
    await give_up(alice, bob, alice.shown(bob)[0])
    await bob.start()
    await until(lambda: nothing_waits(alice))

    await try_again(alice, bob, alice.shown(bob)[0], Random(1))

    await until(lambda: nothing_waits(alice))
    assert bob.texts(alice) == alice.texts(bob) == ["two", "one"]
    assert [message.id for message in bob.shown(alice)] == [message.id for message in alice.shown(bob)]


async def test_one_that_is_cancelled_on_its_way_shows_what_became_of_it(town: Town) -> None:
    """Bob stores it, and the acknowledgement is lost with the link."""
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "before")
    await until(lambda: alice.states(bob) == ["delivered"])
    await bob.stop()
    await alice.send(bob, "x")
    row = row_of(alice, alice.shown(bob)[1])
    await alice.stop()
    await alice.db.write(lambda db: voids.cancel(db, row))
    frame = alice_frames(alice, bob)
    await bob.db.write(lambda db: bob_stores(db, frame))

    await bob.start()
    await alice.start()

    await until(lambda: nothing_waits(alice))
    assert alice.states(bob) == ["delivered", "delivered"]


def alice_frames(alice: Person, bob: Person) -> MessageFrame:
    [(uuid, seq, seen, text)] = alice.db.read("SELECT uuid, seq, seen, text FROM messages WHERE text = 'x'")
    return MessageFrame(
        id=uuid,  # type: ignore[arg-type]
        seq=seq,  # type: ignore[arg-type]
        seen=seen,  # type: ignore[arg-type]
        sender=alice.user_id,
        recipient=bob.user_id,
        sent_at=0,
        text=text,  # type: ignore[arg-type]
    )


def bob_stores(db: object, frame: MessageFrame) -> None:
    from telegraph.node import streams

    assert streams.receive(db, 1, [frame]).stored == 1  # type: ignore[arg-type]


async def test_a_message_that_bob_refuses_for_good_fails_and_holds_up_nobody(
    town: Town, bob_and_mallory: tuple[Person, Person]
) -> None:
    """Mallory plays a node that cannot take the second message, whatever it is."""
    bob, mallory = bob_and_mallory
    await mallory.know(bob)
    talk = await Mallory.dial(town, bob)
    await talk.hear()
    await bob.send(mallory, "one", "never", "three")
    got: list[str] = []
    expected = 1
    while len(got) < 2:
        for frame in await talk.hear():
            if isinstance(frame, Skip) and frame.seq == expected:
                await talk.say(Skipped(frame.seq, had=False))
                expected += 1
            elif isinstance(frame, MessageFrame) and frame.text == "never":
                await talk.say(Refuse(frame.seq, "illegal_text", "-", expected))
            elif isinstance(frame, MessageFrame) and frame.seq == expected:
                got.append(frame.text)
                await talk.say(Stored(frame.seq))
                expected += 1
            elif isinstance(frame, MessageFrame):
                await talk.say(Refuse(frame.seq, "sequence_gap", "-", expected))

    await until(lambda: nothing_waits(bob))
    assert got == ["one", "three"]
    assert bob.states(mallory) == ["delivered", "failed", "delivered"]
    assert bob.shown(mallory)[1].reason == "refused"


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_breaks_each_message_is_with_bob_or_given_up_and_never_both(town: Town, seed: int) -> None:
    rng = Random(seed)
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.know(bob)
    await bob.know(alice)
    town.network.drop(0.15)
    unwanted: set[str] = set()
    for number in range(60):
        sender, other = rng.choice([(alice, bob), (bob, alice)])
        await sender.send(other, f"{sender.name}{number}")
        message = rng.choice([shown for shown in sender.shown(other) if shown.mine])
        if rng.random() < 0.5:
            await give_up(sender, other, message)
            unwanted.add(message.id)
        elif message.id in unwanted:
            await try_again(sender, other, message, rng)
            unwanted.discard(message.id)
        if rng.random() < 0.2:
            town.network.break_links(bob.address)
        if rng.random() < 0.1:
            await bob.stop()
            await bob.start()
        await asyncio.sleep(0)
    town.network.recover()

    await until(lambda: nothing_waits(alice) and nothing_waits(bob))

    for person, other in ((alice, bob), (bob, alice)):
        got = [message.id for message in other.shown(person) if not message.mine]
        assert len(got) == len(set(got))
        for message in person.shown(other):
            if message.mine:
                assert (message.id in got) == (message.state == "delivered")
                assert message.id in got or message.id in unwanted
    both = {message.id for message in bob.shown(alice)} & {message.id for message in alice.shown(bob)}
    assert [message.id for message in alice.shown(bob) if message.id in both] == [
        message.id for message in bob.shown(alice) if message.id in both
    ]
    assert history.pending_count(alice.db.reader) == 0


async def choose(person: Person, *, on: bool) -> None:
    await person.db.write(lambda db: receipts.choose(db, on=on))


async def test_with_read_receipts_off_nobody_is_told_what_was_read(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await choose(bob, on=False)
    await alice.send(bob, "one")
    await until(lambda: bob.texts(alice) == ["one"])
    await bob.read(alice)
    assert history.unread_count(bob.db.reader) == 0
    assert streams.waiting(bob.db.reader) == []

    await alice.send(bob, "two")
    await until(lambda: alice.states(bob) == ["delivered"] * 2)  # whatever bob had to say came before

    await choose(bob, on=True)
    assert streams.waiting(bob.db.reader) == []  # what was read meanwhile stays untold
    await bob.read(alice)
    await until(lambda: alice.states(bob) == ["read"] * 2)


async def test_receipts_that_wait_when_they_are_switched_off_are_not_sent(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "one")
    await until(lambda: alice.states(bob) == ["delivered"])
    await alice.stop()
    await bob.read(alice)
    assert streams.waiting(bob.db.reader) == [1]

    await choose(bob, on=False)

    assert streams.waiting(bob.db.reader) == []
    assert receipts.wanted(alice.db.reader)
    assert not receipts.wanted(bob.db.reader)


async def test_the_question_about_a_number_given_up_is_not_forgotten_over_new_messages(
    town: Town, bob_and_mallory: tuple[Person, Person]
) -> None:
    bob, mallory = bob_and_mallory
    contact = await bob.know(mallory)
    await mallory.know(bob)
    talk = await Mallory.dial(town, bob)
    await talk.hear()
    await bob.send(mallory, "on its way")
    assert isinstance((await talk.hear())[-1], MessageFrame)  # and mallory does not acknowledge it

    await bob.db.write(lambda db: voids.cancel(db, 1))
    draft = streams.Draft(contact.id, "new", bob.clock)
    (stored,) = await bob.db.write(lambda db: streams.append_all(db, [draft], Random(3)))
    bob.peers.wake(contact.id)
    bob.peers.offer(contact.id, streams.as_frame(draft, stored, bob.user_id, mallory.user_id))

    heard: list[object] = []
    while not any(isinstance(frame, Skip) for frame in heard):
        heard += await talk.hear()
