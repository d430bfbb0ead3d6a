"""Faults of the network in memory; what it has in common with the real one is in the contract suite."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegraph.peer.memory import Counters, Dishonesty, LoopClock, MemoryNetwork
from telegraph.peer.port import Call, Link, LinkClosed, Reply, Unreachable
from telegraph.protocol.addresses import Address
from telegraph.protocol.identity import Holder
from telegraph.testing.clock import FakeClock, settle

ALICE, BOB, CAROL = (Address(f"{name}.test", 8000) for name in ("alice", "bob", "carol"))
KEYS = {ALICE: b"a" * 32, BOB: b"b" * 32, CAROL: b"c" * 32}


class People:
    """Alice, bob and carol on one network, with links between them as the stories need them."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        self.accepted: asyncio.Queue[Link] = asyncio.Queue()
        self.leave = asyncio.Event()
        self.endpoints = {
            address: network.endpoint(address, Holder("user", address.host, key)) for address, key in KEYS.items()
        }

    async def serve(self) -> "People":
        for endpoint in self.endpoints.values():
            await endpoint.serve(self._keep, self._answer)
        return self

    async def meet(self, one: Address, other: Address) -> tuple[Link, Link]:
        here = await self.endpoints[one].dial(other, KEYS[other])
        return here, await self.accepted.get()

    async def _keep(self, link: Link) -> None:
        self.accepted.put_nowait(link)
        await self.leave.wait()

    async def _answer(self, call: Call) -> Reply:
        return Reply(200, call.body + call.remote.id.encode())

    async def close(self) -> None:
        self.leave.set()
        await self.network.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def people(clock: FakeClock) -> AsyncIterator[People]:
    made = await People(MemoryNetwork(seed=7, clock=clock)).serve()
    yield made
    await made.close()


async def test_a_cut_holds_messages_up_and_its_end_lets_them_arrive(people: People, clock: FakeClock) -> None:
    here, there = await people.meet(ALICE, BOB)
    people.network.cut(ALICE, BOB)
    await here.send(b"one")
    await there.send(b"two")
    await clock.advance(2.9)
    assert people.network.counters.delivered == 0
    people.network.recover()
    assert (await there.receive(), await here.receive()) == (b"one", b"two")
    await clock.advance(10)
    await here.send(b"still there")
    assert await there.receive() == b"still there"


async def test_a_cut_of_three_seconds_breaks_the_link_and_loses_what_was_under_way(
    people: People, clock: FakeClock
) -> None:
    here, there = await people.meet(ALICE, BOB)
    people.network.cut(BOB, ALICE)
    await here.send(b"lost")
    await clock.advance(3)
    for end in (here, there):
        with pytest.raises(LinkClosed):
            await end.receive()
        with pytest.raises(LinkClosed):
            await end.send(b"too late")
    assert people.network.counters == Counters(dials=1, broken=1, sent=1, lost=1)
    people.network.recover()
    again, there = await people.meet(ALICE, BOB)
    await again.send(b"anew")
    assert await there.receive() == b"anew"


async def test_a_cut_of_one_way_lets_the_other_way_pass_until_the_link_breaks(people: People, clock: FakeClock) -> None:
    here, there = await people.meet(ALICE, BOB)
    people.network.cut(ALICE, BOB, one_way=True)
    await here.send(b"never arrives")
    await there.send(b"arrives")
    assert await here.receive() == b"arrives"
    await clock.advance(3)
    with pytest.raises(LinkClosed):
        await there.receive()


async def test_nobody_can_dial_across_a_cut_and_everybody_else_can(people: People) -> None:
    people.network.cut(ALICE, BOB, one_way=True)
    for one, other in ((ALICE, BOB), (BOB, ALICE)):
        with pytest.raises(Unreachable):
            await people.endpoints[one].dial(other, KEYS[other])
    await people.meet(ALICE, CAROL)
    people.network.recover()
    await people.meet(ALICE, BOB)
    assert (people.network.counters.dials, people.network.counters.refused) == (4, 2)


async def test_a_delay_holds_each_message_up_but_not_the_next_one_behind_it(people: People, clock: FakeClock) -> None:
    here, there = await people.meet(ALICE, BOB)
    people.network.delay(0.5)
    await here.send(b"one")
    await clock.advance(0.4)
    await here.send(b"two")
    await clock.advance(0.1)
    assert people.network.counters.delivered == 1
    await clock.advance(0.4)
    assert people.network.counters.delivered == 2
    assert [await there.receive(), await there.receive()] == [b"one", b"two"]


