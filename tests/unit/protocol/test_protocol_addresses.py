import ipaddress

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import IllegalAddress
from telegraph.protocol.addresses import Address, address_to_sign, check_host, check_port, parse_address

HOST_NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,20}[a-z0-9])?){0,3}", fullmatch=True)
PORTS = st.integers(1, 65535)


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        ("192.168.1.150", "192.168.1.150"),
        ("::1", "::1"),
        ("2001:DB8:0:0::5", "2001:db8::5"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("Identity-Manager", "identity-manager"),
        ("alice_laptop.lan", "alice_laptop.lan"),
        ("example.org.", "example.org."),
    ],
)
def test_a_host_that_others_can_dial_is_taken_in_its_normal_form(host: str, normal: str) -> None:
    assert check_host(host) == normal
    assert check_host(normal) == normal


@pytest.mark.parametrize(
    "host",
    [
        *("", ".", "a..b", "-a", "a-", "a b", "a/b", "http://a", "a\0b", "ä.example", "a" * 64, "a." * 127 + "aa"),
        *("0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "ff02::1", "255.255.255.255"),  # noqa: S104 - refused
        *("256.1.1.1", "1.2.3", "1", "0x7f000001", "10.0.0.0x1", "127.1", "01.02.03.04", "²"),
        *("fe80::1%eth0", "fe80::1%\0", "[::1]"),
    ],
)
def test_a_host_that_nobody_can_dial_is_refused(host: str) -> None:
    with pytest.raises(IllegalAddress):
        check_host(host)


@given(st.text())
def test_any_text_is_either_a_host_without_separators_or_refused(text: str) -> None:
    try:
        host = check_host(text)
    except IllegalAddress:
        return
    assert not set(host) & set("\0/@?#%[] \n")


@given(st.integers())
def test_only_ports_from_1_to_65535_can_be_dialled(port: int) -> None:
    if 1 <= port <= 65535:
        assert check_port(port) == port
    else:
        with pytest.raises(IllegalAddress):
            check_port(port)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.org", Address("example.org", 8000)),
        ("example.org:", Address("example.org", 8000)),
        ("example.org:9", Address("example.org", 9)),
        ("[2001:db8::5]", Address("2001:db8::5", 8000)),
        ("2001:db8::5", Address("2001:db8::5", 8000)),
        ("[::1]:9000", Address("::1", 9000)),
    ],
)
def test_the_port_may_be_left_out_where_there_is_a_default(text: str, expected: Address) -> None:
    assert parse_address(text, 8000) == expected


@pytest.mark.parametrize(
    "text",
    [
        "example.org",
        "::1",
        "[::1]",
        "h:0",
        "h:65536",
        "h:-1",
        "h:+1",
        "h:１",
        "h:" + "9" * 5000,
        "[::1",
        "[::1]8000",
        ":1",
    ],
)
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(IllegalAddress):
        parse_address(text)


@given(HOST_NAMES | st.ip_addresses().map(str), PORTS)
def test_an_address_that_is_printed_can_be_read_again(host: str, port: int) -> None:
    try:
        address = Address(check_host(host), port)
    except IllegalAddress:
        ip = ipaddress.ip_address(host)  # host names of the strategy are all usable
        plain = getattr(ip, "ipv4_mapped", None) or ip
        assert plain.is_unspecified or plain.is_multicast or str(plain) == "255.255.255.255"
        return
    assert parse_address(str(address)) == address


@given(st.text(), st.none() | PORTS)
def test_garbage_is_never_met_with_anything_but_illegal_address(text: str, default: int | None) -> None:
    try:
        address = parse_address(text, default)
    except IllegalAddress:
        return
    assert 0 < address.port < 65536


FIELD = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


@given(st.lists(st.tuples(FIELD, FIELD, PORTS, st.integers(0)), min_size=2, max_size=2, unique=True))
def test_no_two_addresses_have_the_same_bytes_to_sign(two: list[tuple[str, str, int, int]]) -> None:
    one, other = (address_to_sign(*fields) for fields in two)
    assert one != other


def test_the_signed_bytes_never_change_between_versions() -> None:
    # Written out, because a device of an older version must still be believed.
    assert address_to_sign("u1", "10.0.0.7", 8000, 42) == b"telegraph address v1\x00u1\x0010.0.0.7\x008000\x0042"


def test_alice_can_vouch_for_her_address_and_mallory_cannot_move_it() -> None:
    key = Ed25519PrivateKey.generate()
    signature = key.sign(address_to_sign("alice-id", "10.0.0.7", 8000, 1))
    key.public_key().verify(signature, address_to_sign("alice-id", "10.0.0.7", 8000, 1))
    with pytest.raises(InvalidSignature):
        key.public_key().verify(signature, address_to_sign("alice-id", "10.6.6.6", 8000, 1))
