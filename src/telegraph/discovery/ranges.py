"""Which machines a UDP scan asks, and what their answers say. Pure: addresses and bytes in, addresses and URLs out."""

import ipaddress
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import msgspec

from telegraph.errors import IllegalAddress
from telegraph.protocol.addresses import Address, check_host
from telegraph.protocol.discovery import read_answer

MAX_RANGE = 2**16
"""Addresses in the largest range that is scanned: a /16 of IPv4. More is a flood, not a search."""

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network


class Found(msgspec.Struct, frozen=True):
    """A manager that answered. ``url`` is made of where the answer came from, so that it can be reached from here.

    ``hint_url`` and ``hint_ca`` are what the answer claims about itself. UDP proves nothing: whoever is found must
    still show a manager's certificate.
    """

    url: str
    hint_url: str = ""
    hint_ca: str = ""


def parse_range(text: str) -> IpNetwork:
    """A range as the user writes it: ``192.168.1.0/24``, any address of it with the same ``/24``, or one address.

    Raises:
        IllegalAddress: it is no range, has more than 65536 addresses, or is of addresses that nobody can dial.
    """
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise IllegalAddress(detail=f"{text!r} is not a range like 192.168.1.0/24") from None
    if network.num_addresses > MAX_RANGE:
        raise IllegalAddress(detail=f"the range {network} is larger than a /16 ({MAX_RANGE} addresses)")
    check_host(str(network.network_address))
    return network


def hosts_of(networks: Iterable[IpNetwork]) -> list[IpAddress]:
    """Every machine's address in the ranges, each once, in order; without network and broadcast addresses."""
    found: dict[IpAddress, None] = {}
    for network in networks:
        found.update(dict.fromkeys(network.hosts()))
    return list(found)


def read_found(datagram: bytes, sender: str) -> Found | None:
    """What a datagram from a sender (IP literal) says, or None if it is not a manager's answer."""
    answer = read_answer(datagram)
    if answer is None:
        return None
    return Found(f"https://{Address(sender, answer.port)}", answer.url, answer.ca)
