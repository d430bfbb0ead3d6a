"""What every implementation of the peer port promises, shown on each of them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import aiohttp
import msgspec
import pytest

from telegraph.errors import UnknownPath
from telegraph.peer.credentials import client_context
from telegraph.peer.memory import MemoryNetwork
from telegraph.peer.port import Call, Endpoint, Link, LinkClosed, OnLink, Reply, Unreachable
from telegraph.peer.refusal import refusal
from telegraph.peer.tls import TlsEndpoint
from telegraph.protocol.addresses import Address
from telegraph.protocol.frames import MAX_FRAME_BYTES
from telegraph.protocol.identity import Holder
from telegraph.testing.certificates import Device, Organisation

MIB = 1024 * 1024


class World(Protocol):
    """Where devices can be: in memory or on this machine's loopback."""

    async def join(self, name: str) -> "Member": ...

    async def call(self, caller: Device, target: Address, path: str, body: bytes) -> tuple[int, bytes]: ...

    def nobody(self) -> Address: ...

    async def close(self) -> None: ...


class Member:
    """A device in a world; links that others opened are waiting in ``accepted``."""

    def __init__(self, endpoint: Endpoint, address: Address, device: Device) -> None:
        self.endpoint, self.address, self.device = endpoint, address, device
        self.accepted: asyncio.Queue[Link] = asyncio.Queue()
        self.calls: list[Call] = []
        self.leave = asyncio.Event()

    @property
    def key(self) -> bytes:
        return self.device.key.public

    async def serve(self, on_link: OnLink | None = None) -> "Member":
        await self.endpoint.serve(on_link or self._keep, self._answer)
        return self

    async def dial(self, other: "Member") -> Link:
        return await self.endpoint.dial(other.address, other.key)

    async def meet(self, other: "Member") -> tuple[Link, Link]:
        """Both ends of a new link."""
        here = await self.dial(other)
        return here, await other.accepted.get()

    async def _keep(self, link: Link) -> None:
        self.accepted.put_nowait(link)
        await self.leave.wait()

    async def _answer(self, call: Call) -> Reply:
        self.calls.append(call)
        if call.path == "/echo":
            return Reply(200, call.body)
        if call.path == "/broken":
            raise RuntimeError("a mistake")
        return refusal(UnknownPath(), call.accept_language)


class MemoryWorld:
    def __init__(self) -> None:
        self._network = MemoryNetwork()
        self._organisation = Organisation()
        self._members: list[Member] = []

    async def join(self, name: str) -> Member:
        device = self._organisation.device(name)
        address = Address(f"{name}.test", 8000)
        member = Member(self._network.endpoint(address, device.holder), address, device)
        self._members.append(member)
        return member

    async def call(self, caller: Device, target: Address, path: str, body: bytes) -> tuple[int, bytes]:
        reply = await self._network.call(caller.holder, target, path, body)
        return reply.status, reply.body

    def nobody(self) -> Address:
        return Address("nobody.test", 8000)

    async def close(self) -> None:
        for member in self._members:
            member.leave.set()
            await member.endpoint.close()
        await self._network.close()


class TlsWorld:
    def __init__(self) -> None:
        self._organisation = Organisation()
        self._members: list[Member] = []

    async def join(self, name: str) -> Member:
        device = self._organisation.device(name)
        bound = socket.create_server(("127.0.0.1", 0))
        address = Address(*bound.getsockname()[:2])
        member = Member(TlsEndpoint(bound, device.credentials), address, device)
        self._members.append(member)
        return member

    async def call(self, caller: Device, target: Address, path: str, body: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"https://{target}{path}", data=body, headers=headers, ssl=client_context(caller.credentials)
            ) as answer,
        ):
            assert answer.content_type == "application/json"
            return answer.status, await answer.read()

    def nobody(self) -> Address:
        with socket.create_server(("127.0.0.1", 0)) as free:
            return Address(*free.getsockname()[:2])

    async def close(self) -> None:
        for member in self._members:
            member.leave.set()
            await member.endpoint.close()


