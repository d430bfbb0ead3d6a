import base64
import ipaddress
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import CaUnreadable, IllegalCsr
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.requests import MAX_CSR_LENGTH
from telegraph.node.keys import DeviceKey
from telegraph.protocol.identity import BACKDATED, ROLE_OIDS, Holder, holder_of

NOW = datetime(2030, 5, 1, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def ca() -> CertificateAuthority:
    return CertificateAuthority.create("The Chess Club", NOW)


def leaf(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def holder(pem: str) -> Holder:
    return holder_of(leaf(pem).public_bytes(serialization.Encoding.DER))


def names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def usages(certificate: x509.Certificate) -> set[x509.ObjectIdentifier]:
    return set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


# --- the root ---


def test_the_root_lasts_ten_years_and_signs_leaves_only(ca: CertificateAuthority) -> None:
    root = ca.certificate
    assert root.not_valid_before_utc == NOW - BACKDATED
    assert root.not_valid_after_utc >= NOW + timedelta(days=3652)
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    usage = root.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.key_cert_sign, usage.value.crl_sign, usage.value.digital_signature) == (True, True, False)
    assert isinstance(root.public_key(), ec.EllipticCurvePublicKey)
    root.verify_directly_issued_by(root)


def test_the_root_names_its_organisation(ca: CertificateAuthority) -> None:
    (organisation,) = ca.certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert organisation.value == "The Chess Club"


def test_the_fingerprint_is_the_sha256_of_the_certificate(ca: CertificateAuthority) -> None:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(ca.certificate.public_bytes(serialization.Encoding.DER))
    assert ca.fingerprint == digest.finalize().hex()


def test_two_organisations_of_one_name_are_two(ca: CertificateAuthority) -> None:
    assert CertificateAuthority.create("The Chess Club", NOW).fingerprint != ca.fingerprint


# --- on disk ---


def test_a_saved_ca_is_the_same_after_loading(ca: CertificateAuthority, tmp_path: Path) -> None:
    ca.save(tmp_path)
    again = CertificateAuthority.load(tmp_path)
    assert again.pem == ca.pem
    leaf(again.sign_device(DeviceKey.create().csr(), "alice", NOW, DAY)).verify_directly_issued_by(ca.certificate)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_only_the_owner_can_read_the_key_whatever_the_umask(
    ca: CertificateAuthority, tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        ca.save(tmp_path)
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {"ca.pem": 0o644, "ca-key.pem": 0o600}


def test_saving_survives_what_a_crash_left_behind(ca: CertificateAuthority, tmp_path: Path) -> None:
    (tmp_path / ".ca-key.pem.new").write_text("half a k")
    ca.save(tmp_path)
    assert CertificateAuthority.load(tmp_path).fingerprint == ca.fingerprint
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ca-key.pem", "ca.pem"]


def test_the_key_is_on_disk_before_the_certificate_that_says_so(
    ca: CertificateAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        order.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    ca.save(tmp_path)
    assert order == ["ca-key.pem", "ca.pem"]


def _missing(directory: Path) -> None:
    (directory / "ca.pem").unlink()


def _missing_key(directory: Path) -> None:
    (directory / "ca-key.pem").unlink()


def _garbage(directory: Path) -> None:
    (directory / "ca.pem").write_bytes(b"\0\xff garbage")


def _garbage_key(directory: Path) -> None:
    (directory / "ca-key.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")


def _directory(directory: Path) -> None:
    (directory / "ca.pem").unlink()
    (directory / "ca.pem").mkdir()


def _leaf_for_root(directory: Path) -> None:
    authority = CertificateAuthority.load(directory)
    (directory / "ca.pem").write_text(authority.sign_device(DeviceKey.create().csr(), "alice", NOW, DAY))


def _foreign_key(directory: Path) -> None:
    other = directory / "other"
    other.mkdir()
    CertificateAuthority.create("Another", NOW).save(other)
    (other / "ca-key.pem").replace(directory / "ca-key.pem")


def _key_of_another_kind(directory: Path) -> None:
    (directory / "ca-key.pem").write_bytes(DeviceKey.create().private_pem)


def _encrypted_key(directory: Path) -> None:
    secret = serialization.BestAvailableEncryption(b"secret")
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret
    )
    (directory / "ca-key.pem").write_bytes(pem)


@pytest.mark.parametrize(
    "damage",
    [
        _missing,
        _missing_key,
        _garbage,
        _garbage_key,
        _directory,
        _leaf_for_root,
        _foreign_key,
        _key_of_another_kind,
        _encrypted_key,
    ],
)
def test_a_damaged_ca_is_said_in_one_sentence(
    ca: CertificateAuthority, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    ca.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(CaUnreadable, match=r"^The CA file .*/ca.* cannot be used: .+\.$"):
        CertificateAuthority.load(tmp_path)


# --- devices ---


def test_alices_certificate_says_that_the_key_is_hers(ca: CertificateAuthority) -> None:
    key = DeviceKey.create()
    pem = ca.sign_device(key.csr(), "alice-id", NOW, 30 * DAY)
    assert holder(pem) == Holder("user", "alice-id", key.public)
    certificate = leaf(pem)
    certificate.verify_directly_issued_by(ca.certificate)
    assert certificate.not_valid_before_utc == NOW - BACKDATED
    assert certificate.not_valid_after_utc == NOW + 30 * DAY
    assert usages(certificate) == {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ROLE_OIDS["user"],
    }


def test_whatever_a_request_asks_for_only_its_key_counts(ca: CertificateAuthority) -> None:
    private = Ed25519PrivateKey.generate()
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "identity-manager")]))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("identity-manager"), x509.UniformResourceIdentifier("telegraph:manager:m1")]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=5), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ROLE_OIDS["manager"]]), critical=False)
        .sign(private, None)
    )
    pem = ca.sign_device(greedy.public_bytes(serialization.Encoding.PEM).decode(), "mallory", NOW, DAY)
    certificate = leaf(pem)
    assert holder(pem).role == "user"
    assert list(names(certificate)) == [x509.UniformResourceIdentifier("telegraph:user:mallory")]
    assert ROLE_OIDS["manager"] not in usages(certificate)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert list(certificate.subject) == []


