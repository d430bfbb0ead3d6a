from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from telegraph.errors import WrongRole
from telegraph.protocol.identity import (
    MANAGER_ALIAS,
    ROLE_OIDS,
    Holder,
    fingerprint,
    holder_of,
    public_key_bytes,
    subject_uri,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CA_KEY = ec.generate_private_key(ec.SECP256R1())
DEVICE = ed25519.Ed25519PrivateKey.generate()
DEVICE_BYTES = DEVICE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
USER, MANAGER = ROLE_OIDS["user"], ROLE_OIDS["manager"]
Key = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey


def _certificate(
    uris: Sequence[str] | None, usages: Sequence[x509.ObjectIdentifier] | None, key: Key | None = None, dns: str = ""
) -> x509.Certificate:
    """A certificate of the organisation that says just this of its holder."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test organisation")]))
        .public_key(key or DEVICE.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=30))
    )
    if uris is not None:
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        names += [x509.DNSName(dns)] if dns else []
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    if usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return builder.sign(CA_KEY, hashes.SHA256())


def _holder(
    uris: Sequence[str] | None, usages: Sequence[x509.ObjectIdentifier] | None, key: Key | None = None
) -> Holder:
    return holder_of(_certificate(uris, usages, key).public_bytes(Encoding.DER))


CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


def test_alices_certificate_says_that_she_is_a_user_and_which_key_is_hers() -> None:
    assert _holder(["telegraph:user:alice-id"], [CLIENT, USER]) == Holder("user", "alice-id", DEVICE_BYTES)


def test_a_managers_certificate_says_that_it_is_a_manager() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    holder = _holder(["telegraph:manager:m1"], [CLIENT, MANAGER], key)
    assert (holder.role, holder.id) == ("manager", "m1")
    assert holder.key == key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_names_of_other_kinds_beside_the_role_do_not_matter() -> None:
    certificate = _certificate(["telegraph:manager:m1", "https://m1.example.org"], [MANAGER], dns=MANAGER_ALIAS)
    assert holder_of(certificate.public_bytes(Encoding.DER)).id == "m1"


def test_the_dns_name_of_managers_does_not_make_a_user_a_manager() -> None:
    certificate = _certificate(["telegraph:user:mallory"], [USER], dns=MANAGER_ALIAS)
    assert holder_of(certificate.public_bytes(Encoding.DER)).role == "user"


@pytest.mark.parametrize(
    ("uris", "usages"),
    [
        (["telegraph:user:mallory"], [MANAGER]),
        (["telegraph:manager:mallory"], [USER]),
        (["telegraph:user:mallory"], [USER, MANAGER]),
        (["telegraph:user:mallory", "telegraph:manager:mallory"], [USER]),
        (["telegraph:user:mallory", "telegraph:user:alice-id"], [USER]),
        (["telegraph:user:mallory"], [CLIENT]),
        (["telegraph:user:mallory"], None),
        (["https://example.org"], [USER]),
        ([], [USER]),
        (None, [USER]),
        (None, None),
        (["telegraph:user:"], [USER]),
        (["telegraph:user"], [USER]),
        (["telegraph:"], [USER]),
        (["telegraph:admin:mallory"], [USER]),
        (["TELEGRAPH:user:mallory"], [USER]),
    ],
)
def test_a_certificate_without_exactly_one_role_said_twice_has_none(
    uris: list[str] | None, usages: list[x509.ObjectIdentifier] | None
) -> None:
    with pytest.raises(WrongRole):
        _holder(uris, usages)


def test_an_id_with_colons_is_kept_whole() -> None:
    assert _holder([subject_uri("user", "a:b:c")], [USER]).id == "a:b:c"


def test_the_roles_oids_differ_and_never_change() -> None:
    # Written out: certificates that are out there carry them.
    arc = "2.25.189724598337045108340741225307446230141"
    assert (MANAGER.dotted_string, USER.dotted_string) == (f"{arc}.1", f"{arc}.2")


def test_a_fingerprint_is_what_openssl_prints_without_colons() -> None:
    certificate = _certificate(None, None)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(certificate.public_bytes(Encoding.DER))
    assert fingerprint(certificate) == digest.finalize().hex()


def test_a_device_key_is_its_32_raw_bytes() -> None:
    assert public_key_bytes(_certificate(None, None)) == DEVICE_BYTES
    assert len(DEVICE_BYTES) == 32
