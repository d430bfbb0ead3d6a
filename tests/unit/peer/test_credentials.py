"""TLS without a network: both ends of each handshake talk through memory."""

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telegraph.node.keys import DeviceKey
from telegraph.peer.credentials import Credentials, client_context, renew, server_context
from telegraph.protocol.identity import holder_of
from telegraph.testing.certificates import Organisation

US = Organisation("Us")
ALICE, BOB = US.device("alice"), US.device("bob")


class End:
    """One end of a TLS connection."""

    def __init__(self, context: ssl.SSLContext, *, server: bool, name: str | None = None) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server, server_hostname=name)
        self.done = False

    def step(self) -> None:
        try:
            self.tls.do_handshake()
            self.done = True
        except ssl.SSLWantReadError:
            pass

    def peer_id(self) -> str:
        der = self.tls.getpeercert(binary_form=True)
        assert der is not None
        return holder_of(der).id


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str | None = None) -> tuple[End, End]:
    """Both ends after a whole handshake; raises what either of them refuses."""
    ends = End(client, server=False, name=name), End(server, server=True)
    for _ in range(4):
        for here, there in (ends, ends[::-1]):
            here.step()
            there.incoming.write(here.outgoing.read())
    assert all(end.done for end in ends)
    return ends


def test_both_ends_learn_who_the_other_is() -> None:
    here, there = shake_hands(client_context(ALICE.credentials), server_context(BOB.credentials))
    assert (here.peer_id(), there.peer_id()) == ("id-bob", "id-alice")
    assert here.tls.version() == there.tls.version() == "TLSv1.3"


def test_a_stranger_without_a_certificate_is_refused() -> None:
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    stranger.check_hostname = False
    stranger.load_verify_locations(cadata=US.ca.pem)
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        shake_hands(stranger, server_context(BOB.credentials))


def test_another_organisations_certificate_is_refused_by_either_end() -> None:
    theirs = Organisation("Us").device("alice").credentials
    with pytest.raises(ssl.SSLCertVerificationError):  # by the client
        shake_hands(client_context(ALICE.credentials), server_context(theirs))
    pretending = Credentials(theirs.certificate_pem, theirs.key_pem, US.ca.pem)
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):  # by the server
        shake_hands(client_context(pretending), server_context(BOB.credentials))


def test_an_expired_certificate_is_refused_by_either_end() -> None:
    late = US.device("carol", expired=True).credentials
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake_hands(client_context(ALICE.credentials), server_context(late))
    with pytest.raises(ssl.SSLError, match="expired"):
        shake_hands(client_context(late), server_context(BOB.credentials))


def test_older_tls_is_refused() -> None:
    old = client_context(ALICE.credentials)
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION"):
        shake_hands(old, server_context(BOB.credentials))


def test_a_user_is_refused_as_a_manager_inside_the_handshake() -> None:
    asking = ssl.create_default_context(cadata=US.ca.pem)
    here, _ = shake_hands(asking, _serving(US.manager()), "identity-manager")
    assert here.peer_id() == "m1"
    with pytest.raises(ssl.SSLCertVerificationError, match="identity-manager"):
        shake_hands(asking, _serving(US.device("identity-manager").credentials), "identity-manager")


def _serving(credentials: Credentials) -> ssl.SSLContext:
    """As a manager serves: without asking for a certificate."""
    context = server_context(credentials)
    context.verify_mode = ssl.CERT_NONE
    return context


def test_renewal_shows_the_new_certificate_from_the_next_handshake_on() -> None:
    serving = server_context(BOB.credentials)
    before = shake_hands(client_context(ALICE.credentials), serving)[0].tls.getpeercert(binary_form=True)
    renew(serving, US.device("bob", key=BOB.key).credentials)
    after = shake_hands(client_context(ALICE.credentials), serving)[0].tls.getpeercert(binary_form=True)
    assert before is not None
    assert after is not None
    assert before != after
    assert holder_of(before) == holder_of(after)


def test_no_session_can_be_resumed_past_its_certificates_end() -> None:
    here, there = shake_hands(client_context(ALICE.credentials), server_context(BOB.credentials))
    there.tls.write(b"anything, after which a ticket would have come")
    here.incoming.write(there.outgoing.read())
    here.tls.read()
    assert here.tls.session is None or not here.tls.session.has_ticket


def test_a_key_that_does_not_fit_its_certificate_is_said_at_once() -> None:
    mixed = Credentials(ALICE.credentials.certificate_pem, BOB.key.private_pem, US.ca.pem)
    with pytest.raises(ssl.SSLError):
        server_context(mixed)


@pytest.mark.parametrize("broken", ["", "garbage", "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"])
def test_malformed_credentials_are_said_at_once(broken: str) -> None:
    good = ALICE.credentials
    for credentials in (
        Credentials(broken, good.key_pem, good.ca_pem),
        Credentials(good.certificate_pem, broken.encode(), good.ca_pem),
        Credentials(good.certificate_pem, good.key_pem, broken),
    ):
        with pytest.raises((ssl.SSLError, ValueError)):
            client_context(credentials)


def test_the_private_key_is_not_shown() -> None:
    assert "PRIVATE" not in repr(ALICE.credentials)


def test_the_private_key_touches_no_disk_and_no_descriptor_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    load = ssl.SSLContext.load_cert_chain

    def watched(self: ssl.SSLContext, certfile: str) -> None:
        loaded.append(str(Path(certfile).readlink()))
        load(self, certfile)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)
    descriptors = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers, not files
    client_context(ALICE.credentials)
    assert set(os.listdir("/proc/self/fd")) == descriptors  # noqa: PTH208 - numbers, not files
    assert loaded == ["/memfd:telegraph-identity (deleted)"]
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_is_good_for_a_machine_whose_clock_is_slow() -> None:
    key = DeviceKey.create()
    ahead = datetime.now(UTC) + timedelta(minutes=4)
    certificate = US.ca.sign_device(key.csr(), "id-dan", ahead, timedelta(hours=1))
    dan = Credentials(certificate, key.private_pem, US.ca.pem)
    here, _ = shake_hands(client_context(ALICE.credentials), server_context(dan))
    assert here.peer_id() == "id-dan"
