"""Packets between hosts: what a line does to them, without any host."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from telegraph.testing.switch import Command, Line, Switch, fate

ALICE, BOB = "10.99.0.1", "10.99.0.2"


def packet(source: str, target: str, content: bytes = b"hello") -> bytes:
    return bytes([0x45]) + bytes(11) + socket.inet_aton(source) + socket.inet_aton(target) + content


class Bench:
    """A switch between alice and bob, with bob's device in hand."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe2(os.O_NONBLOCK)
        self.switch = Switch({ALICE: self.write_end, BOB: self.write_end}, Random(1))

    def arrived(self) -> list[bytes]:
        try:
            data = os.read(self.read_end, 65536)
        except BlockingIOError:
            return []
        return [data[at : at + 25] for at in range(0, len(data), 25)]

    def line(self, line: Line) -> None:
        self.switch.obey(Command(ALICE, BOB, line))


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.switch.close()
    os.close(made.read_end)
    os.close(made.write_end)


def test_a_packet_passes_at_once_where_nothing_is_wrong(bench: Bench) -> None:
    bench.switch.carry(packet(ALICE, BOB), 0.0)

    assert bench.arrived() == [packet(ALICE, BOB)]
    assert bench.switch.deliver(0.0) is None


def test_nothing_passes_a_cut_and_the_way_back_stays_open(bench: Bench) -> None:
    bench.line(Line(cut=True))

    bench.switch.carry(packet(ALICE, BOB), 0.0)
    bench.switch.carry(packet(BOB, ALICE), 0.0)

    assert bench.arrived() == [packet(BOB, ALICE)]
    assert bench.switch.counts.lost == 1


def test_a_delayed_packet_arrives_when_its_time_has_come(bench: Bench) -> None:
    bench.line(Line(delay=0.5))
    bench.switch.carry(packet(ALICE, BOB), 10.0)

    assert bench.switch.deliver(10.2) == pytest.approx(0.3)
    assert bench.arrived() == []
    assert bench.switch.deliver(10.6) is None
    assert bench.arrived() == [packet(ALICE, BOB)]


def test_an_overtaken_packet_comes_after_the_next(bench: Bench) -> None:
    bench.line(Line(overtake=1.0, overtaken_by=0.1))
    bench.switch.carry(packet(ALICE, BOB, b"first"), 0.0)
    bench.line(Line())
    bench.switch.carry(packet(ALICE, BOB, b"next."), 0.0)
    bench.switch.deliver(0.2)

    assert [arrived[20:] for arrived in bench.arrived()] == [b"next.", b"first"]
    assert bench.switch.counts.overtaken == 1


@pytest.mark.parametrize("nobodys", [b"", b"\x60" + bytes(39), packet(ALICE, "10.99.0.7"), packet(ALICE, BOB)[:19]])
def test_what_is_no_packet_between_the_hosts_goes_nowhere(bench: Bench, nobodys: bytes) -> None:
    bench.switch.carry(nobodys, 0.0)

    assert bench.arrived() == []


def test_a_capture_has_every_packet_that_passed(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "wire.pcap"
    bench.switch.carry(packet(ALICE, BOB, b"early"), 0.0)
    bench.switch.obey(Command(capture=str(file)))
    bench.switch.carry(packet(ALICE, BOB, b"later"), 0.0)
    bench.switch.obey(Command())

    content = file.read_bytes()
    assert len(content) == 24 + 16 + 25
    assert content.endswith(packet(ALICE, BOB, b"later"))


def test_chances_are_kept_and_the_same_seed_hits_the_same_packets() -> None:
    line = Line(lose=0.3, repeat=0.2, jitter=0.1, delay=1.0)

    fates = [fate(line, rng) for rng in [Random(5)] for _ in range(2000)]

    assert fates == [fate(line, rng) for rng in [Random(5)] for _ in range(2000)]
    assert 500 < sum(not times for times in fates) < 700
    assert 200 < sum(len(times) == 2 for times in fates) < 360
    assert all(1.0 <= time <= 1.1 for times in fates for time in times)
