"""Where a manager is: the names it goes by, and the files in its data directory that say who it is."""

import secrets
import socket
from pathlib import Path
from typing import Final

from telegraph.errors import DataUnreadable
from telegraph.manager.ca import CA_FILE, CA_KEY_FILE, CertificateAuthority, load_certificate
from telegraph.manager.moment import Moment
from telegraph.manager.settings import ManagerSettings
from telegraph.protocol.addresses import Address, parse_address
from telegraph.protocol.identity import fingerprint
from telegraph.storage.datadir import write_private

DIRECTORY_FILE: Final = "directory.sqlite3"
ENDPOINT_FILE: Final = "endpoint"
"""The URL of the running manager, one line; gone when it is stopped."""

ID_FILE: Final = "manager-id"
ORGANISATION: Final = "Telegraph"

_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound
_ALWAYS: Final = ("localhost", "127.0.0.1", "::1")


def advertised(settings: ManagerSettings, port: int) -> Address | None:
    """Where the manager says that it is, None if it listens everywhere and was not told how it is called.

    Raises:
        IllegalAddress: what was told is no address.
    """
    if settings.advertise is not None:
        return parse_address(settings.advertise, port)
    return None if settings.host in _EVERYWHERE else Address(settings.host, port)


def url_of(settings: ManagerSettings, port: int) -> str:
    """The manager's URL; for one that listens everywhere, at the address from which this machine reaches others."""
    where = advertised(settings, port) or Address(outward_address(), port)
    return f"{'http' if settings.insecure_http else 'https'}://{where}"


def certificate_hosts(settings: ManagerSettings) -> list[str]:
    """The hosts that the manager's certificate names, for browsers and curl; nodes ask for ``identity-manager``."""
    where = advertised(settings, settings.port or 1)
    own = [where.host] if where else [outward_address(), socket.gethostname()]
    bound = [] if settings.host in _EVERYWHERE else [settings.host]
    return list(dict.fromkeys([*own, *bound, *_ALWAYS]))


def outward_address() -> str:
    """The address from which this machine would reach others; connecting a UDP socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737): nobody is there
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def load_or_create_ca(data: Path, now: Moment) -> CertificateAuthority:
    """The organisation's CA; made at the first start.

    Raises:
        CaUnreadable: a part of it is missing or damaged.
        DataUnreadable: it cannot be written.
    """
    if not (data / CA_FILE).exists() and not (data / CA_KEY_FILE).exists():
        try:
            CertificateAuthority.create(ORGANISATION, now.utc).save(data)
        except OSError as problem:
            raise DataUnreadable(data=data, detail=problem.strerror) from problem
    return CertificateAuthority.load(data)


def ca_fingerprint(data: Path) -> str:
    """The fingerprint of a data directory's CA.

    Raises:
        CaUnreadable: there is none, or it is damaged.
    """
    return fingerprint(load_certificate(data / CA_FILE))


def load_or_create_id(data: Path) -> str:
    """The manager's own random id.

    Raises:
        DataUnreadable: it cannot be read or written.
    """
    path = data / ID_FILE
    try:
        if not path.exists():
            write_private(path, secrets.token_hex(8) + "\n")
        found = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise DataUnreadable(data=data, detail=f"{ID_FILE} cannot be used") from problem
    if not found.isalnum():
        raise DataUnreadable(data=data, detail=f"{ID_FILE} cannot be used")
    return found
