"""etcd's own certificate authority: it signs managers' etcd members and never a device.

etcd lets everybody in who shows a certificate of its CA (https://etcd.io/docs/v3.4/op-guide/security/). With the
organisation's CA that would be every user; so the two are different, and a user's certificate is refused by both of
etcd's ports inside the handshake.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from telegraph.manager.ca import key_pem, read_certificate, read_key
from telegraph.manager.issuing import Issuer, host_name, new_root

ETCD_CA_FILE: Final = "etcd-ca.pem"
ETCD_CA_KEY: Final = "etcd-ca-key"
"""The name under which its key is sealed, and that of the file with the sealed key."""

ETCD_ALIAS: Final = "telegraph-etcd"
"""A DNS name that all members' certificates carry."""

_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_PEM: Final = Encoding.PEM


class EtcdAuthority:
    """The root certificate of a group of etcd members and its key (ECDSA P-256)."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key
        self._issuer = Issuer(certificate, key)

    @classmethod
    def create(cls, now: datetime) -> Self:
        """A new root for 10 years; ``now`` is an aware time."""
        return cls(*new_root(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Telegraph etcd CA")]), now))

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> Self:
        """What :attr:`pem` and :attr:`key_pem` gave.

        Raises:
            CaUnreadable: they are something else.
        """
        path = Path(ETCD_CA_FILE)
        return cls(read_certificate(certificate, path), read_key(key, path))

    @property
    def pem(self) -> str:
        """The root certificate in PEM."""
        return self._certificate.public_bytes(_PEM).decode()

    @property
    def key_pem(self) -> bytes:
        """Its private key in PEM."""
        return key_pem(self._key)

    def issue(self, key: ec.EllipticCurvePublicKey, hosts: Sequence[str], now: datetime, lifetime: timedelta) -> str:
        """A member's certificate in PEM, for both ends of a connection.

        Args:
            key: the member's.
            hosts: IP addresses and DNS names under which others dial it; this machine's loopback is always among them.
            now: an aware time.
            lifetime: counted from now, cut at the end of the root's own life.
        """
        leaf = self._issuer.issue(key, _names(hosts), now, lifetime)
        return leaf.public_bytes(_PEM).decode()

    def names(self, leaf: x509.Certificate, key: ec.EllipticCurvePublicKey, hosts: Sequence[str]) -> bool:
        """Whether a certificate is one that :meth:`issue` would give to this key and these hosts, but for its dates."""
        try:
            leaf.verify_directly_issued_by(self._certificate)
            named = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            return False
        return leaf.public_key() == key and all(name in named for name in _names(hosts))


def _names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    return [host_name(host) for host in dict.fromkeys([*hosts, ETCD_ALIAS, *_LOCAL])]
