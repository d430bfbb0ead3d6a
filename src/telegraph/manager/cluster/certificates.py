"""A member's etcd certificate: issued at each start, and again in time while it runs.

etcd reads both files anew for each handshake (https://etcd.io/docs/v3.4/op-guide/security/), so a file that is replaced
is all that it takes. The key stays the same: no handshake ever finds a certificate and a key that do not match.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from telegraph.errors import DataUnreadable
from telegraph.manager.ca import key_pem, read_key
from telegraph.manager.cluster.authority import EtcdAuthority
from telegraph.manager.cluster.command import ETCD_CERTIFICATE_FILE, ETCD_KEY_FILE
from telegraph.manager.moment import Clock
from telegraph.storage.datadir import write_private

log = structlog.get_logger(__name__)

MEMBER_LIFETIME: Final = timedelta(days=90)
_CLIENT_LIFETIME: Final = timedelta(days=3653)
_LONGEST_SLEEP: Final = 3600.0


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
    """The certificate and key files of one member."""

    def __init__(
        self, data: Path, authority: EtcdAuthority, hosts: Sequence[str], lifetime: timedelta = MEMBER_LIFETIME
    ) -> None:
        self._data = data
        self._authority = authority
        self._hosts = hosts
        self._lifetime = lifetime

    def issue(self, now: datetime) -> None:
        """Writes a new certificate, and the key if there is none yet.

        Raises:
            DataUnreadable: the files cannot be read or written.
            CaUnreadable: the key file is damaged.
        """
        try:
            certificate = self._authority.issue(self._key().public_key(), self._hosts, now, self._lifetime)
            write_private(self._data / ETCD_CERTIFICATE_FILE, certificate)
        except OSError as problem:
            raise DataUnreadable(data=self._data, detail=problem.strerror) from problem

    def _key(self) -> ec.EllipticCurvePrivateKey:
        path = self._data / ETCD_KEY_FILE
        if not path.exists():
            write_private(path, key_pem(ec.generate_private_key(ec.SECP256R1())).decode())
        return read_key(path.read_bytes(), path)

    async def keep(self, clock: Clock, issued: datetime) -> None:
        """Issues it anew after two thirds of its life, again and again."""
        while True:
            left = (issued + self._lifetime * 2 / 3 - clock().utc).total_seconds()
            if left > 0:
                await asyncio.sleep(min(left, _LONGEST_SLEEP))
                continue
            issued = clock().utc
            self.issue(issued)
            log.info("etcd_certificate_renewed")
