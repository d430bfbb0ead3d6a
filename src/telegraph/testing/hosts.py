"""Several hosts on one machine: each is a network namespace with an address of its own, and faults lie between them.

Needs Linux, the right to make network namespaces (root), ``/dev/net/tun`` and ``nsenter`` (util-linux). A host is gone
when whoever made it is: its namespace hangs on a file descriptor.
"""

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import msgspec

from telegraph.testing.switch import Command, Counts, Line

T = TypeVar("T")

_NEWNET: Final = 0x40000000
_TUNSETIFF: Final = 0x400454CA
_TUN_NO_INFO: Final = 0x0001 | 0x1000
_SIOCSIFADDR: Final = 0x8916
_SIOCSIFNETMASK: Final = 0x891C
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_SIOCSIFTXQLEN: Final = 0x8943
_UP: Final = 0x1
_QUEUE: Final = 5000
"""Packets that wait for the switch at most."""

_SUBNET: Final = "10.99.0"
_libc = ctypes.CDLL(None, use_errno=True)


class HostsUnavailable(Exception):
    """Hosts cannot be made here; the message says what is missing."""


class Host:
    """One of the hosts of a :class:`Network`; ``address`` is its IPv4 address."""

    def __init__(self, name: str, address: str) -> None:
        """Makes the namespace, with loopback and one device up.

        Raises:
            HostsUnavailable: not allowed here.
        """
        self.name, self.address = name, address
        try:
            self._namespace, self.wire = _in_thread(lambda: _furnish(address))
        except OSError as problem:
            raise HostsUnavailable(
                f"tests of faults need network namespaces and /dev/net/tun, as root: {problem.strerror}"
            ) from problem

    @property
    def enter(self) -> tuple[str, ...]:
        """What to put before a command line so that it runs on this host."""
        return ("nsenter", f"--net=/proc/{os.getpid()}/fd/{self._namespace}")

    def socket(self, info: Any) -> socket.socket:
        """A socket of this host for the test itself; ``info`` is as of ``getaddrinfo``, for aiohttp."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(self._namespace)
            try:
                return socket.socket(*info[:3])
            finally:
                _setns(home)
        finally:
            os.close(home)

    def close(self) -> None:
        """The namespace ends with the processes that run in it."""
        os.close(self._namespace)
        os.close(self.wire)


class Network:
    """Hosts by their names, and what lies between them. Use it as a context manager."""

    def __init__(self, *names: str, seed: int = 0) -> None:
        """Makes the hosts and starts the switch; ``seed`` decides which packets its chances hit.

        Raises:
            HostsUnavailable: they cannot be made here.
        """
        if shutil.which("nsenter") is None:
            raise HostsUnavailable("tests of faults need nsenter (apt-get install util-linux)")
        self.hosts: dict[str, Host] = {}
        try:
            for number, name in enumerate(names, start=1):
                self.hosts[name] = Host(name, f"{_SUBNET}.{number}")
            self._switch = self._start(seed)
        except BaseException:
            self._close_hosts()
            raise

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def _start(self, seed: int) -> "subprocess.Popen[bytes]":
        wires = [host.wire for host in self.hosts.values()]
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "telegraph.testing.switch", str(seed)]
            + [f"{host.wire}={host.address}" for host in self.hosts.values()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=wires,
        )

    # --- faults: each is so from now on, until the next or heal() ---

    def set(self, one: str, other: str, line: Line, *, one_way: bool = False) -> None:
        """How packets fare from one host to another, and back unless ``one_way``."""
        for source, target in ((one, other),) if one_way else ((one, other), (other, one)):
            self._command(Command(self.hosts[source].address, self.hosts[target].address, line))

    def isolate(self, name: str, line: Line) -> None:
        """How packets fare between one host and all others, both ways."""
        for other in self.hosts:
            if other != name:
                self.set(name, other, line)

    def heal(self) -> None:
        """Everything passes at once again; what is under way still arrives."""
        for source in self.hosts:
            for target in self.hosts:
                if source != target:
                    self.set(source, target, Line(), one_way=True)

    def capture(self, file: Path) -> None:
        """Writes down every packet that passes from now on, as pcap."""
        self._command(Command(capture=str(file)))

    def counts(self) -> Counts:
        """What became of packets so far; what is captured is in its file now."""
        return self._command(Command())

    def _command(self, command: Command) -> Counts:
        assert self._switch.stdin is not None  # noqa: S101 - they are pipes
        assert self._switch.stdout is not None  # noqa: S101 - they are pipes
        self._switch.stdin.write(msgspec.json.encode(command) + b"\n")
        self._switch.stdin.flush()
        return msgspec.json.decode(self._switch.stdout.readline(), type=Counts)

    def close(self) -> None:
        """Stops the switch and lets the hosts go."""
        assert self._switch.stdin is not None  # noqa: S101 - it is a pipe
        assert self._switch.stdout is not None  # noqa: S101 - it is a pipe
        self._switch.stdin.close()
        self._switch.wait(10)
        self._switch.stdout.close()
        self._close_hosts()

    def _close_hosts(self) -> None:
        for host in self.hosts.values():
            host.close()
        self.hosts.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _in_thread(work: Callable[[], T]) -> T:
    """Runs work in a thread of its own, which it may leave in another namespace.

    Raises:
        OSError: what it raised.
    """
    results: list[T] = []
    errors: list[OSError] = []

    def run() -> None:
        try:
            results.append(work())
        except OSError as problem:
            errors.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _furnish(address: str) -> tuple[int, int]:
    """A new namespace for this thread, with loopback and a TUN device: descriptors of both."""
    _checked(_libc.unshare(_NEWNET))
    wire = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(wire, _TUNSETIFF, struct.pack("16sH22x", b"wire", _TUN_NO_INFO))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            _up(control, b"lo")
            for request, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.0")):
                where = struct.pack("16sHH4s16x", b"wire", socket.AF_INET, 0, socket.inet_aton(value))
                fcntl.ioctl(control, request, where)
                if request == _SIOCSIFADDR:
                    _up(control, b"wire")
            fcntl.ioctl(control, _SIOCSIFTXQLEN, struct.pack("16si20x", b"wire", _QUEUE))
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC), wire
    except OSError:
        os.close(wire)
        raise


def _up(control: socket.socket, device: bytes) -> None:
    found = fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sH22x", device, 0))
    (flags,) = struct.unpack_from("16xH", found)
    fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", device, flags | _UP))


def _setns(namespace: int) -> None:
    _checked(_libc.setns(namespace, _NEWNET))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
