"""An organisation's secrets, in a file and in a data directory."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from telegraph.errors import CannotStart, CaUnreadable, SealBroken
from telegraph.manager.ca import CA_FILE, CertificateAuthority
from telegraph.manager.cluster.authority import ETCD_ALIAS, ETCD_CA_FILE, ETCD_CA_KEY
from telegraph.manager.cluster.organisation import (
    ORGANISATION_FILE,
    TOKEN_FILE,
    Organisation,
    found_organisation,
    load_etcd_authority,
    read_organisation,
)
from telegraph.manager.cluster.secret import ClusterSecret
from telegraph.manager.cluster.token import read_token

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_founded_organisation_has_a_ca_a_token_and_one_secret_file(tmp_path: Path) -> None:
    fingerprint = found_organisation(tmp_path / "org", "Testing", NOW)
    read = read_organisation(tmp_path / "org" / ORGANISATION_FILE)
    token = read_token(tmp_path / "org" / TOKEN_FILE)
    assert read.authority().fingerprint == fingerprint == token.ca
    assert (token.secret, read.ca) == (read.join_secret, (tmp_path / "org" / CA_FILE).read_text())
    assert (tmp_path / "org" / ORGANISATION_FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "org" / TOKEN_FILE).stat().st_mode & 0o777 == 0o600


def test_secrets_are_never_overwritten(tmp_path: Path) -> None:
    found_organisation(tmp_path, "Testing", NOW)
    before = (tmp_path / ORGANISATION_FILE).read_bytes()
    with pytest.raises(CannotStart, match="not empty"):
        found_organisation(tmp_path, "Testing", NOW)
    assert (tmp_path / ORGANISATION_FILE).read_bytes() == before


def test_a_data_directory_keeps_all_but_the_organisations_key(tmp_path: Path, organisation: Organisation) -> None:
    organisation.save(tmp_path)
    assert load_etcd_authority(tmp_path).pem == organisation.etcd_ca
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [CA_FILE, "cluster-secret", ETCD_CA_KEY, ETCD_CA_FILE]
    )
    for path in tmp_path.iterdir():
        assert b"PRIVATE KEY" not in path.read_bytes()
        assert path.name == CA_FILE or path.stat().st_mode & 0o777 == 0o600


def test_the_key_of_a_foreign_secret_is_refused(tmp_path: Path, organisation: Organisation) -> None:
    organisation.save(tmp_path)
    ClusterSecret.create().save(tmp_path)
    with pytest.raises(SealBroken, match=ETCD_CA_KEY):
        load_etcd_authority(tmp_path)
    (tmp_path / ETCD_CA_KEY).unlink()
    with pytest.raises(CannotStart, match=ETCD_CA_KEY):
        load_etcd_authority(tmp_path)


def test_a_file_whose_parts_do_not_fit_is_refused(tmp_path: Path, organisation: Organisation) -> None:
    other = CertificateAuthority.create("Other", NOW).pem
    for wrong, error in (
        (msgspec.structs.replace(organisation, ca=other), CaUnreadable),
        (msgspec.structs.replace(organisation, ca_key=organisation.etcd_ca_key), SealBroken),
        (msgspec.structs.replace(organisation, secret="12"), CannotStart),
    ):
        (tmp_path / "file").write_bytes(msgspec.json.encode(wrong))
        with pytest.raises(error):
            read_organisation(tmp_path / "file")
    (tmp_path / "file").write_text("{}")
    with pytest.raises(CannotStart, match="new-org"):
        read_organisation(tmp_path / "file")


def test_nothing_of_it_is_shown(organisation: Organisation) -> None:
    assert organisation.join_secret not in repr(organisation)
    assert organisation.secret not in repr(organisation)


def test_etcds_ca_is_another_and_signs_members_with_all_their_names(organisation: Organisation) -> None:
    authority = organisation.etcd_authority()
    key = ec.generate_private_key(ec.SECP256R1())
    pem = authority.issue(key.public_key(), ["10.0.0.1", "one.example"], NOW, NOW - NOW.replace(year=2029))
    leaf = x509.load_pem_x509_certificate(pem.encode())
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(organisation.etcd_ca.encode()))
    with pytest.raises(ValueError, match="Issuer"):
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(organisation.ca.encode()))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {ETCD_ALIAS, "one.example", "localhost"} <= set(names.get_values_for_type(x509.DNSName))
    assert "10.0.0.1" in [str(ip) for ip in names.get_values_for_type(x509.IPAddress)]
