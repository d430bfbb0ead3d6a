from datetime import UTC, datetime, timedelta

from cryptography import x509

from telegraph.node.renewal import renewal_due
from telegraph.testing.certificates import Organisation


def test_a_certificate_is_renewed_when_two_thirds_of_its_life_are_over() -> None:
    certificate = Organisation().device("alice").credentials.certificate_pem  # lives for a day, from now on
    now = datetime.now(UTC)

    assert not renewal_due(certificate, now)
    assert not renewal_due(certificate, now + timedelta(hours=15))
    assert renewal_due(certificate, now + timedelta(hours=16, minutes=1))
    assert renewal_due(certificate, now + timedelta(days=30))


def test_a_certificate_is_good_on_a_machine_whose_clock_is_a_day_behind_and_not_renewed_for_it() -> None:
    certificate = Organisation().device("alice").credentials.certificate_pem
    behind = datetime.now(UTC) - timedelta(days=1)

    assert x509.load_pem_x509_certificate(certificate.encode()).not_valid_before_utc < behind
    assert not renewal_due(certificate, behind)