async def test_a_shorter_delay_lets_no_message_overtake(people: People, clock: FakeClock) -> None:
    here, there = await people.meet(ALICE, BOB)
    people.network.delay(1)
    await here.send(b"slow")
    people.network.delay(0)
    await here.send(b"quick")
    await clock.advance(0.9)
    assert people.network.counters.delivered == 0
    await clock.advance(0.1)
    assert [await there.receive(), await there.receive()] == [b"slow", b"quick"]


async def test_a_dial_takes_a_way_there_and_back(people: People, clock: FakeClock) -> None:
    people.network.delay(0.5)
    dialling = asyncio.create_task(people.meet(ALICE, BOB))
    await clock.advance(0.9)
    assert not dialling.done()
    await clock.advance(0.1)
    here, _ = await dialling
    assert here.outgoing


async def test_a_close_arrives_after_the_delayed_messages(people: People, clock: FakeClock) -> None:
    here, there = await people.meet(ALICE, BOB)
    people.network.delay(1)
    await here.send(b"last words")
    await here.close()
    await clock.advance(1)
    assert await there.receive() == b"last words"
    with pytest.raises(LinkClosed):
        await there.receive()


async def test_a_power_loss_breaks_every_link_of_one_machine_and_no_other(people: People) -> None:
    first = await people.meet(ALICE, BOB)
    second = await people.meet(CAROL, ALICE)
    third = await people.meet(BOB, CAROL)
    people.network.break_links(ALICE)
    for link in (*first, *second):
        with pytest.raises(LinkClosed):
            await link.receive()
    await third[0].send(b"we are fine")
    assert await third[1].receive() == b"we are fine"
    assert people.network.counters.broken == 2


async def test_a_machine_that_moved_is_found_at_its_new_address_only(people: People) -> None:
    await people.endpoints[BOB].close()
    moved = people.network.endpoint(CAROL, Holder("user", "bob", KEYS[BOB]))
    await moved.serve(people._keep, people._answer)
    with pytest.raises(Unreachable):
        await people.endpoints[ALICE].dial(BOB, KEYS[BOB])
    link = await people.endpoints[ALICE].dial(CAROL, KEYS[BOB])
    assert link.remote.id == "bob"


async def test_a_manager_may_call_and_may_not_open_links(people: People) -> None:
    manager = Holder("manager", "m1", b"m" * 91)
    reply = await people.network.call(manager, BOB, "/disconnect", b"hello ")
    assert reply.body == b"hello m1"
    with pytest.raises(Unreachable):
        await people.network.endpoint(Address("m1.test", 8000), manager).dial(BOB, KEYS[BOB])
    with pytest.raises(Unreachable):
        await people.network.call(manager, Address("nobody.test", 8000), "/disconnect", b"")


async def send_until_broken(seed: int) -> tuple[int, Counters]:
    network = MemoryNetwork(seed=seed)
    people = await People(network).serve()
    here, there = await people.meet(ALICE, BOB)
    network.drop(0.1)
    sent = 0
    with contextlib.suppress(LinkClosed):
        while sent < 1000:
            await here.send(b"%d" % sent)
            sent += 1
            await settle()
    received = await _rest_of(there)
    assert received == [b"%d" % number for number in range(sent - 1)]
    await people.close()
    return sent, network.counters


async def test_a_drop_breaks_the_link_and_what_arrived_before_is_whole_and_in_order() -> None:
    _, counters = await send_until_broken(1)
    assert (counters.broken, counters.lost) == (1, 1)


async def test_one_seed_is_one_story() -> None:
    stories = [await send_until_broken(seed) for seed in range(8)]
    assert [await send_until_broken(seed) for seed in range(8)] == stories
    assert len({sent for sent, _ in stories}) > 1


FAULTS = st.sampled_from(
    ["send", "send", "send", "reply", "cut", "one_way", "delay", "drop", "recover", "wait", "close"]
)


@settings(max_examples=60)
@given(seed=st.integers(0, 1000), script=st.lists(FAULTS, max_size=40))
def test_whatever_happens_a_link_gives_a_beginning_of_what_was_sent(seed: int, script: list[str]) -> None:
    asyncio.run(_follow(seed, script))


