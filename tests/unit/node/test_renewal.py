from datetime import UTC, datetime, timedelta

from telegraph.node.renewal import renewal_due
from telegraph.testing.certificates import Organisation


def test_a_certificate_is_renewed_when_two_thirds_of_its_life_are_over() -> None:
    certificate = Organisation().device("alice").credentials.certificate_pem  # lives for a day, from five minutes ago
    now = datetime.now(UTC)

    assert not renewal_due(certificate, now)
    assert not renewal_due(certificate, now + timedelta(hours=15))
    assert renewal_due(certificate, now + timedelta(hours=17))
    assert renewal_due(certificate, now + timedelta(days=30))
