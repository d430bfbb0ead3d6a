"""A small real DNS server on loopback, and the system's resolver replaced where its answer matters."""

import asyncio
import socket
from collections.abc import AsyncIterator
from threading import Event
from typing import Any, cast

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.discovery.dns import urls, urls_of_alias
from telegraph.errors import IllegalAddress
from telegraph.protocol.addresses import check_host


class Zone(asyncio.DatagramProtocol):
    """Answers questions for one name from its records; a silent zone answers nothing."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        self.silent = False
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # Python 3.11's own is no subclass
        self.port = self._transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.silent:
            return
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        asked = query.question[0]
        addresses = self.records.get(dns.rdatatype.to_text(asked.rdtype), [])
        if asked.name.to_text() != "identity-manager.":
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif addresses:
            answer.answer.append(dns.rrset.from_text(asked.name, 5, "IN", asked.rdtype, *addresses))
        self._transport.sendto(answer.to_wire(), addr)

    def resolver(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self.port
        return resolver


@pytest.fixture
async def zone() -> AsyncIterator[Zone]:
    transport, zone = await asyncio.get_running_loop().create_datagram_endpoint(Zone, local_addr=("127.0.0.1", 0))
    yield zone
    transport.close()


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, zone: Zone) -> dict[str, list[str]]:
    """The system's own resolver: names and their addresses; and the system's DNS configuration is the zone's."""
    known: dict[str, list[str]] = {}

    def getaddrinfo(host: str, *_: Any, **__: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    configured = zone.resolver()
    monkeypatch.setattr(dns.asyncresolver, "Resolver", lambda: configured)
    return known


async def test_every_address_of_the_alias_becomes_a_url(zone: Zone) -> None:
    zone.records = {"A": ["10.0.0.1", "10.0.0.2", "10.0.0.3"], "AAAA": ["fd00::1"]}
    found = await urls_of_alias(resolver=zone.resolver())
    assert sorted(found[:3]) == [f"https://10.0.0.{number}:8000" for number in (1, 2, 3)]
    assert found[3:] == ["https://[fd00::1]:8000"]


async def test_the_port_can_be_another(zone: Zone) -> None:
    zone.records = {"A": ["10.0.0.1"]}
    assert await urls_of_alias(port=8443, resolver=zone.resolver()) == ["https://10.0.0.1:8443"]


async def test_an_alias_that_nobody_knows_gives_nothing(zone: Zone) -> None:
    assert await urls_of_alias(resolver=zone.resolver()) == []
    assert await urls_of_alias("somebody-else", resolver=zone.resolver()) == []


async def test_a_dns_server_that_is_silent_is_not_waited_for(zone: Zone) -> None:
    zone.silent = True
    async with asyncio.timeout(2):
        assert await urls_of_alias(timeout=0.1, resolver=zone.resolver()) == []


async def test_the_alias_may_stand_in_the_hosts_file(zone: Zone, system: dict[str, list[str]]) -> None:
    zone.records = {"A": ["10.0.0.1"]}
    system["identity-manager"] = ["10.0.0.9", "10.0.0.1"]
    assert await urls_of_alias() == ["https://10.0.0.1:8000", "https://10.0.0.9:8000"]


@pytest.mark.usefixtures("system")
async def test_where_neither_dns_nor_the_system_knows_it_there_is_nothing() -> None:
    assert await urls_of_alias() == []


async def test_a_machine_without_dns_configuration_still_has_its_hosts_file(
    system: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unconfigured() -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.asyncresolver, "Resolver", unconfigured)
    system["identity-manager"] = ["10.0.0.9"]
    assert await urls_of_alias() == ["https://10.0.0.9:8000"]


async def test_a_system_resolver_that_hangs_is_not_waited_for(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    release = Event()

    def hang(*_: Any, **__: Any) -> list[Any]:
        release.wait(10)
        return []

    zone.records = {"A": ["10.0.0.1"]}
    configured = zone.resolver()
    monkeypatch.setattr(dns.asyncresolver, "Resolver", lambda: configured)
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        async with asyncio.timeout(2):
            assert await urls_of_alias(timeout=0.2) == ["https://10.0.0.1:8000"]
    finally:
        release.set()


def test_addresses_that_nobody_can_dial_are_left_out() -> None:
    assert urls(8000, ["0.0.0.0", "::", "224.0.0.1", "fe80::1%eth0", "10.0.0.1", "10.0.0.1"]) == [  # noqa: S104 - refused
        "https://10.0.0.1:8000"
    ]


@given(st.lists(st.ip_addresses().map(str)))
def test_urls_repeat_nothing_and_leave_out_only_what_no_peer_could_dial(addresses: list[str]) -> None:
    assert urls(8000, addresses) == urls(8000, addresses * 2)
    assert len(urls(8000, addresses)) == len({check_host(address) for address in addresses if _diallable(address)})


def _diallable(address: str) -> bool:
    try:
        check_host(address)
    except IllegalAddress:
        return False
    return True
