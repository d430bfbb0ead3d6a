"""Which of this machine's addresses others would see."""

import contextlib
import ipaddress
import socket
from collections.abc import Iterable

from telegraph.errors import IllegalAddress
from telegraph.protocol.addresses import check_host


def address_towards(host: str, port: int) -> str | None:
    """The local IP address from which the system would send to a host, or None if there is no way there.

    Connecting a UDP socket sends nothing; it only asks the routing table.
    """
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError:
        return None
    for family, kind, protocol, _, target in infos:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.connect(target)
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return None


def is_ours(host: str) -> bool:
    """Whether this machine has this IP address now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def best_address(seen: Iterable[str | None]) -> str | None:
    """The address to give to others, of those from which this machine reaches managers and people, best known first.

    The first that is of use on another machine; a loopback address only if there is no other.
    """
    loopback = None
    for host in seen:
        with contextlib.suppress(IllegalAddress, ValueError):  # one with a zone means nothing elsewhere
            if host is None or check_host(host) != host:
                continue
            if not ipaddress.ip_address(host).is_loopback:
                return host
            loopback = loopback or host
    return loopback
