"""The manager's TLS: its own certificate and how it shows it."""

import ssl
from datetime import datetime, timedelta

from cryptography import x509

from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.issuing import renewal_due
from telegraph.peer.credentials import Credentials, renew


def server_context(credentials: Credentials) -> ssl.SSLContext:
    """TLS 1.3 that asks nobody for a certificate: whoever calls has a session, or wants one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # no client of ours resumes a session: two tickets for each connection would be for nothing
    renew(context, credentials)
    return context


class Identity:
    """The manager's own certificate, issued by the CA at each start and again after two thirds of its life.

    The first one of a newcomer is signed by the manager that let it in (:mod:`telegraph.manager.cluster.applying`).
    """

    def __init__(self, ca: CertificateAuthority, manager_id: str, hosts: list[str], lifetime: timedelta) -> None:
        self._ca = ca
        self._manager_id = manager_id
        self._hosts = hosts
        self._lifetime = lifetime

    def issue(self, now: datetime) -> Credentials:
        """A new certificate with a new key."""
        certificate, key = self._ca.issue_manager(self._manager_id, self._hosts, now, self._lifetime)
        return Credentials(certificate_pem=certificate, key_pem=key, ca_pem=self._ca.pem)


def renew_at(credentials: Credentials) -> datetime:
    """When a manager's certificate is to be followed by the next one."""
    return renewal_due(x509.load_pem_x509_certificate(credentials.certificate_pem.encode()))
