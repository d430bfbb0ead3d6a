import socket
from collections.abc import Iterator

import pytest

from telegraph.errors import CannotStart, PortTaken
from telegraph.node.local_address import address_towards
from telegraph.node.sockets import bind, bind_or_any, listen


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        yield somebody.getsockname()[1]


def port_of(bound: socket.socket) -> int:
    with bound:
        return int(bound.getsockname()[1])


def test_a_port_that_was_asked_for_and_is_taken_is_refused(taken: int) -> None:
    with pytest.raises(PortTaken, match="--peer-port"):
        bind_or_any("127.0.0.1", taken, 8000, "--peer-port")


def test_a_default_port_that_is_taken_gives_way_to_a_free_one(taken: int) -> None:
    assert port_of(bind_or_any("127.0.0.1", None, taken, "--peer-port")) != taken


def test_the_default_port_is_used_if_it_is_free() -> None:
    free = port_of(bind("127.0.0.1", 0, "--peer-port"))

    assert port_of(bind_or_any("127.0.0.1", None, free, "--peer-port")) == free


def test_zero_is_any_free_port() -> None:
    assert port_of(bind_or_any("127.0.0.1", 0, 8000, "--peer-port")) > 0


def test_an_address_that_is_not_this_machines_is_told() -> None:
    with pytest.raises(CannotStart, match=r"192\.0\.2\.1"):
        bind("192.0.2.1", 0, "--host")  # TEST-NET-1 (RFC 5737): nobody's


def test_the_address_towards_this_machine_is_its_own() -> None:
    assert address_towards("127.0.0.1", 8000) == "127.0.0.1"


def test_there_is_no_address_towards_a_name_that_nobody_has() -> None:
    assert address_towards("", 8000) is None or address_towards("no.such.host.invalid", 8000) is None


def test_two_who_want_the_same_default_get_two_ports() -> None:
    free = port_of(bind("127.0.0.1", 0, "--api-port"))

    with listen("127.0.0.1", None, free, "--api-port") as first, bind("127.0.0.1", 0, "--x") as other:
        second = listen("127.0.0.1", None, free, "--api-port")

        assert first.getsockname()[1] == free
        assert port_of(second) not in (free, other.getsockname()[1])


def test_a_port_that_somebody_bound_first_and_listens_on_later_is_not_shared() -> None:
    with bind("127.0.0.1", 0, "--api-port") as early:
        port = early.getsockname()[1]
        with listen("127.0.0.1", port, 8420, "--api-port"), pytest.raises(OSError, match="in use"):
            early.listen()
