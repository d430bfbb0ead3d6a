"""A newcomer asks with its own keys, and takes nothing that was signed for others."""

import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from telegraph.errors import CannotJoin
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster.applying import Admission, Applicant
from telegraph.manager.cluster.authority import EtcdAuthority
from telegraph.manager.cluster.certificates import MEMBER_LIFETIME
from telegraph.manager.cluster.command import ETCD_CERTIFICATE_FILE, ETCD_KEY_FILE
from telegraph.manager.cluster.organisation import Organisation, load_etcd_authority
from telegraph.manager.cluster.place import Place
from telegraph.manager.cluster.token import JoinToken
from telegraph.manager.requests import read_host_request
from telegraph.manager.settings import ManagerSettings
from telegraph.protocol.cluster_api import JoinAnswer, JoinRequest

URL = "https://10.0.0.1:8000"


class Group:
    """A manager that lets newcomers in, as far as they see it; it may sign with authorities of others."""

    def __init__(self, organisation: Organisation) -> None:
        self.organisation = organisation
        self.authority = organisation.authority()
        self.etcd = organisation.etcd_authority()
        self.asked: list[JoinRequest] = []

    async def answer(self, url: str, token: JoinToken, request: JoinRequest) -> JoinAnswer:
        assert (url, token.secret) == (URL, request.secret)
        self.asked.append(request)
        manager, member = read_host_request(request.csr), read_host_request(request.etcd_csr)
        now = read_clock().utc
        return JoinAnswer(
            message="",
            status=200,
            ca=self.organisation.ca,
            ca_key=self.organisation.ca_key,
            etcd_ca=self.organisation.etcd_ca,
            etcd_ca_key=self.organisation.etcd_ca_key,
            cluster_secret=self.organisation.secret,
            etcd=["https://10.0.0.1:2379"],
            certificate=self.authority.certify_manager(
                manager.key, request.manager_id, manager.hosts, now, MEMBER_LIFETIME
            ),
            etcd_certificate=self.etcd.issue(member.key, member.hosts, now, MEMBER_LIFETIME),
        )


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Group:
    now = read_clock().utc
    made = Group(Organisation.create(CertificateAuthority.create("Testing", now), now))
    monkeypatch.setattr("telegraph.manager.cluster.applying.ask_to_join", made.answer)
    return made


@pytest.fixture
def applicant(tmp_path: Path, group: Group) -> Iterator[Applicant]:
    settings = ManagerSettings(data=tmp_path, host="10.0.0.2")
    with socket.socket() as listening:
        place = Place(settings, "m2", "https://10.0.0.2:8000", "10.0.0.2", "10.0.0.2", listening, read_clock)
        yield Applicant(place, JoinToken(group.authority.fingerprint, group.organisation.join_secret))


async def test_its_keys_stay_with_it_and_what_they_are_certified_as_is_kept(
    applicant: Applicant, group: Group, tmp_path: Path
) -> None:
    admission = await applicant.ask(URL)
    applicant.keep(admission)
    assert "PRIVATE KEY" not in msgspec.json.encode(group.asked[0]).decode()
    assert (tmp_path / ETCD_CERTIFICATE_FILE).read_bytes() == admission.member.certificate_pem
    assert (tmp_path / ETCD_KEY_FILE).read_bytes() == admission.member.key_pem
    assert load_etcd_authority(tmp_path).pem == group.organisation.etcd_ca
    assert admission.organisation == group.organisation
    assert admission.clients == ["https://10.0.0.1:2379"]
    leaf = x509.load_pem_x509_certificate(admission.credentials.certificate_pem.encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "10.0.0.2" in [str(ip) for ip in names.get_values_for_type(x509.IPAddress)]


async def test_it_may_ask_again_with_the_same_keys(applicant: Applicant) -> None:
    def keys(admission: Admission) -> tuple[bytes, bytes]:
        return admission.credentials.key_pem, admission.member.key_pem

    assert keys(await applicant.ask(URL)) == keys(await applicant.ask(URL))


async def test_certificates_of_another_ca_are_not_taken(applicant: Applicant, group: Group, tmp_path: Path) -> None:
    now = read_clock().utc
    group.etcd = EtcdAuthority.create(now)
    with pytest.raises(CannotJoin):
        await applicant.ask(URL)
    group.etcd, group.authority = group.organisation.etcd_authority(), CertificateAuthority.create("Other", now)
    with pytest.raises(CannotJoin):
        await applicant.ask(URL)
    assert not (tmp_path / ETCD_CERTIFICATE_FILE).exists()
