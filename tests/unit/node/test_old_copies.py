"""alice's or bob's data directory is restored from a backup, and they go on with nothing lost and nothing twice."""

import pytest
from town import Mallory, Person, Town, until

from telegraph.node import epochs, event_log, history, peers
from telegraph.node.model import MessageReceived, StateChanged
from telegraph.protocol.frames import Anew, ErrorFrame, Hello, Stored


@pytest.fixture
async def friends(town: Town) -> tuple[Person, Person]:
    """Alice has sent two messages and bob one; both have a backup from then."""
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "a1", "a2")
    await bob.send(alice, "b1")
    await settled(alice, bob)
    await alice.backup()
    await bob.backup()
    return alice, bob


def texts(one: Person, other: Person) -> list[str]:
    """What they wrote, without the entries that say that a machine was restored."""
    return [message.text for message in one.shown(other) if message.kind == "text"]


async def settled(alice: Person, bob: Person) -> None:
    await until(lambda: {*alice.states(bob), *bob.states(alice)} <= {"delivered", "read"})


async def test_what_an_old_copy_writes_arrives_though_its_numbers_were_used_before(
    friends: tuple[Person, Person],
) -> None:
    alice, bob = friends
    await alice.send(bob, "a3", "a4", "a5")
    await settled(alice, bob)
    await alice.restore()

    # more than were lost, so that the numbers alone would seem to fit
    await alice.send(bob, "new1", "new2", "new3", "new4", "new5")
    await settled(alice, bob)

    assert [text for text in texts(bob, alice) if text[0] != "b"] == ["a1", "a2", "a3", "a4", "a5"] + [
        f"new{number}" for number in range(1, 6)
    ]
    assert [text for text in texts(alice, bob) if text[0] == "n"] == [f"new{number}" for number in range(1, 6)]


async def test_what_an_old_copy_has_lost_of_the_others_messages_comes_once_more(
    friends: tuple[Person, Person],
) -> None:
    alice, bob = friends
    await bob.send(alice, "b2", "b3")
    await settled(alice, bob)
    await alice.read(bob)
    await until(lambda: bob.states(alice)[-1] == "read")
    await alice.restore()

    await alice.send(bob, "where were we?")
    await until(lambda: "b3" in texts(alice, bob) and "where were we?" in texts(bob, alice))
    await settled(alice, bob)

    assert texts(alice, bob) == texts(bob, alice)
    assert sorted(texts(alice, bob)) == ["a1", "a2", "b1", "b2", "b3", "where were we?"]
    assert bob.states(alice) == ["read"] * 3  # what bob saw does not go back


async def test_a_message_that_waited_when_the_backup_was_made_does_not_come_twice(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "a1")
    await settled(alice, bob)
    await bob.stop()
    await alice.send(bob, "waits")
    await alice.backup()
    await bob.start()
    await settled(alice, bob)
    await alice.send(bob, "a3")
    await settled(alice, bob)
    await bob.read(alice)

    await alice.restore()
    await alice.send(bob, "new")
    await until(lambda: "new" in texts(bob, alice))
    await settled(alice, bob)

    assert texts(bob, alice) == ["a1", "waits", "a3", "new"]
    assert texts(alice, bob) == ["a1", "waits", "new"]
    contact = bob.contacts.of_user(alice.user_id)
    assert contact is not None
    assert history.unread_count(bob.db.reader, contact.id) == 1
    await bob.read(alice)
    await until(lambda: alice.states(bob)[1:] == ["read"] * 2)


