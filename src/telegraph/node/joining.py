"""How a node comes to its organisation: which managers there are, and which CA to trust."""

from collections.abc import Sequence
from typing import Protocol

from telegraph.discovery.finder import Finder
from telegraph.errors import CaUnreadable, ManagerAway
from telegraph.node.settings import NodeSettings
from telegraph.node.trust import Ask, ca_fingerprint, fetch_ca, read_ca, trust_ca


class SmallStore(Protocol):
    """Where small named values are kept: the database, or :class:`EarlyStore` before there is one."""

    def setting(self, name: str) -> bytes | None:
        """The value of a setting, or None."""
        ...

    async def set(self, **values: bytes | None) -> None:
        """Sets several settings; None removes."""
        ...


class EarlyStore:
    """What is settled before the first log-in, in memory: nothing is written where no password protects it yet."""

    def __init__(self) -> None:
        self.values: dict[str, bytes | None] = {}

    def setting(self, name: str) -> bytes | None:
        """See :class:`SmallStore`."""
        return self.values.get(name)

    async def set(self, **values: bytes | None) -> None:
        """See :class:`SmallStore`."""
        self.values.update(values)


def finder(settings: NodeSettings, database: SmallStore) -> Finder:
    """Looks for managers: those given or known, else DNS, else the ranges to scan."""
    return Finder(
        managers=given_managers(settings, database),
        known=known_managers(database),
        ranges=settings.scan,
        udp_port=settings.udp_port,
    )


def known_managers(database: SmallStore) -> list[str]:
    """The managers that were last known, the one in use first."""
    return _urls(database, "managers")


def given_managers(settings: NodeSettings, database: SmallStore) -> list[str]:
    """The managers that the user named, at this start or else at the last one that named any."""
    return list(settings.managers) or _urls(database, "managers_given")


def home_site(database: SmallStore) -> str:
    """The site that this node belongs to: that of its last log-in; empty before the first."""
    return (database.setting("site") or b"").decode()


async def keep_managers(database: SmallStore, given: Sequence[str], known: Sequence[str], home: str) -> None:
    """Remembers them, and the site, for the next start."""
    await database.set(
        managers=" ".join(known).encode(), managers_given=" ".join(given).encode(), site=home.encode() or None
    )


def _urls(database: SmallStore, name: str) -> list[str]:
    return (database.setting(name) or b"").decode().split()


def stored_ca(settings: NodeSettings, database: SmallStore) -> str | None:
    """The CA that is known already, PEM: of the file that was given, or of an earlier start.

    Raises:
        CaUnreadable: the file cannot be used, or is not that of the earlier start.
    """
    stored = database.setting("ca")
    known = stored.decode() if stored else None
    if settings.ca_file is None:
        return known
    given = read_ca(settings.ca_file)
    if known is not None and ca_fingerprint(known) != ca_fingerprint(given):
        raise CaUnreadable(path=settings.ca_file, detail="this data directory belongs to another CA")
    return given


async def settle_ca(
    settings: NodeSettings, database: SmallStore, urls: list[str], known: str | None, ask: Ask | None
) -> tuple[list[str], str | None]:
    """The managers to use and the CA to trust (PEM), which is stored; a CA not known yet is fetched and checked.

    The CA is None only if the manager is spoken to in plain HTTP on loopback.

    Raises:
        ManagerAway, NoManagerFound: nobody can be asked for the CA now.
        CaUnknown, CaMismatch: it is not to be trusted.
    """
    if known is None:
        urls = urls or await finder(settings, database).candidates()
        known = await _fetched(settings, urls, ask)
    if known is not None:
        await database.set(ca=known.encode())
    return urls, known


async def _fetched(settings: NodeSettings, urls: list[str], ask: Ask | None) -> str | None:
    for url in urls:
        if url.startswith("http://"):
            return None
        try:
            pem = await fetch_ca(url)
        except ManagerAway:
            continue
        await trust_ca(url, pem, settings.ca_fingerprint, ask)
        return pem
    raise ManagerAway
