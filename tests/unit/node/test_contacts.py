import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telegraph.node.contacts import ContactBook
from telegraph.node.database import Database
from telegraph.protocol.addresses import Address
from telegraph.protocol.manager_api import User

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
