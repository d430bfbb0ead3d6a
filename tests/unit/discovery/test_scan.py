"""Real UDP, on addresses of 127.0.0.0/8, which need no set-up on Linux."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import pytest

from telegraph.discovery.ranges import Found
from telegraph.discovery.scan import Pace, scan
from telegraph.errors import IllegalAddress
from telegraph.protocol.discovery import Active, answer_to

QUICK = Pace(patience=0.3, quiet=0.05, rounds=2)
Say = Callable[[bytes], list[bytes]]
Station = Callable[[str, int, Say], Awaitable[list[bytes]]]


class _Responder(asyncio.DatagramProtocol):
    def __init__(self, say: Say) -> None:
        self._say = say
        self.heard: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # Python 3.11's own is no subclass

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append(data)
        for answer in self._say(data):
            self._transport.sendto(answer, addr)


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    transports: list[asyncio.DatagramTransport] = []

    async def listen(host: str, port: int, say: Say) -> list[bytes]:
        transport, responder = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Responder(say), local_addr=(host, port)
        )
        transports.append(transport)
        return responder.heard

    yield listen
    for transport in transports:
        transport.close()


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def manager(api_port: int) -> Say:
    def say(datagram: bytes) -> list[bytes]:
        answer = answer_to(datagram, Active("active", api_port, url="https://hint:1", ca="ab" * 32))
        return [answer] if answer else []

    return say


async def test_a_manager_in_the_range_is_found_with_its_hints(station: Station, port: int) -> None:
    heard = await station("127.0.0.3", port, manager(8123))
    found = await scan(["127.0.0.0/29"], port, QUICK)
    assert found == [Found("https://127.0.0.3:8123", "https://hint:1", "ab" * 32)]
    assert len(heard) == 1


async def test_several_managers_come_in_the_order_in_which_they_answer(station: Station, port: int) -> None:
    await station("127.0.0.5", port, manager(8005))
    await station("127.0.0.2", port, manager(8002))
    found = await scan(["127.0.0.5/32", "127.0.0.2"], port, QUICK)
    assert [answer.url for answer in found] == ["https://127.0.0.5:8005", "https://127.0.0.2:8002"]


async def test_garbage_and_repeats_are_passed_over(station: Station, port: int) -> None:
    await station("127.0.0.2", port, lambda _: [b"", b"\xff\x00", b"[]", b'{"status":"active","port":0}', b"x" * 1500])
    await station("127.0.0.3", port, lambda datagram: manager(8003)(datagram) * 3)
    found = await scan(["127.0.0.2/31"], port, QUICK)
    assert [answer.url for answer in found] == ["https://127.0.0.3:8003"]


async def test_if_the_first_question_is_lost_a_second_one_is_asked(station: Station, port: int) -> None:
    lost: list[bytes] = []

    def forgetful(datagram: bytes) -> list[bytes]:
        if not lost:
            lost.append(datagram)
            return []
        return manager(8002)(datagram)

    await station("127.0.0.2", port, forgetful)
    found = await scan(["127.0.0.2"], port, QUICK)
    assert [answer.url for answer in found] == ["https://127.0.0.2:8002"]


async def test_where_nobody_answers_the_scan_ends_at_its_deadline(station: Station, port: int) -> None:
    heard = await station("127.0.0.2", port, lambda _: [])
    async with asyncio.timeout(5):
        assert await scan(["127.0.0.0/30"], port, QUICK) == []
    assert len(heard) == QUICK.rounds


async def test_a_chatterbox_cannot_keep_the_scan_from_ending(station: Station, port: int) -> None:
    asked: list[bytes] = []

    def chatter(datagram: bytes) -> list[bytes]:
        asked.append(datagram)
        return [active_bytes(number) for number in range(1, 2000)]

    await station("127.0.0.2", port, chatter)
    async with asyncio.timeout(5):
        found = await scan(["127.0.0.2"], port, QUICK)
    assert 0 < len(found) <= 256


async def test_the_questions_keep_to_the_rate(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await scan(["127.0.1.0/24"], port, Pace(rate=1000, patience=0.01, rounds=1))
    assert sum(slept) == pytest.approx(254 / 1000)


async def test_ipv6_is_scanned_too(station: Station, port: int) -> None:
    await station("::1", port, manager(8006))
    found = await scan(["::1/128"], port, QUICK)
    assert [answer.url for answer in found] == ["https://[::1]:8006"]


async def test_a_range_too_large_is_refused(port: int) -> None:
    with pytest.raises(IllegalAddress):
        await scan(["10.0.0.0/8"], port)


async def test_no_range_finds_nobody_at_once(port: int) -> None:
    assert await scan([], port) == []


def active_bytes(port: int) -> bytes:
    return b'{"status":"active","port":%d}' % port
