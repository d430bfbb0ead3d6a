"""A member's etcd certificate: signed for it when it joins, and issued again in time, at a start or while it runs.

etcd reads both files anew for each handshake (https://etcd.io/docs/v3.4/op-guide/security/), so a file that is replaced
is all that it takes. The key stays the same: no handshake ever finds a certificate and a key that do not match.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from telegraph.errors import DataUnreadable
from telegraph.manager.ca import key_pem, read_key
from telegraph.manager.cluster.authority import EtcdAuthority
from telegraph.manager.cluster.command import ETCD_CERTIFICATE_FILE, ETCD_KEY_FILE
from telegraph.manager.issuing import renewal_due
from telegraph.manager.moment import Clock
from telegraph.manager.requests import request_for
from telegraph.storage.datadir import write_private

log = structlog.get_logger(__name__)

MEMBER_LIFETIME: Final = timedelta(days=90)
_CLIENT_LIFETIME: Final = timedelta(days=3653)
_LONGEST_SLEEP: Final = 3600.0
_SHORTEST_SLEEP: Final = 60.0


class ClientIdentity(msgspec.Struct, frozen=True):
    """What a client of etcd shows and trusts, in PEM."""

    ca_pem: bytes
    certificate_pem: bytes
    key_pem: bytes

    def __repr__(self) -> str:
        """Without the key."""
        return "ClientIdentity(…)"


def client_identity(authority: EtcdAuthority, now: datetime) -> ClientIdentity:
    """A new identity for this process alone. It lives in memory and ends with it, so it needs no renewal."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.issue(key.public_key(), (), now, _CLIENT_LIFETIME)
    return ClientIdentity(authority.pem.encode(), certificate.encode(), key_pem(key))


class MemberCertificate:
    """The certificate and key files of one member.

    A newcomer has the first certificate signed by the manager that lets it in; all others, and those of the managers
    that begin a group, are issued by the member itself with the group's authority.
    """

    def __init__(self, data: Path, hosts: Sequence[str], lifetime: timedelta = MEMBER_LIFETIME) -> None:
        """``hosts`` are the IP addresses and DNS names under which others dial it."""
        self._data = data
        self._hosts = hosts
        self._lifetime = lifetime

    def key(self) -> ec.EllipticCurvePrivateKey:
        """Its key, which is made if there is none yet.

        Raises:
            DataUnreadable: the file cannot be read or written.
            CaUnreadable: it is damaged.
        """
        path = self._data / ETCD_KEY_FILE
        with self._explained():
            if not path.exists():
                write_private(path, key_pem(ec.generate_private_key(ec.SECP256R1())).decode())
            return read_key(path.read_bytes(), path)

    def request(self) -> str:
        """A certificate signing request for the key, in PEM.

        Raises:
            DataUnreadable, CaUnreadable: see :meth:`key`.
        """
        return request_for(self.key(), self._hosts)

    def store(self, certificate: str) -> None:
        """Writes a certificate (PEM) that was issued for the key.

        Raises:
            DataUnreadable: the file cannot be written.
        """
        with self._explained():
            write_private(self._data / ETCD_CERTIFICATE_FILE, certificate)

    def issue(self, authority: EtcdAuthority, now: datetime) -> None:
        """Writes a new certificate, and the key if there is none yet.

        Raises:
            DataUnreadable, CaUnreadable: see :meth:`key`.
        """
        self.store(authority.issue(self.key().public_key(), self._hosts, now, self._lifetime))

    def refresh(self, authority: EtcdAuthority, now: datetime) -> None:
        """Issues it anew unless the one that is there will do for a while.

        Raises:
            DataUnreadable, CaUnreadable: see :meth:`key`.
        """
        known = self._stored()
        if known is None or not authority.names(known, self.key().public_key(), self._hosts):
            self.issue(authority, now)
        elif not known.not_valid_before_utc <= now < renewal_due(known):
            self.issue(authority, now)
            log.info("etcd_certificate_renewed")

    async def keep(self, authority: EtcdAuthority, clock: Clock) -> None:
        """Issues it anew after two thirds of its life, again and again."""
        while True:
            self.refresh(authority, clock().utc)
            known = self._stored()
            left = _LONGEST_SLEEP if known is None else (renewal_due(known) - clock().utc).total_seconds()
            await asyncio.sleep(min(max(left, _SHORTEST_SLEEP), _LONGEST_SLEEP))

    def _stored(self) -> x509.Certificate | None:
        """The certificate that is there, None if there is none, or something else."""
        with contextlib.suppress(OSError, ValueError):
            return x509.load_pem_x509_certificate((self._data / ETCD_CERTIFICATE_FILE).read_bytes())
        return None

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            raise DataUnreadable(data=self._data, detail=problem.strerror) from problem
