"""Devices that were given up: refused when they come, not dialled, and forgotten when no certificate can be valid."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from town import Mallory, until

from telegraph.errors import RevokedKey
from telegraph.node import streams
from telegraph.node.account import device_key, replace_device_key
from telegraph.node.keys import DeviceKey
from telegraph.node.revocations import Revocations, forget_expired
from telegraph.peer.port import LinkClosed, Unreachable
from telegraph.protocol.frames import ErrorFrame
from telegraph.protocol.identity import Holder, key_fingerprint
from telegraph.protocol.manager_events import Revoked
from telegraph.protocol.manager_events import RevokedKey as Told

if TYPE_CHECKING:
    from town import Person, Town

LATER, EARLIER = "2099-01-01T00:00:00.000000Z", "2001-01-01T00:00:00.000000Z"


def told_of(person: Person, until_when: str = LATER, cursor: str = "d:1") -> Revoked:
    return Revoked([Told(person.user_id, key_fingerprint(person.key.public), until_when)], cursor)


async def test_what_the_managers_told_is_still_known_after_a_restart(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.revoked.store(told_of(bob))
    again = Revocations(alice.db)
    assert bob.holder in again
    assert again.cursor == "d:1"
    assert alice.holder not in again
    assert Holder("user", "somebody-else", bob.key.public) not in again
    assert "nonsense" not in again


async def test_a_piece_without_a_cursor_leaves_the_old_one(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    assert alice.revoked.cursor == ""
    await alice.revoked.store(told_of(bob, cursor="d:7"))
    await alice.revoked.store(told_of(alice, cursor=""))
    assert alice.revoked.cursor == "d:7"


async def test_a_key_of_which_no_certificate_can_be_valid_is_forgotten(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.revoked.store(told_of(alice, EARLIER))
    await alice.revoked.store(told_of(bob, LATER))
    await alice.db.write(lambda connection: forget_expired(connection, datetime(2026, 1, 1, tzinfo=UTC)))
    left = Revocations(alice.db)
    assert (bob.holder in left, alice.holder in left) == (True, False)


async def test_a_revoked_device_is_refused_before_anything_is_stored(town: Town) -> None:
    bob, mallory = await town.join("bob"), await town.join("mallory")
    bob.revoked.note(told_of(mallory))
    town.managers_live = False
    caller = await Mallory.dial(town, bob)
    (answer,) = await caller.hear()
    assert isinstance(answer, ErrorFrame)
    assert answer.error == "revoked_key"
    with pytest.raises(LinkClosed):
        await caller.hear()
    body = {"from": "mallory", "to": "bob", "text": "Hello"}
    assert (await town.call(mallory.holder, bob, "/receive_message", **body))[0] == 403
    assert bob.contacts.of_user(mallory.user_id) is None


async def test_a_contact_whose_key_is_revoked_is_refused_though_it_is_the_pinned_one(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "one")
    await until(lambda: bob.texts(alice) == ["one"])
    town.managers_live = False
    bob.revoked.note(told_of(alice))
    with pytest.raises(RevokedKey):
        await bob.peers.identify(alice.holder, "alice")


async def test_an_open_link_closes_when_its_device_is_revoked_and_what_comes_after_is_not_stored(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "one")
    await until(lambda: alice.states(bob) == ["delivered"])
    contact = bob.contacts.of_user(alice.user_id)
    assert contact is not None
    town.managers_live = False
    bob.revoked.note(told_of(alice))
    await bob.peers.close_revoked()
    assert bob.peers.links.of(contact.id) is None
    await alice.send(bob, "two")
    link = alice.contacts.of_user(bob.user_id)
    assert link is not None
    with pytest.raises(Unreachable):
        await alice.peers.dial(link)
    assert bob.texts(alice) == ["one"]
    assert alice.states(bob) == ["delivered", "pending"]


async def test_the_links_of_others_stay_open(town: Town) -> None:
    alice, bob, carol = await town.join("alice"), await town.join("bob"), await town.join("carol")
    for friend in (alice, carol):
        await friend.send(bob, "one")
        await until(lambda friend=friend: bob.texts(friend) == ["one"])  # type: ignore[misc]
    bob.revoked.note(told_of(alice))
    await bob.peers.close_revoked()
    stays = bob.contacts.of_user(carol.user_id)
    assert stays is not None
    assert bob.peers.links.of(stays.id) is not None


async def test_nothing_is_sent_to_a_device_that_was_given_up(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    contact = await alice.know(bob)
    alice.revoked.note(told_of(bob))
    with pytest.raises(Unreachable, match="revoked"):
        await alice.peers.dial(contact)


async def test_a_device_revoked_while_it_greets_gets_no_link(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.know(bob)
    contact = await bob.know(alice)
    greeted = bob.peers._take_in

    def revoked_just_now(opened: object) -> bool:
        bob.revoked.note(told_of(alice))
        return greeted(opened)  # type: ignore[arg-type]

    bob.peers._take_in = revoked_just_now  # type: ignore[method-assign]
    await alice.send(bob, "one")
    await until(lambda: alice.holder in bob.revoked)
    assert bob.peers.links.of(contact.id) is None
    assert bob.texts(alice) == []


async def test_another_key_begins_anew_with_everybody_and_what_waits_goes_under_it(town: Town) -> None:
    """As the other end begins anew when it hears of the key."""
    alice, bob = await town.join("alice"), await town.join("bob")
    await device_key(alice.db)
    await alice.send(bob, "one")
    await until(lambda: alice.states(bob) == ["delivered"])
    await bob.stop()
    await alice.send(bob, "two", "three")
    await alice.stop()
    before = await device_key(alice.db)
    new = await replace_device_key(alice.db)
    assert new.public != before.public
    assert (await device_key(alice.db)).public == new.public
    contact = alice.contacts.of_user(bob.user_id)
    assert contact is not None
    frames = streams.pending(alice.db.reader, contact.id, "a", "b", after=0, limit=9)
    assert [(frame.seq, frame.text) for frame in frames] == [(1, "two"), (2, "three")]
    assert streams.received(alice.db.reader, contact.id) == 0
    assert alice.states(bob) == ["delivered", "pending", "pending"]
    row = alice.db.read("SELECT device_key, key_changed FROM contacts WHERE id = ?", contact.id)
    assert row == [(bob.key.public, 0)]  # theirs did not change


async def test_a_message_whose_acknowledgement_was_lost_before_the_key_changed_is_stored_once_and_delivered(
    town: Town,
) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "one")
    await until(lambda: alice.states(bob) == ["delivered"])
    await alice.stop()
    await alice.db.write(lambda connection: connection.execute("UPDATE contacts SET out_stored = 0"))
    assert alice.states(bob) == ["pending"]  # as if the acknowledgement had never come
    await device_key(alice.db)
    alice.key = await replace_device_key(alice.db)
    await bob.contacts.learn(alice.in_directory())
    await alice.start()
    await alice.send(bob, "two")
    await until(lambda: bob.texts(alice)[-1:] == ["two"])
    assert [text for text in bob.texts(alice) if text] == ["one", "two"]  # an empty one says that her key changed
    await until(lambda: alice.states(bob) == ["delivered", "delivered"])


async def test_a_contact_who_never_logged_in_has_nothing_to_begin_anew(town: Town) -> None:
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.know(bob)
    await alice.db.write(lambda connection: connection.execute("UPDATE contacts SET device_key = NULL"))
    await replace_device_key(alice.db)
    assert alice.db.read("SELECT device_key FROM contacts") == [(None,)]


def test_fingerprints_name_keys_apart() -> None:
    keys = [DeviceKey.create().public for _ in range(3)]
    assert len({key_fingerprint(key) for key in keys}) == 3
