import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.discovery.ranges import MAX_RANGE, Found, hosts_of, parse_range, read_found
from telegraph.errors import IllegalAddress
from telegraph.protocol.discovery import Active, answer_to, question


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("192.168.1.0/30", ["192.168.1.1", "192.168.1.2"]),
        ("192.168.1.2/30", ["192.168.1.1", "192.168.1.2"]),
        ("127.0.0.1/32", ["127.0.0.1"]),
        ("127.0.0.1", ["127.0.0.1"]),
        (" 10.0.0.4/31 ", ["10.0.0.4", "10.0.0.5"]),
        ("::1/128", ["::1"]),
    ],
)
def test_a_range_is_the_machines_in_it(text: str, hosts: list[str]) -> None:
    assert [str(host) for host in hosts_of([parse_range(text)])] == hosts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "here",
        "10.0.0.0/15",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "::/0",
        "fe80::/64",
        "10.0.0.0/33",
        "10.0.0.256",
        "1.2.3/24",
    ],
)
def test_what_is_no_range_or_too_large_is_refused(text: str) -> None:
    with pytest.raises(IllegalAddress):
        parse_range(text)


@pytest.mark.parametrize("text", ["224.0.0.0/16", "239.1.2.3", "ff02::1", "0.0.0.0/24", "::", "255.255.255.255"])
def test_addresses_that_are_no_single_machine_are_refused(text: str) -> None:
    with pytest.raises(IllegalAddress, match="not the address of one machine"):
        parse_range(text)


def test_a_machine_in_two_ranges_is_asked_once() -> None:
    hosts = hosts_of([parse_range("10.0.0.0/29"), parse_range("10.0.0.4/30"), parse_range("10.0.0.1")])
    assert [str(host) for host in hosts] == [f"10.0.0.{number}" for number in range(1, 7)]


@given(address=st.ip_addresses(v=4), length=st.integers(0, 32))
def test_a_scan_never_asks_more_than_a_slash_16_nor_outside_its_range(
    address: ipaddress.IPv4Address, length: int
) -> None:
    text = f"{address}/{length}"
    try:
        network = parse_range(text)
    except IllegalAddress:
        return
    assert length >= 16
    hosts = hosts_of([network])
    assert 0 < len(hosts) <= MAX_RANGE
    assert len(set(hosts)) == len(hosts)
    if length >= 24:
        assert all(host in ipaddress.ip_network(text, strict=False) for host in hosts)


@given(address=st.ip_addresses(v=6), length=st.integers(0, 128))
def test_a_range_of_ipv6_is_accepted_up_to_the_same_number_of_addresses(
    address: ipaddress.IPv6Address, length: int
) -> None:
    try:
        network = parse_range(f"{address}/{length}")
    except IllegalAddress:
        assert length < 112 or address.is_multicast or address.ipv4_mapped or int(address) >> (128 - length) == 0
        return
    assert length >= 112
    assert network.num_addresses <= MAX_RANGE


def test_an_answer_is_reached_where_it_came_from_and_its_own_claims_are_hints() -> None:
    full = Active("active", 8001, site="A", url="https://elsewhere:9", ca="ab" * 32)
    datagram = answer_to(question(), full)
    assert datagram is not None
    found = read_found(datagram, "10.0.0.7")
    assert found == Found("https://10.0.0.7:8001", hint_url="https://elsewhere:9", hint_ca="ab" * 32)


def test_an_answer_from_ipv6_gives_a_url_with_brackets() -> None:
    assert read_found(b'{"status":"active","port":8000}', "::1") == Found("https://[::1]:8000")


@given(st.binary(max_size=300))
def test_garbage_is_no_answer(datagram: bytes) -> None:
    found = read_found(datagram, "10.0.0.7")
    assert found is None or found.url.startswith("https://10.0.0.7:")
