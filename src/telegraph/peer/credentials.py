"""What a node shows to others and what it asks of them: mutual TLS 1.3 under the organisation's CA."""

import os
import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """A device's certificate (PEM), its private key (PEM, never shown) and the CA that it trusts (PEM)."""

    certificate_pem: str
    key_pem: bytes = field(repr=False)
    ca_pem: str


def server_context(credentials: Credentials) -> ssl.SSLContext:
    """For accepting: every caller must show a certificate of our CA.

    Raises:
        ssl.SSLError: a part of the credentials is malformed, or they do not belong together.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, credentials)
    context.num_tickets = 0  # a resumed session would not have its certificate checked again
    return context


def client_context(credentials: Credentials) -> ssl.SSLContext:
    """For dialling: the other end must show a certificate of our CA. Whose it is, the dialler checks by its key.

    Raises:
        ssl.SSLError: a part of the credentials is malformed, or they do not belong together.
    """
    return _context(ssl.PROTOCOL_TLS_CLIENT, credentials)


def renew(context: ssl.SSLContext, credentials: Credentials) -> None:
    """Lets a context show other credentials from its next connection on; what it trusted, it goes on to trust.

    The key must be of the same kind as before: OpenSSL keeps one identity for each kind.

    Raises:
        ssl.SSLError: they are malformed or do not belong together.
    """
    context.load_verify_locations(cadata=credentials.ca_pem)
    _load_identity(context, credentials)


def _context(protocol: int, credentials: Credentials) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    renew(context, credentials)
    return context


def _load_identity(context: ssl.SSLContext, credentials: Credentials) -> None:
    """Python's ssl reads keys from files only: this one lives in memory and has no name (memfd_create(2))."""
    descriptor = os.memfd_create("telegraph-identity")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(credentials.key_pem + b"\n" + credentials.certificate_pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
