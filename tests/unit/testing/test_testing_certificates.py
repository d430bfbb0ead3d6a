from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from telegraph.peer.credentials import client_context
from telegraph.protocol.identity import holder_of
from telegraph.testing.certificates import Organisation


def certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def test_alice_and_bob_belong_to_one_organisation_and_are_two() -> None:
    organisation = Organisation()
    alice, bob = organisation.device("alice"), organisation.device("bob")
    for device in (alice, bob):
        certificate(device.credentials.certificate_pem).verify_directly_issued_by(organisation.ca.certificate)
        client_context(device.credentials)
    assert alice.holder != bob.holder
    assert alice.holder.id == "id-alice"


def test_a_device_keeps_its_key_when_its_certificate_is_renewed() -> None:
    organisation = Organisation()
    alice = organisation.device("alice")
    again = organisation.device("alice", key=alice.key)
    assert again.holder == alice.holder
    assert again.credentials.certificate_pem != alice.credentials.certificate_pem


def test_an_expired_certificate_has_run_out() -> None:
    late = certificate(Organisation().device("alice", expired=True).credentials.certificate_pem)
    assert late.not_valid_after_utc < datetime.now(UTC)


def test_a_manager_has_the_manager_role() -> None:
    manager = certificate(Organisation().manager("m7").certificate_pem)
    der = manager.public_bytes(Encoding.DER)
    assert (holder_of(der).role, holder_of(der).id) == ("manager", "m7")
