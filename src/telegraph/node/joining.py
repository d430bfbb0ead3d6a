"""How a node comes to its organisation: which managers there are, and which CA to trust."""

from telegraph.discovery.finder import Finder
from telegraph.errors import CaUnreadable, ManagerAway
from telegraph.node import account as accounts
from telegraph.node.database import Database
from telegraph.node.settings import NodeSettings
from telegraph.node.trust import Ask, ca_fingerprint, fetch_ca, read_ca, trust_ca


def finder(settings: NodeSettings, database: Database) -> Finder:
    """Looks for managers: those given or known, else DNS, else the ranges to scan."""
    return Finder(
        managers=settings.managers,
        known=accounts.known_managers(database),
        ranges=settings.scan,
        udp_port=settings.udp_port,
    )


def stored_ca(settings: NodeSettings, database: Database) -> str | None:
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
    settings: NodeSettings, database: Database, urls: list[str], known: str | None, ask: Ask | None
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
