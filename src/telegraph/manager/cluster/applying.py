"""A newcomer's keys, which are made here and never travel, and what it makes of the answer to its requests."""

from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from telegraph.manager.ca import CA_FILE, key_pem, read_certificate
from telegraph.manager.cluster.asking import ask_to_join
from telegraph.manager.cluster.certificates import ClientIdentity, MemberCertificate
from telegraph.manager.cluster.organisation import Organisation
from telegraph.manager.cluster.place import Place
from telegraph.manager.cluster.token import JoinToken
from telegraph.manager.places import certificate_hosts
from telegraph.manager.requests import check_signed, request_for
from telegraph.peer.credentials import Credentials
from telegraph.protocol.cluster_api import JoinAnswer, JoinRequest


class Admission:
    """What the group gave to a newcomer, checked: everything names the newcomer's own keys.

    Attributes:
        organisation: the CAs and the secret.
        credentials: its certificate as a manager.
        member: that of its etcd member, the same with which it calls etcd until it is a member.
        clients: client URLs of the group's etcd members.
        etcd_certificate: the member's certificate, PEM.
    """

    def __init__(
        self, organisation: Organisation, credentials: Credentials, member: ClientIdentity, clients: list[str]
    ) -> None:
        self.organisation: Final = organisation
        self.credentials: Final = credentials
        self.member: Final = member
        self.clients: Final = clients


class Applicant:
    """Asks to be let in; may ask again and again with the same keys."""

    def __init__(self, place: Place, token: JoinToken) -> None:
        """Makes the keys: the manager's lives in memory, etcd's in its file.

        Raises:
            DataUnreadable: the file cannot be read or written.
            CaUnreadable: it is damaged.
        """
        member = place.new_member()
        self._place = place
        self._token = token
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = MemberCertificate(place.data, [member.host, member.listen])

    async def ask(self, url: str) -> Admission:
        """Asks one manager.

        Raises:
            CannotJoin: it answered with certificates of other keys.
            ManagerAway, CaMismatch, WrongToken: see :func:`telegraph.manager.cluster.asking.ask_to_join`.
        """
        return self._admission(await ask_to_join(url, self._token, self._request()))

    def _request(self) -> JoinRequest:
        return JoinRequest(
            secret=self._token.secret,
            manager_id=self._place.manager_id,
            url=self._place.url,
            csr=request_for(self._key, certificate_hosts(self._place.settings)),
            etcd_csr=self._certificate.request(),
        )

    def _admission(self, answer: JoinAnswer) -> Admission:
        etcd_key = self._certificate.key()
        check_signed(answer.certificate, self._key, _root(answer.ca))
        check_signed(answer.etcd_certificate, etcd_key, _root(answer.etcd_ca))
        return Admission(
            Organisation(
                answer.ca,
                answer.ca_key,
                answer.etcd_ca,
                answer.etcd_ca_key,
                answer.cluster_secret,
                self._token.secret,
            ),
            Credentials(answer.certificate, key_pem(self._key), answer.ca),
            ClientIdentity(answer.etcd_ca.encode(), answer.etcd_certificate.encode(), key_pem(etcd_key)),
            answer.etcd,
        )

    def keep(self, admission: Admission) -> None:
        """Writes what was given into the data directory, durable on return.

        Raises:
            DataUnreadable: the disk does not take it.
        """
        admission.organisation.save(self._place.data)
        self._certificate.store(admission.member.certificate_pem.decode())


def _root(pem: str) -> x509.Certificate:
    return read_certificate(pem.encode(), Path(CA_FILE))
