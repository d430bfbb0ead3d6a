"""Under which addresses a page is this node's own: what a request's Host and Origin may say. Pure.

A page of another web site may speak to any address, but cannot choose what stands in these headers (RFC 6454, 7; DNS
rebinding: the name that was looked up stays in Host).
"""

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

import msgspec

from telegraph.errors import IllegalAddress

_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_HTTPS: Final = 443


class Origins(msgspec.Struct, frozen=True):
    """``scheme`` is that of all of them; ``hosts`` are HOST or HOST:PORT, lower case, as browsers send them."""

    scheme: str
    hosts: frozenset[str]

    def name(self, host: str) -> bool:
        """Whether a Host header names this node."""
        return host.lower() in self.hosts

    def own(self, origin: str) -> bool:
        """Whether an Origin header names this node's own page."""
        parts = urlsplit(origin)
        return parts.scheme == self.scheme and parts.netloc.lower() in self.hosts


def on_loopback(port: int) -> Origins:
    """Of a page that is served over plain HTTP to this machine alone."""
    return Origins("http", frozenset(f"{host}:{port}" for host in _LOOPBACK))


def off_loopback(given: Iterable[str], port: int) -> Origins:
    """Of a page that is served over HTTPS: those that were given (:func:`checked`), and loopback."""
    hosts = {f"{host}:{port}" for host in _LOOPBACK}
    for origin in given:
        parts = urlsplit(origin)
        hosts.add(parts.netloc)
        if parts.port is None:
            hosts.add(f"{parts.netloc}:{_HTTPS}")
    return Origins("https", frozenset(hosts))


def checked(origin: str) -> str:
    """``https://HOST[:PORT]`` as browsers write it: lower case, without the port that goes without saying.

    Raises:
        IllegalAddress: it is something else.
    """
    try:
        parts = urlsplit(origin.strip())
        host, port = parts.hostname, parts.port
        whole = (parts.path or "/") == "/" and not (parts.query or parts.fragment or parts.username or parts.password)
    except ValueError:
        host, whole = None, False
    if host is None or not host.isascii() or not whole:
        raise IllegalAddress(detail=f"{origin} is not of the form https://HOST or https://HOST:PORT")
    if parts.scheme != "https":
        raise IllegalAddress(detail=f"{origin} does not begin with https://, and off this machine nothing else goes")
    return f"https://{bracketed(host)}" + (f":{port}" if port not in (None, _HTTPS) else "")


def host_of(origin: str) -> str:
    """The host of a checked origin, IPv6 without brackets."""
    return urlsplit(origin).hostname or ""


def is_address(host: str) -> bool:
    """Whether a host is an IP address, not a name."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host.strip("[]")).is_loopback)


def is_name(host: str) -> bool:
    """Whether a HOST or HOST:PORT is a name, and not this machine's name for itself."""
    name = host_of(f"https://{host}")
    return not (is_address(name) or is_loopback(name))


def is_any(host: str) -> bool:
    """Whether a host stands for every address of this machine."""
    return is_address(host) and ipaddress.ip_address(host.strip("[]")).is_unspecified


def bracketed(host: str) -> str:
    """A host as URLs write it."""
    return f"[{host}]" if ":" in host else host
