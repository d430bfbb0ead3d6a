"""Where a process can be reached, and how a device signs its own address (DESIGN.md sections 6 and 10.7)."""

import ipaddress
import re

import msgspec

from telegraph.errors import IllegalAddress

MAX_PORT = 65535
_HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")
_NUMBER = re.compile(r"[0-9]+\Z|0[xX][0-9A-Fa-f]*\Z")
_PORT = re.compile(r"[0-9]{1,5}\Z")
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_MAX_HOST = 253


class Address(msgspec.Struct, frozen=True):
    """A host (IP literal without brackets, or DNS name) and a TCP port, 1 to 65535."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def check_host(host: str) -> str:
    """The host, if it is an IP literal or a DNS name that a peer could dial.

    A name that ends in a number (``1.2.3``, ``0x7f000001``) is refused: resolvers read it as an address of their own
    choice (WHATWG URL standard, "ends in a number"). An IPv4 address dressed as IPv6 is undressed.

    Raises:
        IllegalAddress: otherwise; unspecified, multicast and broadcast addresses too, since nobody can dial them,
            and an IPv6 zone (``%eth0``), which means nothing on another machine.
    """
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        numeric = _NUMBER.match(labels[-1])
        if len(host) > _MAX_HOST or numeric or not all(_HOST_LABEL.match(label) for label in labels):
            raise IllegalAddress(detail="the host is neither an IP address nor a DNS name") from None
        return host.lower()
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is not None:
            raise IllegalAddress(detail="an IPv6 zone means nothing on another machine")
        ip = ip.ipv4_mapped or ip
    if ip.is_unspecified or ip.is_multicast or ip == _BROADCAST:
        raise IllegalAddress(detail=f"{ip} is not the address of one machine")
    return str(ip)


def check_port(port: int) -> int:
    """The port, if it is one that can be dialled.

    Raises:
        IllegalAddress: outside 1 to 65535.
    """
    if not 0 < port <= MAX_PORT:
        raise IllegalAddress(detail="the port must be between 1 and 65535")
    return port


def parse_address(text: str, default_port: int | None = None) -> Address:
    """``HOST:PORT``, ``[IPv6]:PORT``, or ``HOST`` alone if there is a default port.

    Raises:
        IllegalAddress: anything else.
    """
    host, port = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise IllegalAddress(detail=f"{text!r} is not HOST:PORT")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not port and default_port is not None:
        return Address(check_host(host), default_port)
    if not _PORT.match(port):
        raise IllegalAddress(detail=f"{text!r} is not HOST:PORT")
    return Address(check_host(host), check_port(int(port)))


def address_to_sign(user_id: str, host: str, port: int, counter: int) -> bytes:
    """The bytes that a device signs with Ed25519 to vouch for its address.

    ``telegraph address v1`` and the four values, separated by NUL, which occurs in none of them.
    """
    return "\0".join(("telegraph address v1", user_id, host, str(port), str(counter))).encode()
