"""Where this node is, as far as this machine can know: the address to give to managers and people."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Final
from urllib.parse import urlsplit

from telegraph.node.local_address import address_towards, best_address
from telegraph.protocol.addresses import Address

_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound
_PEOPLE_ASKED: Final = 8
"""Contacts whose addresses are tried for a way out, if no manager's will do."""


class OwnPlace:
    """Finds out where this node is. What the user said goes before what the routing table says of each way out."""

    def __init__(
        self,
        *,
        advertise: Address | None,
        host: str,
        port: Callable[[], int],
        managers: Callable[[], list[str]],
        people: Callable[[], Iterable[Address]],
        last: str | None,
    ) -> None:
        """``advertise``, ``host``: as in the settings; of ``advertise`` port 0 is the peer port.

        ``last`` is the host that was told last, in a run before.
        """
        self._advertise = advertise
        self._host = host
        self._port = port
        self._managers = managers
        self._people = people
        self._last = last

    def __call__(self) -> Address:
        """The address now. It asks the routing table, and DNS if a manager is known by name: not for the event loop."""
        port = self._port()
        if self._advertise is not None:
            return Address(self._advertise.host, self._advertise.port or port)
        if self._host not in _EVERYWHERE:
            return Address(self._host, port)
        self._last = best_address(self._seen()) or self._last  # without any way out it is where it was
        return Address(self._last or "127.0.0.1", port)

    def _seen(self) -> Iterator[str | None]:
        urls = (urlsplit(url) for url in self._managers())
        managers = (Address(url.hostname or "", url.port or 443) for url in urls)
        for target in chain(managers, islice(self._people(), _PEOPLE_ASKED)):
            yield address_towards(target.host, target.port)
