"""Whom alice knows, and what of it the directory may change."""

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import msgspec
import pytest

from telegraph.errors import KeyChanged, NameHeld
from telegraph.node import event_log, history, streams
from telegraph.node.contacts import ContactBook
from telegraph.node.database import Database
from telegraph.node.model import ContactKeyChanged
from telegraph.protocol.addresses import Address
from telegraph.protocol.manager_api import Namesake, User

KEY, OTHER_KEY = b"k" * 32, b"o" * 32


def bob(*, key: bytes | None = KEY, counter: int = 1, port: int = 8000, username: str = "Bob") -> User:
    return User(
        username=username,
        user_id="bob-id",
        ip="192.0.2.7",
        port=port,
        status="online",
        last_seen=None,
        device_key=base64.b64encode(key).decode() if key else None,
        counter=counter,
    )


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database.open(tmp_path, bytes(32))
    yield opened
    await opened.close()


async def test_a_contact_is_pinned_and_found_however_the_name_is_spelt(database: Database) -> None:
    book = ContactBook(database)

    learnt = await book.learn(bob())

    assert learnt.device_key == KEY
    assert learnt.address == Address("192.0.2.7", 8000)
    assert book.named("BOB") == book.named("ｂｏｂ") == book.of_user("bob-id") == learnt
    assert book.named("carol") is None


async def test_contacts_outlive_a_restart(database: Database) -> None:
    learnt = await ContactBook(database).learn(bob())

    assert list(ContactBook(database)) == [learnt]


async def test_only_a_newer_address_is_taken_over(database: Database) -> None:
    book = ContactBook(database)
    await book.learn(bob(counter=5, port=5000))

    stale = await book.learn(bob(counter=4, port=4000))
    same = await book.learn(bob(counter=5, port=5555))
    newer = await book.learn(bob(counter=6, port=6000))

    assert [contact.address and contact.address.port for contact in (stale, same, newer)] == [5000, 5000, 6000]


async def test_the_first_key_is_pinned_silently_and_another_one_is_marked(database: Database) -> None:
    book = ContactBook(database)
    unknown = await book.learn(bob(key=None))
    first = await book.learn(bob())
    changed = await book.learn(bob(key=OTHER_KEY))

    assert (unknown.device_key, unknown.key_changed) == (None, False)
    assert (first.device_key, first.key_changed) == (KEY, False)
    assert (changed.device_key, changed.key_changed) == (OTHER_KEY, True)


async def test_a_new_name_stays_the_same_contact(database: Database) -> None:
    book = ContactBook(database)
    before = await book.learn(bob())

    after = await book.learn(bob(username="Robert"))

    assert after.id == before.id
    assert book.named("robert") == after
    assert book.named("bob") is None


def entries(database: Database) -> list[str]:
    """What the conversation with bob shows: texts, and kinds of what the node wrote itself."""
    shown = history.page(database.reader, 1, "alice", before=None, limit=100)[0]
    return [message.text or message.kind for message in shown]