@pytest.fixture(params=[MemoryWorld, TlsWorld], ids=["memory", "tls"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    made: World = request.param()
    yield made
    await made.close()


@pytest.fixture
async def alice(world: World) -> Member:
    return await (await world.join("alice")).serve()


@pytest.fixture
async def bob(world: World) -> Member:
    return await (await world.join("bob")).serve()


async def test_both_ends_of_a_link_know_who_the_other_is(alice: Member, bob: Member) -> None:
    here, there = await alice.meet(bob)
    assert (here.remote, here.outgoing) == (bob.device.holder, True)
    assert (there.remote, there.outgoing) == (alice.device.holder, False)
    assert here.remote == Holder("user", "id-bob", bob.key)


async def test_messages_arrive_both_ways_whole_and_in_order(alice: Member, bob: Member) -> None:
    here, there = await alice.meet(bob)
    ours = [bytes([number % 256]) * (number * 37 % 5000) for number in range(500)]
    theirs = [message[::-1] + b"!" for message in ours]

    async def pass_all(link: Link, messages: list[bytes]) -> None:
        for message in messages:
            await link.send(message)

    async def take_all(link: Link) -> list[bytes]:
        return [await link.receive() for _ in range(500)]

    _, _, came_there, came_here = await asyncio.gather(
        pass_all(here, ours), pass_all(there, theirs), take_all(there), take_all(here)
    )
    assert came_there == ours
    assert came_here == theirs


async def test_an_empty_message_is_a_message(alice: Member, bob: Member) -> None:
    here, there = await alice.meet(bob)
    await here.send(b"")
    assert await there.receive() == b""


async def test_a_message_of_one_mebibyte_passes_and_one_byte_more_is_not_even_sent(alice: Member, bob: Member) -> None:
    here, there = await alice.meet(bob)
    with pytest.raises(ValueError, match="at most"):
        await here.send(bytes(MAX_FRAME_BYTES + 1))
    await there.send(bytes(MAX_FRAME_BYTES))
    await here.send(bytes(MAX_FRAME_BYTES))
    assert len(await there.receive()) == MAX_FRAME_BYTES
    assert len(await here.receive()) == MAX_FRAME_BYTES


async def test_a_sender_waits_for_a_slow_reader_and_goes_on_when_it_reads(alice: Member, bob: Member) -> None:
    here, there = await alice.meet(bob)
    sent = 0

    async def flood() -> None:
        nonlocal sent
        for _ in range(64):
            await here.send(bytes(MIB))
            sent += 1

    flooding = asyncio.create_task(flood())
    stopped_at = await _standstill(lambda: sent)
    assert stopped_at < 64
    assert not flooding.done()
    for _ in range(64):
        assert len(await there.receive()) == MIB
    await flooding


async def test_two_ends_that_flood_each_other_and_read_do_not_lock_up(alice: Member, bob: Member) -> None:
    here, there = await alice.meet(bob)

    async def flood(link: Link) -> None:
        for _ in range(30):
            await link.send(bytes(MIB))

    async def drain(link: Link) -> int:
        return sum([len(await link.receive()) for _ in range(30)])

    async with asyncio.timeout(30):
        came_here, came_there, *_ = await asyncio.gather(drain(here), drain(there), flood(here), flood(there))
    assert (came_here, came_there) == (30 * MIB, 30 * MIB)


async def test_a_sender_that_waits_learns_that_the_link_was_closed(alice: Member, bob: Member) -> None:
    here, there = await alice.meet(bob)
    sent = 0

    async def flood() -> None:
        nonlocal sent
        while True:
            await here.send(bytes(MIB))
            sent += 1

    flooding = asyncio.create_task(flood())
    await _standstill(lambda: sent)
    await there.close()
    async with asyncio.timeout(5):
        with pytest.raises(LinkClosed):
            await flooding


@pytest.mark.parametrize("dialler_closes", [True, False])
async def test_a_close_is_seen_at_both_ends_after_what_was_sent_before(
    alice: Member, bob: Member, dialler_closes: bool
) -> None:
    ends = await alice.meet(bob)
    closer, other = ends if dialler_closes else ends[::-1]
    await closer.send(b"one")
    await closer.send(b"two")
    await closer.close()
    assert [await other.receive(), await other.receive()] == [b"one", b"two"]
    for end in (other, closer):
        with pytest.raises(LinkClosed):
            await end.receive()
        with pytest.raises(LinkClosed):
            await end.send(b"three")


async def test_whoever_waits_for_a_message_learns_of_the_close(alice: Member, bob: Member) -> None:
    here, there = await alice.meet(bob)
    waiting = [asyncio.create_task(link.receive()) for link in (here, there)]
    await asyncio.sleep(0)
    await there.close()
    for task in waiting:
        with pytest.raises(LinkClosed):
            await task


async def test_closing_again_changes_nothing(alice: Member, bob: Member) -> None:
    here, there = await alice.meet(bob)
    await asyncio.gather(here.close(), here.close(), there.close())
    await here.close()
    with pytest.raises(LinkClosed):
        await there.receive()


async def test_a_link_is_closed_when_its_handler_returns(world: World, alice: Member) -> None:
    async def say_once(link: Link) -> None:
        await link.send(b"that was all")

    carol = await (await world.join("carol")).serve(say_once)
    link = await alice.dial(carol)
    assert await link.receive() == b"that was all"
    with pytest.raises(LinkClosed):
        await link.receive()


async def test_a_handler_that_fails_closes_its_own_link_and_no_other(world: World, alice: Member) -> None:
    async def stumble(link: Link) -> None:
        if await link.receive() == b"stumble":
            raise RuntimeError("a mistake")
        await link.send(b"still here")

    carol = await (await world.join("carol")).serve(stumble)
    first, second = await alice.dial(carol), await alice.dial(carol)
    await first.send(b"stumble")
    with pytest.raises(LinkClosed):
        await first.receive()
    await second.send(b"go on")
    assert await second.receive() == b"still here"


async def test_somebody_with_another_key_is_not_taken_for_bob(alice: Member, bob: Member) -> None:
    with pytest.raises(Unreachable):
        await alice.endpoint.dial(bob.address, alice.key)
    here = await alice.dial(bob)
    await here.send(b"the only thing that bob hears")
    heard: list[bytes] = []
    while not heard:  # bob may have seen the first dial as a link that ended at once
        there = await bob.accepted.get()
        with contextlib.suppress(LinkClosed):
            heard.append(await there.receive())
    assert heard == [b"the only thing that bob hears"]


async def test_nobody_is_reached_where_nobody_is(world: World, alice: Member) -> None:
    with pytest.raises(Unreachable):
        await alice.endpoint.dial(world.nobody(), alice.key)


async def test_nobody_is_reached_after_leaving_and_open_links_end(alice: Member, bob: Member) -> None:
    here, there = await alice.meet(bob)
    bob.leave.set()
    await bob.endpoint.close()
    for end in (here, there):
        with pytest.raises(LinkClosed):
            await end.receive()
    with pytest.raises(Unreachable):
        await alice.dial(bob)
    with pytest.raises(Unreachable):
        await bob.dial(alice)


async def test_many_links_at_once_do_not_mix_their_messages(world: World, alice: Member) -> None:
    async def echo(link: Link) -> None:
        while True:
            await link.send(link.remote.id.encode() + await link.receive())

    server = await (await world.join("server")).serve(echo)
    people = [alice, *[await (await world.join(f"guest{number}")).serve() for number in range(19)]]

    async def talk(member: Member) -> None:
        link = await member.dial(server)
        for number in range(20):
            await link.send(b" %d" % number)
            assert await link.receive() == member.device.user_id.encode() + b" %d" % number
        await link.close()

    await asyncio.gather(*(talk(member) for member in people))


async def test_a_call_is_answered_and_carries_who_called(world: World, alice: Member, bob: Member) -> None:
    assert await world.call(alice.device, bob.address, "/echo", b'{"n":1}') == (200, b'{"n":1}')
    (call,) = bob.calls
    assert (call.path, call.body, call.remote) == ("/echo", b'{"n":1}', alice.device.holder)


async def test_a_call_that_nobody_knows_gets_the_documented_error(world: World, alice: Member, bob: Member) -> None:
    status, body = await world.call(alice.device, bob.address, "/nothing", b"{}")
    assert status == 404
    assert msgspec.json.decode(body)["error"] == "unknown_path"


async def _standstill(count: Callable[[], int]) -> int:
    """The count once it has stood still for a while."""
    last, quiet = -1, 0
    while quiet < 10:
        await asyncio.sleep(0.02)
        quiet = quiet + 1 if count() == last else 0
        last = count()
    return last
