"""The hosts themselves: what is sent between them fares as the faults say."""

import socket
import time
from collections.abc import Iterator

import pytest

from telegraph.testing.hosts import Host, HostsUnavailable, Network
from telegraph.testing.switch import Line

TCP = (socket.AF_INET, socket.SOCK_STREAM, 0)


@pytest.fixture
def network() -> Iterator[Network]:
    with Network("alice", "bob", seed=3) as made:
        yield made


@pytest.fixture
def line(network: Network) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection from alice to bob, both its ends."""
    with network["bob"].socket(TCP) as listening, network["alice"].socket(TCP) as calling:
        listening.bind((network["bob"].address, 5000))
        listening.listen()
        calling.settimeout(60)
        calling.connect((network["bob"].address, 5000))
        answering, _ = listening.accept()
        answering.settimeout(60)
        with answering:
            yield calling, answering


def test_hosts_have_ports_of_their_own(network: Network) -> None:
    with network["alice"].socket(TCP) as one, network["bob"].socket(TCP) as other, socket.socket() as ours:
        for each in (one, other, ours):
            each.bind(("127.0.0.1", 47_811))
            each.listen()


def test_tcp_brings_everything_in_order_over_the_worst_line(
    network: Network, line: tuple[socket.socket, socket.socket]
) -> None:
    network.set("alice", "bob", Line(delay=0.001, jitter=0.002, lose=0.02, repeat=0.1, overtake=0.1))
    data = bytes(range(256)) * 500
    line[0].sendall(data)
    received = b""
    while len(received) < len(data):
        received += line[1].recv(65536)

    assert received == data
    counts = network.counts()
    assert min(counts.lost, counts.repeated, counts.overtaken) > 0


def test_a_cut_holds_everything_up_until_it_heals(network: Network, line: tuple[socket.socket, socket.socket]) -> None:
    network.set("alice", "bob", Line(cut=True))
    line[0].sendall(b"hello")
    line[1].settimeout(0.3)
    with pytest.raises(TimeoutError):
        line[1].recv(5)

    network.heal()
    line[1].settimeout(60)

    assert line[1].recv(5) == b"hello"


def test_a_delay_is_felt_there_and_back(network: Network, line: tuple[socket.socket, socket.socket]) -> None:
    network.isolate("bob", Line(delay=0.1))
    before = time.monotonic()
    line[0].sendall(b"?")
    line[1].sendall(line[1].recv(1))
    assert line[0].recv(1) == b"?"

    assert 0.2 <= time.monotonic() - before < 2


def test_where_hosts_cannot_be_made_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(HostsUnavailable, match="apt-get install util-linux"):
        Network("alice")


def test_a_user_who_may_not_make_namespaces_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_flags: int) -> int:
        return -1

    monkeypatch.setattr("telegraph.testing.hosts._libc.unshare", forbidden)

    with pytest.raises(HostsUnavailable, match="as root"):
        Host("alice", "10.99.0.1")
