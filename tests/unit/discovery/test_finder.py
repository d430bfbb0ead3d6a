import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from telegraph.discovery import finder as finder_module
from telegraph.discovery.finder import Finder
from telegraph.discovery.ranges import Found
from telegraph.errors import IllegalAddress, ManagerAway, NoManagerFound

GIVEN, ALIAS, SCANNED = "https://given:8000", "https://10.0.0.1:8000", "https://10.0.0.2:8000"


class World:
    """What DNS and UDP would say, who lives, how far away; and a clock that only answers advance."""

    def __init__(self) -> None:
        self.dns: list[str] = [ALIAS]
        self.udp: list[str] = [SCANNED]
        self.alive: dict[str, float] = {}
        self.asked: list[str] = []
        self.probed: list[str] = []
        self.now = 0.0

    async def look_up(self) -> list[str]:
        self.asked.append("dns")
        return self.dns

    async def ask(self, ranges: Sequence[str], port: int) -> list[Found]:
        self.asked.append(f"udp {' '.join(ranges)} {port}")
        return [Found(url) for url in self.udp]

    async def probe(self, url: str) -> None:
        self.probed.append(url)
        if url not in self.alive:
            raise ManagerAway
        self.now += self.alive[url]

    def finder(
        self, managers: Sequence[str] = (), known: Sequence[str] = (), ranges: Sequence[str] = ("10.0.0.0/24",)
    ) -> Finder:
        return Finder(
            managers=managers,
            known=known,
            ranges=ranges,
            udp_port=5353,
            look_up=self.look_up,
            ask=self.ask,
            clock=lambda: self.now,
        )


@pytest.fixture
def world() -> World:
    return World()


async def test_a_given_manager_that_lives_is_taken_without_asking_anybody(world: World) -> None:
    world.alive = {GIVEN: 0.1, ALIAS: 0.01}
    assert await world.finder([GIVEN]).find(world.probe) == [GIVEN]
    assert world.asked == []


async def test_without_a_given_one_dns_is_asked_and_udp_is_not(world: World) -> None:
    world.alive = {ALIAS: 0.1, SCANNED: 0.1}
    assert await world.finder().find(world.probe) == [ALIAS]
    assert world.asked == ["dns"]


async def test_without_dns_the_ranges_are_scanned(world: World) -> None:
    world.dns, world.alive = [], {SCANNED: 0.1}
    assert await world.finder().find(world.probe) == [SCANNED]
    assert world.asked == ["dns", "udp 10.0.0.0/24 5353"]


async def test_when_all_known_managers_fail_dns_and_then_udp_are_tried(world: World) -> None:
    world.alive = {SCANNED: 0.1}
    assert await world.finder([GIVEN], known=["https://old:8000"]).find(world.probe) == [SCANNED]
    assert world.asked == ["dns", "udp 10.0.0.0/24 5353"]
    assert world.probed == [GIVEN, "https://old:8000", ALIAS, SCANNED]


async def test_nobody_is_probed_twice(world: World) -> None:
    world.dns, world.udp = [GIVEN, GIVEN, ALIAS], [ALIAS, SCANNED]
    with pytest.raises(NoManagerFound):
        await world.finder([GIVEN, GIVEN]).find(world.probe)
    assert sorted(world.probed) == sorted([GIVEN, ALIAS, SCANNED])


async def test_nothing_anywhere_is_said_so(world: World) -> None:
    world.dns, world.udp = [], []
    with pytest.raises(NoManagerFound):
        await world.finder().find(world.probe)
    with pytest.raises(NoManagerFound):
        await world.finder().candidates()


async def test_without_ranges_nothing_is_scanned(world: World) -> None:
    world.dns = []
    with pytest.raises(NoManagerFound):
        await world.finder(ranges=[]).find(world.probe)
    assert world.asked == ["dns"]


async def test_candidates_are_those_of_the_first_source_that_has_any_and_are_not_tried(world: World) -> None:
    assert await world.finder([GIVEN]).candidates() == [GIVEN]
    assert await world.finder().candidates() == [ALIAS]
    world.dns = []
    assert await world.finder().candidates() == [SCANNED]
    assert world.probed == []


async def test_the_quickest_of_several_comes_first() -> None:
    clock = _SteppedProbes({"https://a:1": 3, "https://b:1": 1, "https://c:1": 2})
    finder = Finder(managers=list(clock.order), clock=clock.read)
    assert await finder.find(clock.probe) == ["https://b:1", "https://c:1", "https://a:1"]


async def test_a_manager_that_hangs_does_not_hold_up_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder_module, "GRACE", 0.01)
    cancelled = asyncio.Event()

    async def probe(url: str) -> None:
        if url == GIVEN:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    async with asyncio.timeout(2):
        assert await world.finder([GIVEN, ALIAS]).find(probe) == [ALIAS]
    assert cancelled.is_set()


async def test_a_manager_that_hangs_alone_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder_module, "PROBE_TIMEOUT", 0.01)
    world.dns = []

    async def probe(_: str) -> None:
        await asyncio.Event().wait()

    with pytest.raises(NoManagerFound):
        await world.finder([GIVEN], ranges=[]).find(probe)


@pytest.mark.parametrize("failure", [ConnectionRefusedError, TimeoutError, ManagerAway])
async def test_however_a_probe_fails_the_manager_is_not_there(world: World, failure: type[Exception]) -> None:
    async def probe(url: str) -> None:
        if url == GIVEN:
            raise failure

    assert await world.finder([GIVEN, ALIAS]).find(probe) == [ALIAS]


async def test_a_fault_of_our_own_in_a_probe_is_not_hidden(world: World) -> None:
    async def probe(_: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await world.finder([GIVEN]).find(probe)


def test_a_range_that_cannot_be_scanned_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(IllegalAddress):
        Finder(ranges=["10.0.0.0/8"])


class _SteppedProbes:
    """Probes that end one after the other in a given order, the clock advancing by one second at each end."""

    def __init__(self, order: dict[str, int]) -> None:
        self.order = order
        self.now = 0.0
        self._turns = {turn: asyncio.Event() for turn in range(1, len(order) + 2)}
        self._turns[1].set()

    def read(self) -> float:
        return self.now

    async def probe(self, url: str) -> None:
        turn = self.order[url]
        await self._turns[turn].wait()
        self.now += 1.0
        asyncio.get_running_loop().call_soon(self._turns[turn + 1].set)


def test_the_default_sources_are_dns_and_udp() -> None:
    finder = Finder()
    sources: list[Callable[..., Awaitable[object]]] = [finder._look_up, finder._ask]
    assert [source.__module__ for source in sources] == ["telegraph.discovery.dns", "telegraph.discovery.scan"]
