"""alice changes her mind about messages: what is refused, what is idempotent, what the records tell."""

from random import Random
from uuid import UUID

import pytest
from town import Mallory, Person, Town, until

from telegraph.errors import AccountDeleted, UnknownMessage, WrongState
from telegraph.node import acts, history, oneself, streams, voids
from telegraph.node.model import as_api_message
from telegraph.protocol.manager_api import User

RNG = Random(1)


@pytest.fixture
async def alice(town: Town) -> Person:
    return await town.join("alice")


@pytest.fixture
async def bob(town: Town) -> Person:
    person = await town.join("bob")
    await person.stop()
    return person


async def test_giving_up_and_sending_after_all_can_be_asked_twice(alice: Person, bob: Person) -> None:
    await alice.send(bob, "x")
    [message] = alice.shown(bob)

    for _ in range(2):
        await acts.cancel(alice.db, message.id)
        assert alice.states(bob) == ["cancelled"]
    for _ in range(2):
        await acts.retry(alice.db, message.id, alice.clock, RNG)
        assert alice.states(bob) == ["pending"]


async def test_what_bob_has_cannot_be_taken_back(alice: Person, bob: Person) -> None:
    await bob.start()
    await alice.send(bob, "x")
    await until(lambda: alice.states(bob) == ["delivered"])
    [message] = alice.shown(bob)

    for act in (acts.cancel(alice.db, message.id), acts.retry(alice.db, message.id, alice.clock, RNG)):
        with pytest.raises(WrongState, match="delivered"):
            await act
    with pytest.raises(WrongState):  # nor can what alice sent be taken back by bob
        await acts.cancel(bob.db, message.id)


@pytest.mark.parametrize("message_id", ["x", "", str(UUID(int=7))])
async def test_a_message_that_is_not_there_is_unknown(alice: Person, message_id: str) -> None:
    with pytest.raises(UnknownMessage):
        await acts.cancel(alice.db, message_id)


async def test_a_message_tells_of_its_conversation_and_of_the_device_that_sent_it(alice: Person, bob: Person) -> None:
    await alice.db.set(device_public=alice.key.public)
    await bob.start()
    await bob.send(alice, "from bob's first device")
    await until(lambda: len(alice.texts(bob)) == 1)
    await alice.send(bob, "mine")
    await alice.db.write(lambda db: streams.change_key(db, 1, b"k" * 32))

    first, second = alice.shown(bob)

    assert (first.conversation, second.conversation) == ("bob-id", "bob-id")
    assert (first.device, second.device) == (bob.key.public, alice.key.public)
    assert as_api_message(first).sender_device is not None


async def test_a_kind_of_the_future_is_stored_with_its_text_and_needs_a_newer_version(town: Town, bob: Person) -> None:
    await bob.start()
    mallory = await town.join("mallory")
    talk = await Mallory.dial(town, bob)
    await talk.hear()

    await talk.say(talk.message(1, kind="poll", text="1,2"), talk.message(2, kind="wave", text=""), talk.message(3))

    await until(lambda: len(bob.shown(mallory)) == 3)
    poll, wave, text = [as_api_message(message) for message in bob.shown(mallory)]
    assert (poll.kind, poll.text, poll.needs_newer) == ("poll", "1,2", True)
    assert (wave.kind, wave.needs_newer, text.needs_newer) == ("wave", True, False)
    assert [message.id for message in history.unread(bob.db.reader, "bob")] == [poll.id, wave.id, text.id]


async def test_a_failed_message_says_why_in_the_api(alice: Person, bob: Person) -> None:
    await alice.send(bob, "x")
    await alice.db.write(lambda db: voids.fail(db, 1, "expired"))

    shown = as_api_message(alice.shown(bob)[0])

    assert (shown.state, shown.reason, shown.status) == ("failed", "expired", "ok")


async def test_a_message_to_oneself_is_kept_and_read_and_goes_nowhere(alice: Person) -> None:
    contact = await alice.contacts.oneself("alice-id", "alice")
    assert await alice.contacts.oneself("alice-id", "alice") == contact

    for number, text in enumerate(("buy milk", "and bread")):
        draft = streams.Draft(contact.id, text, alice.clock - number)  # the clock goes back
        await alice.db.write(lambda db, draft=draft: oneself.keep(db, draft, RNG))  # type: ignore[misc]

    shown = alice.shown(alice)
    assert [(message.text, message.state, message.sender, message.recipient) for message in shown] == [
        ("buy milk", "read", "alice", "alice"),
        ("and bread", "read", "alice", "alice"),
    ]
    assert history.unread_count(alice.db.reader) == history.pending_count(alice.db.reader) == 0
    assert streams.waiting(alice.db.reader) == []
    assert alice.peers.untold(10) == []
    with pytest.raises(WrongState):
        await acts.cancel(alice.db, shown[0].id)


async def test_nobody_is_asked_about_what_was_given_up_for_a_deleted_account(alice: Person, bob: Person) -> None:
    await alice.send(bob, "one")
    assert voids.any_due(alice.db.reader, 1) is False

    assert await alice.db.write(lambda db: voids.fail_all(db, 1, "account_deleted")) == 1

    assert alice.shown(bob)[0].reason == "account_deleted"
    assert not voids.any_due(alice.db.reader, 1)


async def test_what_is_written_to_a_deleted_account_later_fails_once_the_directory_is_asked(
    town: Town, alice: Person, bob: Person
) -> None:
    async def find(username: str) -> User:
        raise AccountDeleted(username=username)

    alice.peers._find_user = find
    await alice.send(bob, "while nobody has said whose account it was")
    await alice.peers.look_up(alice.contacts[1])
    assert alice.states(bob) == ["pending"]

    await alice.db.write(lambda db: voids.fail_all(db, 1, "account_deleted"))
    await alice.send(bob, "afterwards")

    await until(lambda: alice.states(bob) == ["failed", "failed"])
    assert town.people["bob"].texts(alice) == []
