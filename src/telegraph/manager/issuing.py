"""Certificates as both of a manager's authorities make them: the organisation's, and etcd's.

A leaf's subject is empty and its identity stands in the subject alternative name alone, which is critical for that
(RFC 5280, 4.2.1.6).
"""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from telegraph.protocol.identity import BACKDATED

_ROOT_LIFETIME: Final = timedelta(days=3653)

_BOTH_ENDS: Final = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
"""What every leaf is for: whoever has one dials others and is dialled."""

LeafKey = Ed25519PublicKey | ec.EllipticCurvePublicKey


def new_root(name: x509.Name, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A root certificate for 10 years and its key (ECDSA P-256), which signs leaves only; ``now`` is an aware time."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + _ROOT_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


class Issuer:
    """A root certificate and its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    def issue(
        self,
        key: LeafKey,
        names: Sequence[x509.GeneralName],
        now: datetime,
        lifetime: timedelta,
        usages: Sequence[x509.ObjectIdentifier] = (),
    ) -> x509.Certificate:
        """A leaf for both ends of a connection.

        Args:
            key: the holder's.
            names: who the holder is.
            now: an aware time; valid from :data:`telegraph.protocol.identity.BACKDATED` before it.
            lifetime: counted from now, cut at the end of the root's own life.
            usages: what else it is for.
        """
        issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder(subject_name=x509.Name([]), issuer_name=self._certificate.subject, public_key=key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(min(now + lifetime, self._certificate.not_valid_after_utc))
            .add_extension(x509.SubjectAlternativeName(names), critical=True)  # critical, as the subject is empty
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([*_BOTH_ENDS, *usages]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(issuer_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )


def renewal_due(certificate: x509.Certificate) -> datetime:
    """When a leaf is to be issued anew: after two thirds of its life, counted from the moment at which it was made."""
    made = certificate.not_valid_before_utc + BACKDATED
    return made + (certificate.not_valid_after_utc - made) * 2 / 3


def host_name(host: str) -> x509.GeneralName:
    """A host as a certificate names it: by IP address or by DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """What a root's key is for, or a leaf's."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