async def test_the_conversation_says_on_both_ends_that_a_machine_was_restored(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    await alice.send(bob, "a3")
    await settled(alice, bob)
    events = event_log.head(bob.db.reader)
    await alice.restore()
    await alice.send(bob, "new")
    await settled(alice, bob)

    for one, other in ((alice, bob), (bob, alice)):
        assert [message.kind for message in one.shown(other)].count("restored") == 1
    told = [event for _, event in event_log.since(bob.db.reader, events, "bob")]
    assert [event.message.kind for event in told if isinstance(event, StateChanged)].count("restored") == 1
    assert [event.message.text for event in told if isinstance(event, MessageReceived)] == ["new"]


async def test_both_restored_at_once_go_on(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    await alice.send(bob, "a3")
    await bob.send(alice, "b2")
    await settled(alice, bob)
    await alice.stop()
    await bob.restore()
    await alice.restore()

    await bob.send(alice, "new from bob")
    await alice.send(bob, "new from alice")
    await settled(alice, bob)

    assert texts(alice, bob) == texts(bob, alice)
    assert texts(alice, bob)[-2:] == ["new from bob", "new from alice"]


async def test_after_a_restore_everything_goes_on_as_before(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    await alice.send(bob, "a3")
    await settled(alice, bob)
    await alice.restore()
    for number in range(3):
        await alice.send(bob, f"a{number}")
        await bob.send(alice, f"b{number}")
        await settled(alice, bob)
        await bob.read(alice)
        await alice.stop()
        await alice.start()
    await until(lambda: alice.states(bob)[-1] == "read")

    assert [text for text in texts(bob, alice) if text != "a3"] == texts(alice, bob)


async def test_a_lying_claim_makes_nobody_drop_what_waits(town: Town, bob_and_mallory: tuple[Person, Person]) -> None:
    bob, mallory = bob_and_mallory
    contact = await bob.know(mallory)
    await mallory.stop()
    await bob.send(mallory, "one", "two")
    await mallory.start()
    bob.peers.links._open.clear()
    for lie in ({"received": 1000}, {"received": 2, "received_id": b"x" * 16}, {"epoch": 7}, {"epoch": 2**40 - 1}):
        talk = await Mallory.dial(town, bob, **lie)
        await talk.hear()
        await talk.link.close()

    waiting = await bob.db.write(lambda db: db.execute("SELECT count(*) FROM outbox").fetchone()[0])
    delivered = texts(bob, mallory) if waiting == 0 else []
    assert waiting == 2 or delivered == texts(mallory, bob) == ["one", "two"]
    assert contact.user_id == "mallory-id"


async def test_the_numbers_begin_anew_only_a_few_times(town: Town, bob_and_mallory: tuple[Person, Person]) -> None:
    bob, mallory = bob_and_mallory
    await bob.know(mallory)
    heard = []
    for number in range(peers.ANEW[0] + 2):
        talk = await Mallory.dial(town, bob, received=1000, epoch=min(number, peers.ANEW[0]))
        heard.append((await talk.hear())[-1])
        await talk.link.close()

    assert [type(frame) for frame in heard] == [Anew] * peers.ANEW[0] + [ErrorFrame] * 2
    assert isinstance(heard[-1], ErrorFrame)
    assert heard[-1].error == "forged_frame"
    assert mallory.user_id


@pytest.mark.parametrize("epoch", [2, 2**39])
async def test_an_epoch_that_the_greetings_do_not_allow_is_refused(
    town: Town, bob_and_mallory: tuple[Person, Person], epoch: int
) -> None:
    bob, mallory = bob_and_mallory
    contact = await bob.know(mallory)
    talk = await Mallory.dial(town, bob)
    [greeting] = await talk.hear()
    assert isinstance(greeting, Hello)

    await talk.say(Anew(epoch), talk.message())

    assert isinstance((await talk.hear())[0], ErrorFrame)
    assert epochs.claim_of(bob.db.reader, contact.id).epoch == 0
    assert mallory.user_id


async def test_what_comes_on_a_link_of_the_old_numbers_changes_nothing(
    town: Town, bob_and_mallory: tuple[Person, Person]
) -> None:
    bob, mallory = bob_and_mallory
    contact = await bob.know(mallory)
    await bob.send(mallory, "waits")
    await until(lambda: bob.states(mallory) == ["delivered"])
    await mallory.stop()
    await bob.send(mallory, "waits too")
    await mallory.start()
    talk = await Mallory.dial(town, bob)
    await talk.hear()
    old = epochs.claim_of(bob.db.reader, contact.id)
    await bob.db.write(lambda db: epochs.renew(db, contact.id, 1, old, 0))

    await talk.say(Stored(2))
    await talk.say(talk.message(seq=1))

    await until(lambda: bob.peers.links.of(contact.id) is None or "waits too" in texts(mallory, bob))
    assert "x" not in texts(bob, mallory)
