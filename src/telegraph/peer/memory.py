"""A network of nodes in memory, with the faults of a real one, for tests.

It keeps what the port promises: a link never reorders, repeats or loses a message in its middle. Faults break links
(losing what is in flight), hold them up, or refuse dials. With one seed and one order of calls the same things happen.
Only :meth:`MemoryNetwork.be_dishonest` breaks the promise on purpose, to show that nodes do not lean on it.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Protocol

import msgspec
import structlog

from telegraph.peer.inbox import Inbox
from telegraph.peer.port import Call, Link, LinkClosed, OnCall, OnLink, Reply, Unreachable
from telegraph.protocol.addresses import Address
from telegraph.protocol.frames import MAX_FRAME_BYTES
from telegraph.protocol.identity import Holder
from telegraph.tracing import code_path

log = structlog.get_logger(__name__)

_HANDLER_TIMEOUT = 1.0
"""Seconds that a link's handler has to end after its endpoint was closed, as over TLS."""


class Clock(Protocol):
    """Where waiting happens; :class:`telegraph.testing.clock.FakeClock` is one."""

    def time(self) -> float:
        """Seconds, never going back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


class LoopClock:
    """The event loop's own time."""

    def time(self) -> float:
        """See :class:`Clock`."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """See :class:`Clock`."""
        await asyncio.sleep(seconds)


class Counters(msgspec.Struct):
    """What has happened so far. ``sent`` + ``repeated`` = ``delivered`` + ``lost`` + what is in flight."""

    dials: int = 0
    refused: int = 0
    broken: int = 0
    sent: int = 0
    delivered: int = 0
    lost: int = 0
    repeated: int = 0
    overtaken: int = 0


class Dishonesty(msgspec.Struct, frozen=True):
    """What no TCP connection does: the chances that one message comes twice, is overtaken, or is lost in the middle.

    One that is overtaken comes ``late`` seconds after its time, unless its link is gone by then.
    """

    repeat: float = 0.0
    overtake: float = 0.0
    lose: float = 0.0
    late: float = 0.05


class MemoryNetwork:
    """The one network that endpoints made by :meth:`endpoint` share."""

    def __init__(self, *, seed: int = 0, clock: Clock | None = None, silence: float = 3.0) -> None:
        """``silence`` is the seconds after which a link that was cut is dead."""
        self.counters = Counters()
        self.clock: Clock = clock or LoopClock()
        self.silence = silence
        self.latency = 0.0
        self._rng = Random(seed)  # noqa: S311 - repeatable faults, no keys
        self._chance = 0.0
        self._dishonesty = Dishonesty()
        self._cuts: set[tuple[Address, Address]] = set()
        self._endpoints: dict[Address, MemoryEndpoint] = {}
        self._wires: dict[Wire, None] = {}  # in the order of their making, so that a seed repeats

    def endpoint(self, address: Address, holder: Holder) -> "MemoryEndpoint":
        """A device at an address; one that was there before is gone from the address."""
        return MemoryEndpoint(self, address, holder)

    # --- faults ---

    def drop(self, chance: float) -> None:
        """From now on, each message breaks its link with this chance, and is lost with all that is in flight on it."""
        self._chance = chance

    def delay(self, seconds: float) -> None:
        """From now on, each message is under way for so long."""
        self.latency = seconds

    def be_dishonest(self, dishonesty: Dishonesty) -> None:
        """From now on, links break the port's promise: see :class:`Dishonesty`."""
        self._dishonesty = dishonesty

    def cut(self, one: Address, other: Address, *, one_way: bool = False) -> None:
        """Nothing passes from one to the other any more, nor back unless ``one_way``.

        Dials between them are refused. Open links stand still: after :attr:`silence` seconds they break, unless the
        network recovers before that; then what was in flight arrives.
        """
        self._cuts.add((one, other))
        if not one_way:
            self._cuts.add((other, one))
        for wire in self._wires:
            wire.weather()

    def recover(self) -> None:
        """Ends every fault: no drops, no cuts, no delay, no dishonesty for what is sent from now on."""
        self._chance, self.latency, self._dishonesty = 0.0, 0.0, Dishonesty()
        self._cuts.clear()
        for wire in self._wires:
            wire.weather()

    def break_links(self, address: Address) -> None:
        """Breaks every link of one endpoint at once, as when its machine loses power; what is in flight is lost."""
        for wire in [wire for wire in self._wires if address in wire.ends]:
            wire.break_off()

    async def close(self) -> None:
        """Breaks every link and lets every endpoint end."""
        for wire in list(self._wires):
            wire.break_off()
        for endpoint in list(self._endpoints.values()):
            await endpoint.close()

    # --- what endpoints and links ask ---

    def passes(self, source: Address, target: Address) -> bool:
        """Whether messages pass that way."""
        return (source, target) not in self._cuts

    def unlucky(self) -> bool:
        """Whether this message is the one that breaks its link."""
        return self._happens(self._chance)

    def fate(self) -> tuple[int, float]:
        """How often this message goes on its way, and how many seconds it is overtaken by those after it."""
        lies = self._dishonesty
        copies = 0 if self._happens(lies.lose) else 2 if self._happens(lies.repeat) else 1
        self.counters.lost += copies == 0
        self.counters.repeated += copies > 1
        late = lies.late if copies and self._happens(lies.overtake) else 0.0
        self.counters.overtaken += late > 0
        return copies, late

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._rng.random() < chance

    def attach(self, endpoint: "MemoryEndpoint") -> None:
        """The endpoint can be reached now."""
        self._endpoints[endpoint.address] = endpoint

    def detach(self, endpoint: "MemoryEndpoint") -> None:
        """The endpoint cannot be reached any more."""
        if self._endpoints.get(endpoint.address) is endpoint:
            del self._endpoints[endpoint.address]

    async def connect(self, dialler: "MemoryEndpoint", address: Address, key: bytes) -> "MemoryLink":
        """A dial: see :meth:`telegraph.peer.port.Endpoint.dial`."""
        self.counters.dials += 1
        if self.latency:
            await self.clock.sleep(2 * self.latency)  # the opening and its answer
        target = self._endpoints.get(address)
        there_and_back = self.passes(dialler.address, address) and self.passes(address, dialler.address)
        if target is None or not there_and_back or not _may_link(dialler.holder, target.holder, key):
            self.counters.refused += 1
            raise Unreachable(str(address))
        wire = Wire(self, dialler, target)
        self._wires[wire] = None
        target.accept(wire.accepted)
        return wire.dialled

    async def call(self, caller: Holder, address: Address, path: str, body: bytes, accept_language: str = "") -> Reply:
        """One REST call by somebody with a certificate, a node or a manager.

        Raises:
            Unreachable: nobody is there.
        """
        target = self._endpoints.get(address)
        if target is None:
            raise Unreachable(str(address))
        return await target.answer(Call(path, body, caller, accept_language))

    def forget(self, wire: "Wire") -> None:
        """The wire is gone."""
        self._wires.pop(wire, None)


