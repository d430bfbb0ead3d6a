"""What lies between the hosts of a test: carries their IP packets, and cuts, delays, loses, repeats or reorders them.

Linux's netem does the same in the kernel, where the kernel has it; this one needs nothing but TUN devices, can write
down everything that passes (pcap), and has a seed. :mod:`telegraph.testing.hosts` starts it as a process of its own:
``python -m telegraph.testing.switch SEED FD=ADDRESS…``; one command a line comes in (JSON), one answer a line goes out.
"""

import contextlib
import heapq
import itertools
import os
import select
import socket
import struct
import sys
import time
from pathlib import Path
from random import Random
from typing import BinaryIO

import msgspec

_PACKET = 65_536
_AT_ONCE = 64
"""Packets read from one host before the others have their turn."""

_WAITING = 20_000
"""Packets under way at most, as a router's memory is bounded; what comes beyond is lost."""

_PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _PACKET, 101)
"""Little-endian, version 2.4, microseconds, raw IP (https://www.tcpdump.org/linktypes.html)."""


class Line(msgspec.Struct, frozen=True):
    """How packets fare one way between two hosts. Times are seconds, the rest are chances of one packet.

    A packet under way for longer than one sent after it is overtaken, so ``jitter`` reorders as well.
    """

    cut: bool = False
    delay: float = 0.0
    jitter: float = 0.0
    lose: float = 0.0
    repeat: float = 0.0
    overtake: float = 0.0
    overtaken_by: float = 0.02


class Command(msgspec.Struct):
    """From one host to another the line is such from now on; or everything from now on is captured in a file."""

    source: str = ""
    target: str = ""
    line: Line | None = None
    capture: str | None = None


class Counts(msgspec.Struct):
    """What became of packets so far; the answer to every command."""

    passed: int = 0
    lost: int = 0
    repeated: int = 0
    overtaken: int = 0


def fate(line: Line, rng: Random) -> list[float]:
    """In how many seconds a packet arrives, once for each time that it does; never if that is empty. Pure."""
    if line.cut or (line.lose and rng.random() < line.lose):
        return []
    copies = 2 if line.repeat and rng.random() < line.repeat else 1
    late = line.overtaken_by if line.overtake and rng.random() < line.overtake else 0.0
    return [line.delay + (rng.uniform(0, line.jitter) if line.jitter else 0.0) + late for _ in range(copies)]


class Switch:
    """Carries packets between file descriptors of TUN devices, by their IPv4 addresses."""

    def __init__(self, ports: dict[str, int], rng: Random) -> None:
        self._ports = {socket.inet_aton(address): descriptor for address, descriptor in ports.items()}
        self._lines: dict[tuple[bytes, bytes], Line] = {}
        self._rng = rng
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._numbers = itertools.count()
        self._capture: BinaryIO | None = None
        self.counts = Counts()

    def obey(self, command: Command) -> None:
        """Carries out a command."""
        if command.line is not None:
            self._lines[socket.inet_aton(command.source), socket.inet_aton(command.target)] = command.line
        if command.capture is not None:
            self._capture = Path(command.capture).open("wb")  # noqa: SIM115 - open until close()
            self._capture.write(_PCAP_HEADER)
        if self._capture is not None:
            self._capture.flush()

    def carry(self, packet: bytes, now: float) -> None:
        """Takes a packet in; what is no IPv4 between two of the hosts is nobody's."""
        if len(packet) < 20 or packet[0] >> 4 != 4:  # noqa: PLR2004 - the header's length and the version
            return
        source, target = packet[12:16], packet[16:20]
        port = self._ports.get(target)
        if port is None:
            return
        line = self._lines.get((source, target))
        if line is None:
            self._hand_over(port, packet)
            return
        arrivals = fate(line, self._rng)
        if len(self._under_way) >= _WAITING:
            arrivals = []
        self.counts.lost += not arrivals
        self.counts.repeated += len(arrivals) > 1
        for wait in arrivals:
            self.counts.overtaken += wait >= line.delay + line.overtaken_by
            heapq.heappush(self._under_way, (now + wait, next(self._numbers), port, packet))

    def deliver(self, now: float) -> float | None:
        """Hands over what is due; the seconds until the next packet is, None if none is under way."""
        while self._under_way and self._under_way[0][0] <= now:
            _, _, port, packet = heapq.heappop(self._under_way)
            self._hand_over(port, packet)
        return self._under_way[0][0] - now if self._under_way else None

    def close(self) -> None:
        """What is captured is in its file."""
        if self._capture is not None:
            self._capture.close()

    def _hand_over(self, port: int, packet: bytes) -> None:
        if self._capture is not None:
            seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
            self._capture.write(struct.pack("<IIII", seconds, microseconds, len(packet), len(packet)) + packet)
        with contextlib.suppress(BlockingIOError, OSError):  # its queue is full, or the host is gone: lost, as ever
            os.write(port, packet)
            self.counts.passed += 1


def _serve(switch: Switch, ports: dict[str, int]) -> None:
    poll = select.epoll()
    for descriptor in ports.values():
        os.set_blocking(descriptor, False)
        poll.register(descriptor, select.EPOLLIN)
    poll.register(0, select.EPOLLIN)
    while True:
        wait = switch.deliver(time.monotonic())
        for descriptor, _ in poll.poll(-1 if wait is None else max(wait, 0.0)):
            if descriptor != 0:
                _read(switch, descriptor)
            elif not _hear(switch):
                return


def _read(switch: Switch, descriptor: int) -> None:
    now = time.monotonic()
    with contextlib.suppress(BlockingIOError):
        for _ in range(_AT_ONCE):
            switch.carry(os.read(descriptor, _PACKET), now)


def _hear(switch: Switch) -> bool:
    """Reads a command and answers; False once nobody is there to give any."""
    text = sys.stdin.buffer.readline()  # each is answered before the next is sent, so that none waits in a buffer
    if not text:
        return False
    switch.obey(msgspec.json.decode(text, type=Command))
    sys.stdout.buffer.write(msgspec.json.encode(switch.counts) + b"\n")
    sys.stdout.buffer.flush()
    return True


if __name__ == "__main__":
    named = dict(argument.split("=") for argument in sys.argv[2:])
    addresses = {address: int(descriptor) for descriptor, address in named.items()}
    _serve(Switch(addresses, Random(sys.argv[1])), addresses)  # noqa: S311 - repeatable faults, no keys