async def _follow(seed: int, script: list[str]) -> None:
    clock = FakeClock()
    network = MemoryNetwork(seed=seed, clock=clock)
    people = await People(network).serve()
    ends = await people.meet(ALICE, BOB)
    sent: dict[Link, list[bytes]] = {end: [] for end in ends}
    for step, event in enumerate(script):
        if event in ("send", "reply"):
            end = ends[event == "reply"]
            with contextlib.suppress(LinkClosed):
                await end.send(b"%d" % step)
                sent[end].append(b"%d" % step)
        elif event == "wait":
            await clock.advance(0.7)
        elif event == "close":
            await ends[0].close()
        else:
            _cause(network, event, step)
    network.recover()
    await clock.advance(60)
    await ends[0].close()
    await clock.advance(60)
    for source, target in (ends, ends[::-1]):
        received = await _rest_of(target)
        assert received == sent[source][: len(received)]
    counters = network.counters
    assert counters.sent == counters.delivered + counters.lost
    if not set(script) & {"drop", "cut", "one_way", "close"}:
        assert counters.lost == 0
    await people.close()


def _cause(network: MemoryNetwork, fault: str, step: int) -> None:
    match fault:
        case "cut" | "one_way":
            network.cut(ALICE, BOB, one_way=fault == "one_way")
        case "delay":
            network.delay(step / 10)
        case "drop":
            network.drop(0.3)
        case "recover":
            network.recover()


async def _rest_of(link: Link) -> list[bytes]:
    received: list[bytes] = []
    try:
        while True:
            received.append(await link.receive())
    except LinkClosed:
        return received


async def test_without_a_clock_the_loops_own_time_passes() -> None:
    clock = LoopClock()
    before = clock.time()
    await clock.sleep(0)
    assert clock.time() >= before
    assert isinstance(MemoryNetwork().clock, LoopClock)


async def test_closing_the_network_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    people = await People(MemoryNetwork()).serve()
    here, _ = await people.meet(ALICE, BOB)
    await here.send(b"unread")
    people.network.cut(ALICE, BOB)
    await people.close()
    await settle()
    assert asyncio.all_tasks() == before


async def test_an_honest_network_repeats_and_reorders_nothing(people: People, clock: FakeClock) -> None:
    here, there = await people.meet(ALICE, BOB)
    people.network.be_dishonest(Dishonesty(repeat=1.0, overtake=1.0))
    people.network.recover()

    for number in range(9):
        await here.send(b"%d" % number)
    await clock.advance(1)
    await here.close()

    assert await _rest_of(there) == [b"%d" % number for number in range(9)]


async def test_a_dishonest_network_brings_a_message_twice(people: People) -> None:
    here, there = await people.meet(ALICE, BOB)
    people.network.be_dishonest(Dishonesty(repeat=1.0))

    await here.send(b"once")

    assert [await there.receive(), await there.receive()] == [b"once", b"once"]
    assert people.network.counters.repeated == 1


async def test_on_a_dishonest_network_a_message_is_overtaken_by_the_next(people: People, clock: FakeClock) -> None:
    here, there = await people.meet(ALICE, BOB)
    people.network.be_dishonest(Dishonesty(overtake=1.0, late=0.5))
    await here.send(b"first")
    people.network.recover()
    await here.send(b"second")

    assert await there.receive() == b"second"
    await clock.advance(0.5)
    assert await there.receive() == b"first"


async def test_a_dishonest_network_loses_one_message_and_keeps_its_link(people: People) -> None:
    here, there = await people.meet(ALICE, BOB)
    people.network.be_dishonest(Dishonesty(lose=1.0))
    await here.send(b"lost")
    people.network.recover()
    await here.send(b"next")

    assert await there.receive() == b"next"
    assert people.network.counters.lost == 1


@pytest.mark.parametrize("ends", ["with the link", "in time"])
async def test_a_dishonest_network_counts_every_message(people: People, clock: FakeClock, ends: str) -> None:
    here, there = await people.meet(ALICE, BOB)
    people.network.be_dishonest(Dishonesty(repeat=0.4, overtake=0.4, lose=0.3))
    for number in range(100):
        await here.send(b"%d" % number)

    if ends == "with the link":
        people.network.break_links(ALICE)
    await clock.advance(1)
    await here.close()

    received = await _rest_of(there)
    counters = people.network.counters
    assert counters.sent + counters.repeated == counters.delivered + counters.lost
    assert counters.overtaken > 0
    if ends == "in time":
        assert len(received) == counters.delivered
        assert received != sorted(received, key=int)
