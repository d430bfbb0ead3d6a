"""Which address a node gives to others: what the user said, else what the routing table says, else what it was."""

from collections.abc import Callable
from typing import Any

import pytest

from telegraph.node import own_place
from telegraph.node.local_address import best_address, is_ours
from telegraph.node.own_place import OwnPlace
from telegraph.protocol.addresses import Address

ROUTES = {"manager.example": "192.0.2.1", "bob.example": "198.51.100.1", "localhost": "127.0.0.1"}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Address]:
    monkeypatch.setattr(own_place, "address_towards", lambda host, _port: ROUTES.get(host))

    def find(*, managers: tuple[str, ...] = (), people: tuple[str, ...] = (), **given: Any) -> Address:
        settings: dict[str, Any] = {"advertise": None, "host": "0.0.0.0", "last": None, **given}  # noqa: S104
        return OwnPlace(
            port=lambda: 8000,
            managers=lambda: [f"https://{name}:8000" for name in managers],
            people=lambda: (Address(name, 9000) for name in people),
            **settings,
        )()

    return find


def test_what_the_user_said_goes_before_everything(place: Callable[..., Address]) -> None:
    assert place(advertise=Address("a.example", 0), managers=("manager.example",)) == Address("a.example", 8000)
    assert place(advertise=Address("a.example", 9), host="192.0.2.9") == Address("a.example", 9)


def test_a_node_that_listens_on_one_address_is_there(place: Callable[..., Address]) -> None:
    assert place(host="192.0.2.9", managers=("manager.example",)) == Address("192.0.2.9", 8000)


def test_the_way_to_a_manager_goes_before_the_way_to_people(place: Callable[..., Address]) -> None:
    assert place(managers=("manager.example",), people=("bob.example",)).host == "192.0.2.1"
    assert place(managers=("gone.example",), people=("bob.example",)).host == "198.51.100.1"


def test_a_loopback_address_is_given_only_if_there_is_no_other(place: Callable[..., Address]) -> None:
    assert place(managers=("localhost",), people=("bob.example",)).host == "198.51.100.1"
    assert place(managers=("localhost",), last="192.0.2.5").host == "127.0.0.1"


def test_without_any_way_out_it_stays_where_it_was(place: Callable[..., Address]) -> None:
    assert place(managers=("gone.example",), last="192.0.2.5") == Address("192.0.2.5", 8000)
    assert place() == Address("127.0.0.1", 8000)


def test_only_some_people_are_tried(place: Callable[..., Address]) -> None:
    assert place(people=("gone.example",) * 100 + ("bob.example",), last="192.0.2.5").host == "192.0.2.5"


@pytest.mark.parametrize("useless", [None, "fe80::1%eth0", "0.0.0.0", "::1%lo"])  # noqa: S104 - not bound
def test_addresses_that_mean_nothing_elsewhere_are_passed_over(useless: str | None) -> None:
    assert best_address([useless, "192.0.2.3"]) == "192.0.2.3"
    assert best_address([useless]) is None


def test_this_machine_knows_its_own_addresses() -> None:
    assert is_ours("127.0.0.1")
    assert not is_ours("192.0.2.77")
    assert not is_ours("2001:db8::77")
