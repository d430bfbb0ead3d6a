"""The organisation's certificate authority: the one root that every node and manager trusts (DESIGN.md section 5).

Leaf certificates follow :mod:`telegraph.protocol.identity` and pass OpenSSL's strict checks (RFC 5280). Their subject
is empty and the identity stands in the subject alternative name alone, so that no TLS client can fall back to a common
name that a user might have influenced.
"""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from telegraph.errors import CaUnreadable, IllegalCsr
from telegraph.manager.issuing import Issuer, host_name, new_root
from telegraph.manager.requests import load_request
from telegraph.protocol.identity import MANAGER_ALIAS, ROLE_OIDS, fingerprint, subject_uri

CA_FILE = "ca.pem"
CA_KEY_FILE = "ca-key.pem"


class CertificateAuthority:
    """The organisation's root certificate and its key (ECDSA P-256, which every TLS client takes)."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key
        self._issuer = Issuer(certificate, key)

    @classmethod
    def create(cls, organisation: str, now: datetime) -> Self:
        """A new root for 10 years.

        Args:
            organisation: shown in the root's subject; 1 to 64 characters (X.520's bound).
            now: an aware time.
        """
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
                x509.NameAttribute(NameOID.COMMON_NAME, "Telegraph CA"),
            ]
        )
        return cls(*new_root(name, now))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """The CA that :meth:`save` left in a directory.

        Raises:
            CaUnreadable: a file is missing, unreadable or not what it should be, or the two do not belong together.
        """
        certificate, key = load_certificate(directory / CA_FILE), _load_key(directory / CA_KEY_FILE)
        if certificate.public_key() != key.public_key():
            raise CaUnreadable(path=directory / CA_KEY_FILE, detail=f"it is not the key of {CA_FILE}")
        return cls(certificate, key)

    def save(self, directory: Path) -> None:
        """Writes ``ca.pem`` and ``ca-key.pem`` (owner only), each whole or not at all, durable on return.

        The certificate comes last: where ``ca.pem`` is, its key is too.
        """
        _write_durably(directory / CA_KEY_FILE, key_pem(self._key), 0o600)
        _write_durably(directory / CA_FILE, self.pem.encode(), 0o644)

    @property
    def certificate(self) -> x509.Certificate:
        """The root certificate."""
        return self._certificate

    @property
    def pem(self) -> str:
        """The root certificate in PEM."""
        return self._certificate.public_bytes(Encoding.PEM).decode()

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> Self:
        """What :attr:`pem` and :attr:`key_pem` gave.

        Raises:
            CaUnreadable: they are something else, or do not belong together.
        """
        root, own = read_certificate(certificate, Path(CA_FILE)), read_key(key, Path(CA_KEY_FILE))
        if root.public_key() != own.public_key():
            raise CaUnreadable(path=CA_KEY_FILE, detail=f"it is not the key of {CA_FILE}")
        return cls(root, own)

    @property
    def key_pem(self) -> bytes:
        """The root's private key in PEM: whoever has it can name devices and managers."""
        return key_pem(self._key)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the root certificate, 64 lower-case hex digits."""
        return fingerprint(self._certificate)

    @staticmethod
    def device_key(csr_pem: str) -> bytes:
        """The raw Ed25519 key (32 bytes) that a certificate signing request proves to hold.

        Raises:
            IllegalCsr: not PEM, too long, another kind of key, or not signed by its own key.
        """
        key = _requested_key(csr_pem)
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign_device(self, csr_pem: str, user_id: str, now: datetime, lifetime: timedelta) -> str:
        """A user's device certificate in PEM. Of the request only the key counts, whatever else it asks for.

        Args:
            csr_pem: PKCS 10 request in PEM with an Ed25519 key.
            user_id: whose device it is; ASCII.
            now: an aware time; the certificate is valid from :data:`telegraph.protocol.identity.BACKDATED` before it.
            lifetime: counted from now, cut at the end of the root's own life.

        Raises:
            IllegalCsr: see :meth:`device_key`.
        """
        names = [x509.UniformResourceIdentifier(subject_uri("user", user_id))]
        leaf = self._issuer.issue(_requested_key(csr_pem), names, now, lifetime, [ROLE_OIDS["user"]])
        return leaf.public_bytes(Encoding.PEM).decode()

    def issue_manager(
        self, manager_id: str, hosts: Sequence[str], now: datetime, lifetime: timedelta
    ) -> tuple[str, bytes]:
        """A manager's certificate and its new private key (ECDSA P-256, PKCS 8), both in PEM.

        Args:
            manager_id: ASCII.
            hosts: IP addresses and DNS names that it can be reached at, besides ``identity-manager``.
            now: an aware time; the certificate is valid from :data:`telegraph.protocol.identity.BACKDATED` before it.
            lifetime: counted from now, cut at the end of the root's own life.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        return self.certify_manager(key.public_key(), manager_id, hosts, now, lifetime), key_pem(key)

    def certify_manager(
        self,
        key: ec.EllipticCurvePublicKey,
        manager_id: str,
        hosts: Sequence[str],
        now: datetime,
        lifetime: timedelta,
    ) -> str:
        """As :meth:`issue_manager`, for a key that the manager made itself: the certificate in PEM."""
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(subject_uri("manager", manager_id))]
        names += [host_name(host) for host in dict.fromkeys([MANAGER_ALIAS, *hosts])]
        leaf = self._issuer.issue(key, names, now, lifetime, [ROLE_OIDS["manager"]])
        return leaf.public_bytes(Encoding.PEM).decode()


def _requested_key(csr_pem: str) -> Ed25519PublicKey:
    key = load_request(csr_pem).public_key()
    if not isinstance(key, Ed25519PublicKey):
        raise IllegalCsr(detail="its key is not an Ed25519 key")
    return key


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key in PEM (PKCS 8), not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_certificate(path: Path) -> x509.Certificate:
    """A file with a CA's certificate.

    Raises:
        CaUnreadable: it is missing, unreadable or something else.
    """
    return read_certificate(_read(path), path)


def read_certificate(pem: bytes, path: Path) -> x509.Certificate:
    """A CA's certificate in PEM; ``path`` is where it comes from, for the error.

    Raises:
        CaUnreadable: it is something else.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, x509.ExtensionNotFound):
        raise CaUnreadable(path=path, detail="it is not a CA certificate in PEM") from None
    if not constraints.ca:
        raise CaUnreadable(path=path, detail="it is not a CA certificate in PEM")
    return certificate


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    return read_key(_read(path), path)


def read_key(pem: bytes, path: Path) -> ec.EllipticCurvePrivateKey:
    """A private key in PEM; ``path`` is where it comes from, for the error.

    Raises:
        CaUnreadable: it is something else.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CaUnreadable(path=path, detail="it is not an unencrypted private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CaUnreadable(path=path, detail="it is not an ECDSA key")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise CaUnreadable(path=path, detail=problem.strerror or "it cannot be read") from problem


def _write_durably(path: Path, content: bytes, mode: int) -> None:
    """Temporary file, fsync, rename, fsync of the directory: after a crash the old content or the new, never half."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, opened with its mode from the start
        os.fchmod(descriptor, mode)  # whatever the umask says
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