def _may_link(dialler: Holder, target: Holder, key: bytes) -> bool:
    return dialler.role == "user" and target.role == "user" and target.key == key


class MemoryEndpoint:
    """Implements :class:`telegraph.peer.port.Endpoint`."""

    def __init__(self, network: MemoryNetwork, address: Address, holder: Holder) -> None:
        self.address = address
        self.holder = holder
        self._network = network
        self._tasks: set[asyncio.Task[None]] = set()
        self._links: set[MemoryLink] = set()
        self._closed = False

    async def serve(self, on_link: OnLink, on_call: OnCall) -> None:
        """See :meth:`telegraph.peer.port.Endpoint.serve`."""
        self._on_link, self._on_call = on_link, on_call
        self._network.attach(self)

    async def dial(self, address: Address, key: bytes) -> Link:
        """See :meth:`telegraph.peer.port.Endpoint.dial`."""
        if self._closed:
            raise Unreachable("this endpoint is closed")
        link = await self._network.connect(self, address, key)
        self._links.add(link)
        return link

    async def close(self) -> None:
        """See :meth:`telegraph.peer.port.Endpoint.close`."""
        self._closed = True
        self._network.detach(self)
        for link in list(self._links):
            await link.close()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_HANDLER_TIMEOUT)
            for task in late:
                task.cancel()

    def accept(self, link: "MemoryLink") -> None:
        """Somebody dialled."""
        self._links.add(link)
        task = asyncio.create_task(self._use(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def answer(self, call: Call) -> Reply:
        """Somebody calls."""
        return await self._on_call(call)

    def gone(self, link: "MemoryLink") -> None:
        """A link is over."""
        self._links.discard(link)

    async def _use(self, link: "MemoryLink") -> None:
        try:
            await self._on_link(link)
        except LinkClosed:
            pass
        except Exception as error:  # noqa: BLE001 - the endpoint goes on, whatever it was
            kind, at = type(error).__name__, code_path(error)
            log.error("link_failed", kind=kind, at=at)  # noqa: TRY400 - no values in logs
        finally:
            await link.close()


class MemoryLink:
    """One end of a wire. Implements :class:`telegraph.peer.port.Link`."""

    def __init__(self, wire: "Wire", owner: MemoryEndpoint, remote: Holder, *, outgoing: bool) -> None:
        self.inbox = Inbox(MAX_FRAME_BYTES)
        self.owner = owner
        self._wire = wire
        self._remote = remote
        self._outgoing = outgoing

    @property
    def remote(self) -> Holder:
        """Whose certificate the other end showed."""
        return self._remote

    @property
    def outgoing(self) -> bool:
        """Whether this end dialled."""
        return self._outgoing

    @property
    def local_host(self) -> str | None:
        """Nobody speaks from an IP address here."""
        return None

    async def send(self, data: bytes) -> None:
        """See :meth:`telegraph.peer.port.Link.send`."""
        if len(data) > MAX_FRAME_BYTES:
            raise ValueError(f"a link message has at most {MAX_FRAME_BYTES} bytes")
        if self.inbox.closed:
            raise LinkClosed
        await self._wire.send(self, data)

    async def receive(self) -> bytes:
        """See :meth:`telegraph.peer.port.Link.receive`."""
        return await self.inbox.get()

    def arrived(self) -> list[bytes]:
        """See :meth:`telegraph.peer.port.Link.arrived`."""
        return self.inbox.take_all()

    async def close(self) -> None:
        """See :meth:`telegraph.peer.port.Link.close`."""
        if not self.inbox.closed:
            self._wire.close(self)


class Wire:
    """What lies between two ends: a lane each way, and the watch over them."""

    def __init__(self, network: MemoryNetwork, dialler: MemoryEndpoint, target: MemoryEndpoint) -> None:
        self._network = network
        self.ends = (dialler.address, target.address)
        self.dialled = MemoryLink(self, dialler, target.holder, outgoing=True)
        self.accepted = MemoryLink(self, target, dialler.holder, outgoing=False)
        self._lanes = {
            self.dialled: _Lane(network, dialler.address, self.accepted),
            self.accepted: _Lane(network, target.address, self.dialled),
        }
        self._death: asyncio.Task[None] | None = None

    async def send(self, end: MemoryLink, data: bytes) -> None:
        """Takes a message in at one end."""
        self._network.counters.sent += 1
        if self._network.unlucky():
            self._network.counters.lost += 1
            self.break_off()
            return
        await self._lanes[end].send(data)

    def close(self, end: MemoryLink) -> None:
        """One end says good-bye: what it sent still arrives, what is under way to it is lost."""
        end.inbox.close()
        end.owner.gone(end)
        self._lanes[self._other(end)].stop()
        self._lanes[end].finish(self._gone)

    def break_off(self) -> None:
        """The wire is broken: both ends lose it, and what was in flight."""
        self._network.counters.broken += 1
        self._gone()

    def weather(self) -> None:
        """The network's faults changed."""
        passing = [lane.weather() for lane in self._lanes.values()]
        if all(passing) and self._death is not None:
            self._death.cancel()
            self._death = None
        elif not all(passing) and self._death is None:
            self._death = asyncio.create_task(self._die_of_silence())

    async def _die_of_silence(self) -> None:
        await self._network.clock.sleep(self._network.silence)
        self._death = None
        self.break_off()

    def _gone(self) -> None:
        for end, lane in self._lanes.items():
            lane.stop()
            end.inbox.close()
            end.owner.gone(end)
        if self._death is not None:
            self._death.cancel()
        self._network.forget(self)

    def _other(self, end: MemoryLink) -> MemoryLink:
        return self.accepted if end is self.dialled else self.dialled


class _Lane:
    """One direction of a wire: messages go in at one end and come out at the other in their order."""

    def __init__(self, network: MemoryNetwork, source: Address, target: MemoryLink) -> None:
        self._network = network
        self._way = (source, target.owner.address)
        self._target = target
        self._flight = Inbox(MAX_FRAME_BYTES)
        self._due: deque[float] = deque()
        self._overtaken: set[asyncio.Task[None]] = set()
        self._passes = asyncio.Event()
        self.weather()
        self._carrier = asyncio.create_task(self._carry())

    async def send(self, data: bytes) -> None:
        copies, late = self._network.fate()
        for _ in range(copies):
            if late:
                self._overtake(data, late)
            else:
                await self._put(data)

    async def _put(self, data: bytes) -> None:
        try:
            await self._flight.put(data)
        except LinkClosed:
            self._network.counters.lost += 1
            raise
        self._due.append(self._network.clock.time() + self._network.latency)

    def _overtake(self, data: bytes, late: float) -> None:
        """Sends it later: what is sent meanwhile comes first."""

        async def wait() -> None:
            await self._network.clock.sleep(late)
            with contextlib.suppress(LinkClosed):
                await self._put(data)

        task = asyncio.create_task(wait())
        self._overtaken.add(task)
        task.add_done_callback(self._overtaken.discard)

    def weather(self) -> bool:
        """Whether messages pass now."""
        if self._network.passes(*self._way):
            self._passes.set()
        else:
            self._passes.clear()
        return self._passes.is_set()

    def finish(self, then: Callable[[], None]) -> None:
        """Takes nothing more; calls back once all of it has arrived."""
        self._flight.close()
        self._carrier.add_done_callback(lambda _: then())

    def stop(self) -> None:
        """Takes nothing more and loses what is in flight. May be called again."""
        self._flight.close()
        self._network.counters.lost += len(self._overtaken)
        for task in self._overtaken:
            task.cancel()
        self._overtaken.clear()
        if not self._carrier.done():
            self._network.counters.lost += len(self._due)
            self._due.clear()
            self._carrier.cancel()

    async def _carry(self) -> None:
        with contextlib.suppress(LinkClosed):
            while True:
                data = await self._flight.get()
                wait = self._due[0] - self._network.clock.time()
                if wait > 0:
                    await self._network.clock.sleep(wait)
                await self._passes.wait()
                await self._target.inbox.put(data)
                self._due.popleft()
                self._network.counters.delivered += 1
