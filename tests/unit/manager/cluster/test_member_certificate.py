"""An etcd member's certificate is kept as long as it will do, and issued anew in time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telegraph.errors import DataUnreadable
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.cluster.certificates import MEMBER_LIFETIME, MemberCertificate
from telegraph.manager.cluster.command import ETCD_CERTIFICATE_FILE, ETCD_KEY_FILE
from telegraph.manager.cluster.organisation import Organisation
from telegraph.manager.requests import read_host_request

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HOSTS = ["10.0.0.2", "two.example"]


def on_disk(data: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((data / ETCD_CERTIFICATE_FILE).read_bytes())


def signed(certificate: MemberCertificate, organisation: Organisation, now: datetime) -> str:
    """What the manager that lets a newcomer in makes of its request."""
    asked = read_host_request(certificate.request())
    return organisation.etcd_authority().issue(asked.key, asked.hosts, now, MEMBER_LIFETIME)


def test_what_was_signed_at_the_join_is_used_and_not_replaced(tmp_path: Path, organisation: Organisation) -> None:
    certificate = MemberCertificate(tmp_path, HOSTS)
    certificate.store(signed(certificate, organisation, NOW))
    before = on_disk(tmp_path)
    certificate.refresh(organisation.etcd_authority(), NOW)
    assert on_disk(tmp_path) == before
    assert on_disk(tmp_path).public_key() == certificate.key().public_key()
    assert (tmp_path / ETCD_KEY_FILE).stat().st_mode & 0o777 == 0o600


@given(st.timedeltas(timedelta(days=-30), timedelta(days=200)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_is_issued_anew_once_two_thirds_are_gone_and_never_before(
    tmp_path: Path, organisation: Organisation, later: timedelta
) -> None:
    certificate = MemberCertificate(tmp_path, HOSTS)
    certificate.issue(organisation.etcd_authority(), NOW)
    before, key = on_disk(tmp_path), certificate.key().public_key()
    certificate.refresh(organisation.etcd_authority(), NOW + later)
    kept = timedelta(days=-2) <= later < MEMBER_LIFETIME * 2 / 3
    assert (on_disk(tmp_path) == before) is kept
    assert on_disk(tmp_path).not_valid_before_utc <= NOW + later < on_disk(tmp_path).not_valid_after_utc
    assert on_disk(tmp_path).public_key() == key


def test_another_host_another_ca_or_a_damaged_file_has_it_issued_anew(
    tmp_path: Path, organisation: Organisation
) -> None:
    authority = organisation.etcd_authority()
    other = Organisation.create(CertificateAuthority.create("Other", NOW), NOW).etcd_authority()
    MemberCertificate(tmp_path, HOSTS).refresh(authority, NOW)  # there is none yet
    for hosts, chosen in ((["10.0.0.3"], authority), (["10.0.0.3"], other)):
        before = on_disk(tmp_path)
        MemberCertificate(tmp_path, hosts).refresh(chosen, NOW)
        assert on_disk(tmp_path) != before
    (tmp_path / ETCD_CERTIFICATE_FILE).write_text("damaged")
    MemberCertificate(tmp_path, HOSTS).refresh(authority, NOW)
    (tmp_path / ETCD_KEY_FILE).unlink()  # with another key it is another's
    before = on_disk(tmp_path)
    MemberCertificate(tmp_path, HOSTS).refresh(authority, NOW)
    assert on_disk(tmp_path).public_key() != before.public_key()


def test_a_disk_that_does_not_take_it_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataUnreadable):
        MemberCertificate(tmp_path / "nowhere", HOSTS).key()