async def say(database: Database, text: str) -> None:
    await database.write(lambda db: streams.append(db, 1, text, time.time_ns() // 1000, Random(text)))


async def test_a_changed_key_is_an_entry_at_its_place_that_is_not_unread(database: Database) -> None:
    book = ContactBook(database)
    await book.learn(bob())
    await say(database, "before")

    await book.learn(bob(key=OTHER_KEY))
    await say(database, "after")

    assert entries(database) == ["before", "key_changed", "after"]
    assert history.unread(database.reader, "alice") == []
    assert history.unread_count(database.reader) == 0
    assert await database.write(lambda db: streams.read_here(db, 1)) == 0


async def test_a_changed_key_is_told_to_who_follows_and_is_no_message(database: Database) -> None:
    book = ContactBook(database)
    await book.learn(bob())

    await book.learn(bob(key=OTHER_KEY))

    ((_, event),) = event_log.since(database.reader, 0, "alice")
    assert isinstance(event, ContactKeyChanged)
    assert (event.message.sender, event.message.kind, event.message.text) == ("Bob", "key_changed", "")


async def test_a_directory_that_changes_its_mind_for_ever_fills_no_disk(database: Database) -> None:
    book = ContactBook(database)
    for _ in range(5):
        await book.learn(bob())
        contact = await book.learn(bob(key=OTHER_KEY))
    assert entries(database) == ["key_changed"]

    await book.accept(contact, None)
    await book.learn(bob())

    assert entries(database) == ["key_changed", "key_changed"]


async def test_the_key_of_one_who_is_verified_stays_whatever_the_directory_says(database: Database) -> None:
    book = ContactBook(database)
    verified = await book.verify(await book.learn(bob()), KEY)
    await say(database, "waits")

    offered = await book.learn(bob(key=OTHER_KEY))

    assert (verified.verified, verified.waits) == (True, None)
    assert (offered.device_key, offered.offered_key, offered.verified) == (KEY, OTHER_KEY, True)
    assert (offered.key_changed, offered.waits) == (True, "key_changed")
    assert entries(database) == ["waits", "key_changed"]
    assert list(ContactBook(database)) == [offered]


async def test_an_offer_that_the_directory_takes_back_is_no_question_any_more(database: Database) -> None:
    book = ContactBook(database)
    await book.verify(await book.learn(bob()), KEY)
    await book.learn(bob(key=OTHER_KEY))

    back = await book.learn(bob())

    assert (back.waits, back.verified, back.key_changed) == (None, True, True)


async def test_accepting_takes_the_new_key_and_verified_is_off(database: Database) -> None:
    book = ContactBook(database)
    await book.verify(await book.learn(bob()), KEY)
    await say(database, "waits")
    offered = await book.learn(bob(key=OTHER_KEY))

    accepted = await book.accept(offered, OTHER_KEY)

    assert (accepted.device_key, accepted.verified) == (OTHER_KEY, False)
    assert (accepted.waits, accepted.key_changed) == (None, False)
    waiting = streams.pending(database.reader, 1, "alice-id", "bob-id", after=0, limit=10)
    assert [frame.text for frame in waiting] == ["waits"]
    assert entries(database) == ["waits", "key_changed"]


async def test_a_key_that_comes_back_is_not_verified_any_more(database: Database) -> None:
    book = ContactBook(database)
    await book.verify(await book.learn(bob()), KEY)
    await book.accept(await book.learn(bob(key=OTHER_KEY)), OTHER_KEY)

    back = await book.learn(bob())

    assert (back.device_key, back.verified, back.key_changed) == (KEY, False, True)


async def test_only_the_key_that_was_shown_is_accepted(database: Database) -> None:
    book = ContactBook(database)
    await book.verify(await book.learn(bob()), KEY)
    shown = await book.learn(bob(key=OTHER_KEY))
    await book.learn(bob(key=b"t" * 32))

    with pytest.raises(KeyChanged):
        await book.accept(shown, OTHER_KEY)

    contact = book.of_user("bob-id")
    assert contact is not None
    assert (contact.device_key, contact.waits) == (KEY, "key_changed")


async def test_a_key_that_was_refused_is_not_asked_about_again_but_another_one_is(database: Database) -> None:
    book = ContactBook(database)
    await book.verify(await book.learn(bob()), KEY)
    kept = await book.keep(await book.learn(bob(key=OTHER_KEY)))
    again = await book.learn(bob(key=OTHER_KEY))
    third = await book.learn(bob(key=b"t" * 32))

    assert (kept.device_key, kept.verified, kept.waits, kept.key_changed) == (KEY, True, None, False)
    assert again == kept
    assert third.waits == "key_changed"


async def test_comparing_the_offered_key_accepts_and_verifies_it(database: Database) -> None:
    book = ContactBook(database)
    await book.verify(await book.learn(bob()), KEY)

    contact = await book.verify(await book.learn(bob(key=OTHER_KEY)), OTHER_KEY)

    assert (contact.device_key, contact.verified, contact.waits) == (OTHER_KEY, True, None)


async def test_while_a_key_waits_for_the_users_word_nothing_lets_it_in_by_the_way(database: Database) -> None:
    book = ContactBook(database)
    await book.verify(await book.learn(bob()), KEY)
    offered = await book.learn(bob(key=OTHER_KEY))

    for attempt in (book.verify(offered, KEY), book.verify(offered, b"t" * 32), book.unverify(offered)):
        with pytest.raises(KeyChanged):
            await attempt

    assert book.of_user("bob-id") == offered


async def test_one_whose_verification_is_taken_back_is_as_before(database: Database) -> None:
    book = ContactBook(database)
    taken_back = await book.unverify(await book.verify(await book.learn(bob()), KEY))
    changed = await book.learn(bob(key=OTHER_KEY))

    assert not taken_back.verified
    assert (changed.device_key, changed.waits) == (OTHER_KEY, None)


async def test_the_name_of_a_contact_is_never_given_to_somebody_else(database: Database) -> None:
    """Else a directory could make what is written to "bob" go to whomever it likes."""
    book = ContactBook(database)
    right = await book.learn(bob())
    other = await book.learn(msgspec.structs.replace(bob(username="carol"), user_id="carol-id"))

    for user_id in ("mallory-id", "carol-id"):
        with pytest.raises(NameHeld):
            await book.learn(msgspec.structs.replace(bob(username="BOB"), user_id=user_id))

    assert book.named("bob") == right
    assert book.named("carol") == other
    assert book.of_user("mallory-id") is None


async def test_one_who_is_verified_keeps_the_name_under_which_they_were(database: Database) -> None:
    book = ContactBook(database)
    verified = await book.verify(await book.learn(bob()), KEY)

    renamed = await book.learn(bob(username="Mallory", counter=7))

    assert renamed.username == verified.username == "Bob"
    assert renamed.counter == 7


async def test_a_key_that_is_none_is_not_taken_over(database: Database) -> None:
    book = ContactBook(database)
    before = await book.learn(bob())

    for nonsense in ("%%%", base64.b64encode(b"short").decode()):
        assert await book.learn(msgspec.structs.replace(bob(), device_key=nonsense)) == before


async def test_who_is_blocked_stays_so_over_a_restart_until_the_user_ends_it(database: Database) -> None:
    book = ContactBook(database)
    blocked = await book.block(await book.learn(bob()), blocked=True)
    learnt = await book.learn(bob(counter=9))

    assert blocked.waits == learnt.waits == "blocked"
    assert list(ContactBook(database)) == [learnt]
    assert (await book.block(learnt, blocked=False)).waits is None


# --- names after a heal between sites ---


def other_bob() -> User:
    renamed = Namesake("Bob~lima", "bob-id", "lima")
    return msgspec.structs.replace(bob(username="Bob"), user_id="other-bob-id", namesakes=[renamed])


async def test_whoever_was_renamed_at_a_heal_stays_in_the_same_conversation(database: Database) -> None:
    book = ContactBook(database)
    before = await book.learn(bob())

    after = await book.learn(bob(username="Bob~lima"))

    assert (after.id, after.username) == (before.id, "Bob~lima")
    assert book.named("bob") is None
    assert book.named("bob~lima") == after


async def test_of_a_verified_contact_only_a_name_with_a_site_behind_it_is_taken_over(database: Database) -> None:
    book = ContactBook(database)
    verified = await book.verify(await book.learn(bob()), KEY)

    assert (await book.learn(bob(username="Carol"))).username == "Bob"
    assert (await book.learn(bob(username="Carol~lima"))).username == "Bob"
    assert (await book.learn(bob(username="Bob~lima"))).username == "Bob~lima"
    assert (await book.learn(bob(username="Bob"))).username == "Bob~lima"
    assert book.of_user("bob-id") == msgspec.structs.replace(verified, username="Bob~lima")


async def test_the_winner_of_a_name_takes_it_from_a_contact_whom_the_directory_has_renamed(database: Database) -> None:
    book = ContactBook(database)
    renamed = await book.learn(bob())

    winner = await book.learn(other_bob())

    assert winner.id != renamed.id
    assert book.named("Bob") == winner
    assert book.named("Bob~lima") == book.of_user("bob-id") == ContactBook(database).of_user("bob-id")


async def test_a_name_is_not_taken_from_a_contact_by_any_other_story(database: Database) -> None:
    book = ContactBook(database)
    known = await book.learn(bob())
    for namesakes in ([], [Namesake("Carol~lima", "bob-id", "lima")], [Namesake("Bob~lima", "carol-id", "lima")]):
        with pytest.raises(NameHeld):
            await book.learn(msgspec.structs.replace(other_bob(), namesakes=namesakes))

    assert book.named("bob") == known
