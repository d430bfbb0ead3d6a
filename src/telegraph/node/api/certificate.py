"""What the page is served with off this machine: a certificate that was given, or one of its own that is kept."""

import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from telegraph.errors import PageCertificateUnreadable
from telegraph.node.api.origins import is_address
from telegraph.node.renewal import renewal_due
from telegraph.protocol.identity import BACKDATED, fingerprint
from telegraph.storage.datadir import write_private

CERTIFICATE_FILE: Final = "page-certificate.pem"
KEY_FILE: Final = "page-key.pem"
LIFETIME: Final = timedelta(days=395)
"""Some browsers refuse more than 398 days (CA/Browser Forum Baseline Requirements, 6.3.2)."""


class PageFiles(msgspec.Struct, frozen=True):
    """Certificate chain and private key, PEM."""

    certificate: Path
    key: Path

    def read(self) -> x509.Certificate:
        """The certificate itself.

        Raises:
            PageCertificateUnreadable: there is none in the file.
        """
        try:
            return x509.load_pem_x509_certificates(self.certificate.read_bytes())[0]
        except (OSError, ValueError, IndexError) as problem:
            raise PageCertificateUnreadable(path=self.certificate, detail=_reason(problem)) from problem

    def load(self, context: ssl.SSLContext) -> None:
        """Shows it from the next connection on.

        Raises:
            PageCertificateUnreadable: a file cannot be read, or they do not belong together.
        """
        self.read()
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except (OSError, ValueError) as problem:  # an ssl.SSLError is an OSError
            raise PageCertificateUnreadable(path=self.key, detail=_reason(problem)) from problem

    def fingerprint(self) -> str:
        """SHA-256 in hex, as a browser shows it."""
        return fingerprint(self.read())


def kept(data: Path, hosts: Sequence[str], now: datetime) -> PageFiles:
    """The one that a data directory keeps; made anew for other hosts, and when two thirds of its life are over.

    It is signed by itself: who compares its fingerprint once, and keeps it in the browser, is not asked again.
    """
    files = PageFiles(data / CERTIFICATE_FILE, data / KEY_FILE)
    if not _serves(files, hosts, now):
        certificate, key = self_signed(hosts, now)
        write_private(files.key, key)
        write_private(files.certificate, certificate)
    return files


def _serves(files: PageFiles, hosts: Sequence[str], now: datetime) -> bool:
    if not (files.certificate.exists() and files.key.exists()):
        return False
    try:
        files.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        certificate = files.read()
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (PageCertificateUnreadable, x509.ExtensionNotFound):  # an interrupted write: key and certificate differ
        return False
    pem = certificate.public_bytes(Encoding.PEM).decode()
    return not renewal_due(pem, now) and all(host in names for host in _names(hosts))


def self_signed(hosts: Sequence[str], now: datetime) -> tuple[str, str]:
    """A certificate for these hosts and its key (ECDSA P-256, which every browser takes), both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Telegraph page")])
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now - BACKDATED + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(_names(hosts)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM).decode(), plain.decode()


def page_context(files: PageFiles) -> ssl.SSLContext:
    """TLS 1.3 for browsers.

    Raises:
        PageCertificateUnreadable: see :meth:`PageFiles.load`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    files.load(context)
    return context


def now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


def _names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    return [x509.IPAddress(ipaddress.ip_address(one)) if is_address(one) else x509.DNSName(one) for one in hosts]


def _no_password() -> str:
    """OpenSSL would ask on the terminal otherwise; a key with a password is refused."""
    return ""


def _reason(problem: Exception) -> str:
    return (problem.strerror if isinstance(problem, OSError) else None) or "it is not what it should be"
