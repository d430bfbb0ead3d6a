"""What a certificate of the organisation says about its holder (DESIGN.md section 5).

Every leaf certificate carries one role, twice: a URI in the subject alternative name and a private extended key usage.
A certificate where the two differ, or with more than one role, has none. Managers' certificates also
carry the DNS name ``identity-manager`` (the report's alias): clients ask TLS itself for that name, so that a
user's certificate is
refused as a manager inside the handshake, before anything is sent.
"""

import hashlib
from datetime import timedelta
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from telegraph.errors import WrongRole

Role = Literal["user", "manager"]

MANAGER_ALIAS = "identity-manager"
"""DNS alias of all managers, and the name that nodes ask for in TLS."""

BACKDATED = timedelta(days=2)
"""Certificates are valid from so long before they were made: a machine whose clock is a day behind, or jumps there,
must still be spoken with, and must itself still trust the others."""

# Private arc under 2.25 (ITU-T X.667: an OID made from a UUID, no registration needed).
_ARC = "2.25.189724598337045108340741225307446230141"
ROLE_OIDS: dict[Role, x509.ObjectIdentifier] = {
    "manager": x509.ObjectIdentifier(f"{_ARC}.1"),
    "user": x509.ObjectIdentifier(f"{_ARC}.2"),
}


class Holder(msgspec.Struct, frozen=True):
    """Who a certificate belongs to: role, id within the role, and the raw public key.

    ``key`` is the 32 raw bytes of an Ed25519 key for users, the DER SubjectPublicKeyInfo for managers.
    """

    role: Role
    id: str
    key: bytes


def subject_uri(role: Role, holder_id: str) -> str:
    """``telegraph:user:<user_id>`` or ``telegraph:manager:<manager_id>``."""
    return f"telegraph:{role}:{holder_id}"


def holder_of(certificate_der: bytes) -> Holder:
    """Reads the holder out of a DER certificate whose chain TLS has already verified.

    Raises:
        WrongRole: the certificate names no role, several, or an inconsistent one.
    """
    certificate = x509.load_der_x509_certificate(certificate_der)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        raise WrongRole from None
    uris = [uri for uri in names.get_values_for_type(x509.UniformResourceIdentifier) if uri.startswith("telegraph:")]
    roles = [role for role, oid in ROLE_OIDS.items() if oid in usages]
    if len(uris) != 1 or len(roles) != 1:
        raise WrongRole
    prefix = subject_uri(roles[0], "")
    holder_id = uris[0].removeprefix(prefix)
    if not uris[0].startswith(prefix) or not holder_id:
        raise WrongRole
    return Holder(roles[0], holder_id, public_key_bytes(certificate))


def public_key_bytes(certificate: x509.Certificate) -> bytes:
    """Raw Ed25519 key, or DER SubjectPublicKeyInfo for any other kind of key."""
    key = certificate.public_key()
    if isinstance(key, Ed25519PublicKey):
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_fingerprint(key: bytes) -> str:
    """SHA-256 of a raw device key as 64 lower-case hex digits: its public name in lists."""
    return hashlib.sha256(key).hexdigest()


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER certificate as 64 lower-case hex digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()