def test_two_certificates_for_one_key_have_different_serial_numbers(ca: CertificateAuthority) -> None:
    csr = DeviceKey.create().csr()
    first, second = (leaf(ca.sign_device(csr, "alice", NOW, DAY)).serial_number for _ in range(2))
    assert first != second
    assert first.bit_length() > 64


def test_no_certificate_outlives_the_root(ca: CertificateAuthority) -> None:
    pem = ca.sign_device(DeviceKey.create().csr(), "alice", NOW, timedelta(days=100_000))
    assert leaf(pem).not_valid_after_utc == ca.certificate.not_valid_after_utc


def test_the_device_key_is_read_out_of_the_request() -> None:
    key = DeviceKey.create()
    assert CertificateAuthority.device_key(key.csr()) == key.public


def _csr_with(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def _of_a_later_version() -> str:
    """A request whose version is 5; PKCS 10 knows 0 only (RFC 2986, 4.1)."""
    der = x509.load_pem_x509_csr(DeviceKey.create().csr().encode()).public_bytes(serialization.Encoding.DER)
    changed = base64.encodebytes(der.replace(b"\x02\x01\x00", b"\x02\x01\x05", 1)).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{changed}-----END CERTIFICATE REQUEST-----\n"


def _tampered() -> str:
    """A request whose signature belongs to another key."""
    requests = [x509.load_pem_x509_csr(DeviceKey.create().csr().encode()) for _ in range(2)]
    ours, theirs = (request.public_bytes(serialization.Encoding.DER) for request in requests)
    mixed = ours[:-64] + theirs[-64:]
    return x509.load_der_x509_csr(mixed).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    "csr",
    [
        "",
        "not PEM at all",
        "ünïcode \udcff",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "\0" * 100,
        " " * (MAX_CSR_LENGTH + 1),
        DeviceKey.create().private_pem.decode(),
        _csr_with(ec.generate_private_key(ec.SECP256R1())),
        _csr_with(rsa.generate_private_key(65537, 2048)),
        _tampered(),
        _of_a_later_version(),
    ],
    ids=["empty", "text", "unicode", "garbage", "nul", "long", "private key", "ecdsa", "rsa", "tampered", "version"],
)
def test_an_illegal_request_is_refused(ca: CertificateAuthority, csr: str) -> None:
    with pytest.raises(IllegalCsr):
        CertificateAuthority.device_key(csr)
    with pytest.raises(IllegalCsr):
        ca.sign_device(csr, "mallory", NOW, DAY)


@given(cut=st.integers(0, 400), junk=st.binary(max_size=40))
def test_a_mangled_request_never_raises_anything_else(cut: int, junk: bytes) -> None:
    csr = DeviceKey.create().csr()
    mangled = csr[:cut] + junk.decode("latin-1") + csr[cut + len(junk) :]
    try:
        key = CertificateAuthority.device_key(mangled)
    except IllegalCsr:
        return
    assert len(key) == 32


# --- managers ---


def test_a_managers_certificate_names_its_role_the_alias_and_its_hosts(ca: CertificateAuthority) -> None:
    hosts = ["chat.example.org", "127.0.0.1", "::1", "chat.example.org", "identity-manager"]
    pem, key_pem = ca.issue_manager("m1", hosts, NOW, DAY)
    certificate = leaf(pem)
    certificate.verify_directly_issued_by(ca.certificate)
    assert (holder(pem).role, holder(pem).id) == ("manager", "m1")
    found = names(certificate)
    assert found.get_values_for_type(x509.DNSName) == ["identity-manager", "chat.example.org"]
    assert found.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    ]
    key = serialization.load_pem_private_key(key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == certificate.public_key()
    assert ROLE_OIDS["user"] not in usages(certificate)


def test_independent_verification_accepts_a_manager_and_refuses_a_user_by_that_name(ca: CertificateAuthority) -> None:
    verifier = (
        PolicyBuilder().store(Store([ca.certificate])).time(NOW).build_server_verifier(x509.DNSName("identity-manager"))
    )
    pem, _ = ca.issue_manager("m1", [], NOW, DAY)
    assert verifier.verify(leaf(pem), []) == [leaf(pem), ca.certificate]
    user = ca.sign_device(DeviceKey.create().csr(), "identity-manager", NOW, DAY)
    with pytest.raises(x509.verification.VerificationError):
        verifier.verify(leaf(user), [])
