"""How often somebody elsewhere may try a password: strangers neither guess it nor keep this machine busy. Pure."""

import ipaddress
from collections import OrderedDict
from typing import Final

from telegraph.node.bucket import Bucket
from telegraph.node.guesses import Guesses

_BURST: Final = 20
_EVERY: Final = 3.0
"""All who were never let in together: 20 at once, then one in three seconds. Each costs a tenth of a second or so."""

_REMEMBERED: Final = 1024
_TRUSTED: Final = 64
_NETWORK: Final = 64
"""One subscriber has that much of an IPv6 address at the least (RFC 6177)."""


class Strangers:
    """Counts guesses by address. Where somebody came in from before, others' guesses do not keep them out."""

    def __init__(self, now: float) -> None:
        """Times are monotonic seconds."""
        self._all = Bucket(_BURST, _EVERY, now)
        self._guesses: OrderedDict[str, Guesses] = OrderedDict()
        self._trusted: OrderedDict[str, None] = OrderedDict()

    def ask(self, address: str, now: float) -> float:
        """Seconds until a guess from an IP address is heard; 0: it is, and counts among those of all."""
        key = network(address)
        wait = self._guesses[key].wait(now) if key in self._guesses else 0.0
        if wait == 0 and key not in self._trusted and not self._all.take(now):
            return _EVERY
        return wait

    def wrong(self, address: str, now: float) -> None:
        """A guess was wrong."""
        key = network(address)
        self._guesses.setdefault(key, Guesses()).wrong(now)
        self._guesses.move_to_end(key)
        if len(self._guesses) > _REMEMBERED:
            self._guesses.popitem(last=False)

    def right(self, address: str) -> None:
        """Somebody came in from there."""
        key = network(address)
        self._guesses.pop(key, None)
        self._trusted[key] = None
        self._trusted.move_to_end(key)
        if len(self._trusted) > _TRUSTED:
            self._trusted.popitem(last=False)


def network(address: str) -> str:
    """What one stranger has at least: an IPv4 address, or the first half of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _NETWORK), strict=False).network_address)
