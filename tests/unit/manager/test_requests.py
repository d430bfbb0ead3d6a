"""A manager's certificate signing request: what it asks for is read back, and nothing else gets through."""

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import CannotJoin, IllegalCsr
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.requests import MOST_HOSTS, check_signed, read_host_request, request_for
from telegraph.node.keys import DeviceKey

KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

names = st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z]{2,5})?", fullmatch=True)
addresses = st.ip_addresses().map(str)


@given(st.lists(addresses, max_size=8, unique=True), st.lists(names, max_size=8, unique=True))
def test_what_was_asked_for_is_read_back(ips: list[str], dns: list[str]) -> None:
    found = read_host_request(request_for(KEY, [*dns, *ips, *dns]))
    assert found.key == KEY.public_key()
    assert found.hosts == (*ips, *dns)


def _csr(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, *names: x509.GeneralName) -> str:
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def test_of_a_greedy_request_the_key_and_the_hosts_count() -> None:
    greedy = _csr(KEY, x509.DNSName("two.example"), x509.UniformResourceIdentifier("telegraph:user:alice"))
    assert read_host_request(greedy).hosts == ("two.example",)
    assert read_host_request(_csr(KEY)).hosts == ()


def _tampered() -> str:
    ours = x509.load_pem_x509_csr(request_for(KEY, ["ours.example"]).encode()).public_bytes(Encoding.DER)
    return x509.load_der_x509_csr(ours.replace(b"ours", b"your")).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("csr", "why"),
    [
        ("", "PEM"),
        ("ünïcode \udcff", "PEM"),
        (_tampered(), "own key"),
        (DeviceKey.create().csr(), "P-256"),
        (_csr(rsa.generate_private_key(65537, 2048)), "P-256"),
        (_csr(ec.generate_private_key(ec.SECP384R1())), "P-256"),
        (_csr(KEY, *(x509.IPAddress(ipaddress.ip_address(number)) for number in range(MOST_HOSTS + 1))), "hosts"),
    ],
    ids=["empty", "unicode", "tampered", "device", "rsa", "curve", "hosts"],
)
def test_an_illegal_request_is_refused_with_a_reason(csr: str, why: str) -> None:
    with pytest.raises(IllegalCsr, match=why):
        read_host_request(csr)


@given(cut=st.integers(0, 500), junk=st.binary(max_size=40))
def test_a_mangled_request_never_raises_anything_else(cut: int, junk: bytes) -> None:
    csr = request_for(KEY, ["10.0.0.2", "two.example"])
    try:
        found = read_host_request(csr[:cut] + junk.decode("latin-1") + csr[cut + len(junk) :])
    except IllegalCsr:
        return
    assert set(found.hosts) <= {"10.0.0.2", "two.example"}


def test_an_answer_is_taken_only_if_it_is_this_ca_s_word_for_this_key() -> None:
    ca, other = (CertificateAuthority.create(name, NOW) for name in ("Testing", "Testing"))
    mine = ca.certify_manager(KEY.public_key(), "m2", ["10.0.0.2"], NOW, DAY)
    check_signed(mine, KEY, ca.certificate)
    for wrong in (
        other.certify_manager(KEY.public_key(), "m2", ["10.0.0.2"], NOW, DAY),
        ca.issue_manager("m2", ["10.0.0.2"], NOW, DAY)[0],
        "",
        "nothing",
    ):
        with pytest.raises(CannotJoin, match="has signed something else"):
            check_signed(wrong, KEY, ca.certificate)
