"""When a certificate is to be renewed: once two thirds of its life are over (DESIGN.md section 5). Pure."""

from datetime import datetime

from cryptography import x509

from telegraph.protocol.identity import BACKDATED


def renewal_due(certificate_pem: str, now: datetime) -> bool:
    """Whether it is time for a new certificate."""
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    begin, end = certificate.not_valid_before_utc + BACKDATED, certificate.not_valid_after_utc
    return now >= begin + (end - begin) * 2 / 3
