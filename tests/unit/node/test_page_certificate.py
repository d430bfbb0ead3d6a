import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from telegraph.errors import PageCertificateUnreadable
from telegraph.node.api.certificate import CERTIFICATE_FILE, KEY_FILE, LIFETIME, PageFiles, kept, page_context

NOW = datetime(2026, 11, 24, tzinfo=UTC)
HOSTS = ("alice.example", "192.0.2.7", "2001:db8::7")


def test_it_names_the_hosts_under_which_browsers_come(tmp_path: Path) -> None:
    certificate = kept(tmp_path, HOSTS, NOW).read()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert names.get_values_for_type(x509.DNSName) == ["alice.example"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7", "2001:db8::7"]
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= timedelta(days=398)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0


def test_it_stays_the_same_from_start_to_start_until_it_is_old_or_other_hosts_are_wanted(tmp_path: Path) -> None:
    first = kept(tmp_path, HOSTS, NOW).fingerprint()

    assert kept(tmp_path, HOSTS, NOW + timedelta(days=200)).fingerprint() == first
    assert kept(tmp_path, HOSTS[:1], NOW).fingerprint() == first
    other = kept(tmp_path, ("bob.example",), NOW).fingerprint()
    assert other != first
    assert kept(tmp_path, ("bob.example",), NOW + LIFETIME * 0.9).fingerprint() != other


def test_a_key_without_its_certificate_is_made_good(tmp_path: Path) -> None:
    kept(tmp_path, HOSTS, NOW)
    stranger = tmp_path / "other"
    stranger.mkdir()
    kept(stranger, HOSTS, NOW)
    (stranger / KEY_FILE).rename(tmp_path / KEY_FILE)

    page_context(kept(tmp_path, HOSTS, NOW))


def test_nothing_older_than_tls_13_is_spoken(tmp_path: Path) -> None:
    assert page_context(kept(tmp_path, HOSTS, NOW)).minimum_version is ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize("spoilt", [CERTIFICATE_FILE, KEY_FILE])
@pytest.mark.parametrize("content", [None, "nonsense"])
def test_a_certificate_that_is_no_good_is_said_with_its_file(tmp_path: Path, spoilt: str, content: str | None) -> None:
    kept(tmp_path, HOSTS, NOW)
    if content is None:
        (tmp_path / spoilt).unlink()
    else:
        (tmp_path / spoilt).write_text(content)

    with pytest.raises(PageCertificateUnreadable, match="page-"):
        page_context(PageFiles(tmp_path / CERTIFICATE_FILE, tmp_path / KEY_FILE))
