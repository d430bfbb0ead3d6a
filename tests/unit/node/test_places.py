"""No manager at all: alice, bob and carol tell each other where they are; mallory lies."""

import asyncio

import pytest
from structlog.testing import capture_logs
from town import Mallory, Person, Town, until

from telegraph.node import peers, whereabouts
from telegraph.node.keys import DeviceKey
from telegraph.protocol.frames import Moved, SignedAddress, Whereabouts, WhereIs


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "FIRST_ROUND", 0.01)


@pytest.fixture
async def friends(town: Town) -> tuple[Person, Person]:
    """Alice and bob have written to each other; then the managers went away."""
    alice, bob = await town.join("alice"), await town.join("bob")
    await alice.send(bob, "hello")
    await bob.send(alice, "hi")
    await until(lambda: alice.states(bob) == bob.states(alice) == ["delivered"])
    town.managers_live = False
    return alice, bob


async def test_one_who_moved_is_found_by_those_they_visit(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    await bob.move("elsewhere.example")
    await until(lambda: alice.believed(bob) == "elsewhere.example")

    await alice.stop()
    await alice.start()
    await alice.send(bob, "found you", "again")

    await until(lambda: alice.states(bob) == ["delivered"] * 3)


async def test_a_move_while_the_link_is_open_is_told_at_once(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    links = alice.peers.links.all()
    bob.address = type(bob.address)("new.example", 9000)

    await bob.own.refresh()

    await until(lambda: alice.believed(bob) == "new.example")
    assert alice.peers.links.all() == links


async def test_one_who_moved_is_found_through_a_common_acquaintance(town: Town) -> None:
    alice, bob, carol = [await town.join(name) for name in ("alice", "bob", "carol")]
    for one, other in ((alice, carol), (carol, alice), (bob, carol), (carol, bob)):
        await one.send(other, "hi")
    await alice.send(bob, "we know each other")
    await until(lambda: [*alice.states(bob), *alice.states(carol), *carol.states(bob)] == ["delivered"] * 3)
    town.managers_live = False
    town.network.cut(bob.address, alice.address)
    bob_went = type(bob.address)("elsewhere.example", 9000)
    town.network.cut(bob_went, alice.address, one_way=True)  # bob cannot dial alice: she must find him

    await alice.peers.links.close()
    await bob.move("elsewhere.example")
    await until(lambda: carol.believed(bob) == "elsewhere.example")
    assert alice.believed(bob) == "bob.example"
    town.network.recover()
    await alice.send(carol, "a link to carol")
    await alice.send(bob, "found you")

    await until(lambda: alice.states(bob) == ["delivered"] * 2)


async def test_an_older_address_that_was_signed_changes_nothing(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    old = bob.own.signed
    assert old is not None
    await bob.move("elsewhere.example")
    await until(lambda: alice.believed(bob) == "elsewhere.example")

    contact = await alice.know(bob)
    for first_hand in (True, False):
        verdict = await alice.db.write(
            lambda db, hand=first_hand: whereabouts.take_address(db, contact.id, old, first_hand=hand)  # type: ignore[misc]
        )
        assert verdict == "old"
    assert alice.believed(bob) == "elsewhere.example"


async def test_a_node_restored_from_a_backup_goes_above_what_others_know(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    signed = bob.own.signed
    assert signed is not None
    contact = await alice.know(bob)
    ahead = bob.key.sign_address(bob.user_id, "gone.example", 1, signed.counter + 10**6)
    await alice.db.write(lambda db: whereabouts.take_address(db, contact.id, ahead, first_hand=True))
    alice.contacts.reload(contact.id)
    assert alice.believed(bob) == "gone.example"

    await bob.stop()
    await bob.start()
    await bob.send(alice, "here I am")

    await until(lambda: alice.believed(bob) == "bob.example")
    assert bob.own.signed is not None
    assert bob.own.signed.counter > ahead.counter


def from_mallory(town: Town, counter: int, host: str = "trap.example", key: DeviceKey | None = None) -> SignedAddress:
    return (key or town.people["mallory"].key).sign_address("mallory-id", host, 666, counter)


async def test_forged_addresses_are_refused_and_logged_without_values(
    town: Town, bob_and_mallory: tuple[Person, Person]
) -> None:
    bob, mallory = bob_and_mallory
    await bob.know(mallory)
    forged = from_mallory(town, 2**60, key=DeviceKey.create())

    with capture_logs() as logs:
        talk = await Mallory.dial(town, bob, address=forged)
        await talk.hear()
        await talk.say(Moved(forged), talk.message())
        await until(lambda: bob.texts(mallory) == ["x"])  # the link goes on

    refused = [entry for entry in logs if entry["event"] == "address_refused"]
    assert [entry["why"] for entry in refused] == ["forged", "forged"]
    assert all("trap.example" not in str(entry) and str(2**60) not in str(entry) for entry in refused)
    assert bob.believed(mallory) == "mallory.example"


async def test_a_replayed_address_is_refused(town: Town, bob_and_mallory: tuple[Person, Person]) -> None:
    bob, mallory = bob_and_mallory
    talk = await Mallory.dial(town, bob, address=from_mallory(town, 2**50 + 2, "new.example"))
    await talk.hear()

    await talk.say(Moved(from_mallory(town, 2**50 + 1, "old.example")), talk.message())

    await until(lambda: bob.texts(mallory) == ["x"])
    assert bob.believed(mallory) == "new.example"


async def test_nobody_says_where_somebody_else_is_unless_asked(
    town: Town, bob_and_mallory: tuple[Person, Person]
) -> None:
    bob, mallory = bob_and_mallory
    alice = await town.join("alice")
    await bob.know(alice)
    talk = await Mallory.dial(town, bob)
    await talk.hear()

    stolen = alice.key.sign_address("alice-id", "real.example", 1, 2**60)  # really alice's, yet not asked for
    await talk.say(Whereabouts("alice-id", stolen), Moved(stolen), talk.message())

    await until(lambda: bob.texts(mallory) == ["x"])
    assert bob.believed(alice) == "alice.example"


async def test_an_answer_that_was_asked_for_must_be_signed_by_the_pinned_key(
    town: Town, bob_and_mallory: tuple[Person, Person]
) -> None:
    bob, mallory = bob_and_mallory
    alice = await town.join("alice")
    contact = await bob.know(alice)
    talk = await Mallory.dial(town, bob)
    await talk.hear()
    town.managers_live = False
    bob.peers.places.ask(contact.id)

    await talk.say(
        Whereabouts("alice-id", DeviceKey.create().sign_address("alice-id", "trap.example", 1, 2**60)), talk.message()
    )

    await until(lambda: bob.texts(mallory) == ["x"])
    assert bob.believed(alice) == "alice.example"


@pytest.mark.parametrize("why", ["managers live", "never wrote to mallory", "never wrote to alice", "unknown"])
async def test_a_question_is_met_with_silence_unless_all_know_each_other_and_no_manager_answers(
    town: Town, bob_and_mallory: tuple[Person, Person], why: str
) -> None:
    bob, mallory = bob_and_mallory
    alice = await town.join("alice")
    await bob.know(alice)
    await bob.know(mallory)
    if why != "never wrote to alice":
        await bob.send(alice, "hi")
        await until(lambda: bob.states(alice) == ["delivered"])
    if why != "never wrote to mallory":
        await bob.send(mallory, "hi")
        await until(lambda: bob.states(mallory) == ["delivered"])
    await bob.peers.links.close()
    town.managers_live = why == "managers live"
    talk = await Mallory.dial(town, bob)
    await talk.hear()

    asked = "nobody-id" if why == "unknown" else "alice-id"
    await talk.say(WhereIs(asked), talk.message())

    answers = await talk.hear()
    assert not [frame for frame in answers if isinstance(frame, Whereabouts)]


async def test_questions_are_answered_at_a_bounded_pace(town: Town, bob_and_mallory: tuple[Person, Person]) -> None:
    bob, mallory = bob_and_mallory
    alice = await town.join("alice")
    await bob.send(alice, "hi")
    await bob.send(mallory, "hi")
    await until(lambda: bob.states(alice) == bob.states(mallory) == ["delivered"])
    await bob.peers.links.close()
    await alice.stop()
    town.managers_live = False
    talk = await Mallory.dial(town, bob)
    await talk.hear()

    await talk.say(*[WhereIs("alice-id")] * 500, talk.message())

    answers: list[object] = []
    async with asyncio.timeout(5):
        while not any(type(frame).__name__ == "Stored" for frame in answers):
            answers += await talk.hear()
    assert 1 <= sum(isinstance(frame, Whereabouts) for frame in answers) <= 40


async def test_one_who_claims_to_know_higher_counters_again_and_again_causes_few_signatures(
    town: Town, bob_and_mallory: tuple[Person, Person]
) -> None:
    bob, mallory = bob_and_mallory
    signed: list[int] = []
    for number in range(10):
        assert bob.own.signed is not None
        signed.append(bob.own.signed.counter)
        talk = await Mallory.dial(town, bob, knows=signed[-1] + 1 + number)
        await talk.hear()
        await talk.link.close()

    assert len(set(signed)) <= 5
    assert mallory.user_id
