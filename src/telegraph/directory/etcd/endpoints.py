"""Which of etcd's members to ask: the first that is not suspected. Pure.

The order is one of preference, a manager's own member first. One that failed is suspected until a probe finds it well
again: it is asked only if all the others failed too, so that a member that hangs costs one slow call and not each.
"""

from collections.abc import Collection, Sequence


class Endpoints:
    """The addresses ``HOST:PORT`` of the members' client ports, in order of preference."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = tuple(dict.fromkeys(addresses))
        self._suspected: set[str] = set()

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them."""
        return self._addresses

    @property
    def suspected(self) -> list[str]:
        """Those that a probe should look at."""
        return [address for address in self._addresses if address in self._suspected]

    def replace(self, addresses: Sequence[str]) -> None:
        """Other members from now on; what is known of those that stay, stays."""
        self._addresses = tuple(dict.fromkeys(addresses))
        self._suspected &= set(self._addresses)

    def next(self, tried: Collection[str]) -> str | None:
        """The best one that was not tried yet, None if all were."""
        left = [address for address in self._addresses if address not in tried]
        return min(left, key=self._suspected.__contains__, default=None)

    def failed(self, address: str) -> None:
        """It did not answer, or not well."""
        if address in self._addresses:
            self._suspected.add(address)

    def worked(self, address: str) -> None:
        """It answered."""
        self._suspected.discard(address)
