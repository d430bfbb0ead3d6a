"""Contacts whose account was deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from town import until

from telegraph.node import streams, voids
from telegraph.node.departed import Departed

if TYPE_CHECKING:
    from town import Town


async def test_what_waits_for_somebody_who_is_gone_fails_with_that_reason(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "one")
    await until(lambda: alice.states(bob) == ["delivered"])
    await bob.stop()
    await alice.send(bob, "two", "three")
    contact = await alice.know(bob)
    departed = Departed(alice.db)
    assert contact.id not in departed
    assert await departed.note(contact.id)
    assert contact.id in departed
    assert alice.states(bob) == ["delivered", "failed", "failed"]
    assert [message.reason for message in alice.shown(bob)] == [None, "account_deleted", "account_deleted"]
    assert contact.id in Departed(alice.db)  # also after a restart


async def test_nothing_is_left_to_carry_to_them(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await bob.send(alice, "hello")
    await until(lambda: alice.texts(bob) == ["hello"])
    await bob.stop()
    await alice.send(bob, "one", "two")
    contact = await alice.know(bob)
    await alice.db.write(lambda connection: streams.read_here(connection, contact.id))
    await Departed(alice.db).note(contact.id)
    assert streams.waiting(alice.db.reader) == []
    assert not voids.any_due(alice.db.reader, contact.id)
    assert streams.receipt_due(alice.db.reader, contact.id) == 0


async def test_hearing_of_it_again_changes_nothing(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    contact = await alice.know(bob)
    departed = Departed(alice.db)
    assert await departed.note(contact.id)
    assert not await departed.note(contact.id)


async def test_the_others_are_not_touched(town: Town) -> None:
    alice, bob, carol = await town.join("alice"), await town.join("bob"), await town.join("carol")
    await bob.stop()
    await carol.stop()
    for friend in (bob, carol):
        await alice.send(friend, "one")
    gone = await alice.know(bob)
    await Departed(alice.db).note(gone.id)
    assert alice.states(bob) == ["failed"]
    assert alice.states(carol) == ["pending"]
