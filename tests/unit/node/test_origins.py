import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import IllegalAddress
from telegraph.node.api.origins import checked, host_of, is_any, is_loopback, is_name, off_loopback, on_loopback

HOSTS = st.from_regex(r"[a-z][a-z0-9]{0,10}(\.[a-z]{2,5}){1,2}", fullmatch=True)
PORTS = st.integers(1, 65535)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("https://alice.example:8443", "https://alice.example:8443"),
        ("https://ALICE.example/", "https://alice.example"),
        ("https://alice.example:443", "https://alice.example"),
        ("https://192.0.2.7:8443", "https://192.0.2.7:8443"),
        ("https://[2001:DB8::7]:8443", "https://[2001:db8::7]:8443"),
    ],
)
def test_an_origin_is_taken_as_browsers_write_it(typed: str, meant: str) -> None:
    assert checked(typed) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "alice.example",
        "http://alice.example:8443",
        "https://",
        "https://alice.example/page",
        "https://alice.example?x",
        "https://alice.example#x",
        "https://me:secret@alice.example",
        "https://alice.example:99999",
        "https://[::1",
        "https://álice.example",
    ],
)
def test_anything_else_is_refused(typed: str) -> None:
    with pytest.raises(IllegalAddress):
        checked(typed)


@given(HOSTS, HOSTS, PORTS)
def test_only_what_was_given_and_loopback_are_names_of_this_node(host: str, other: str, port: int) -> None:
    own = off_loopback([checked(f"https://{host}:{port}")], port)

    assert own.name(f"{host}:{port}".upper()) or port == 443
    assert own.own(checked(f"https://{host}:{port}"))
    assert own.own(f"https://localhost:{port}")
    assert not own.own(f"http://{host}:{port}")
    assert not own.own("null")
    assert not own.name(f"{host}:{port % 65535 + 1}") or port == 443
    if other != host:
        assert not own.name(other)
        assert not own.name(f"{other}:{port}")
        assert not own.own(f"https://{other}:{port}")


def test_the_port_that_goes_without_saying_may_be_said() -> None:
    own = off_loopback(["https://alice.example"], 8443)

    assert own.name("alice.example")
    assert own.name("alice.example:443")
    assert not own.name("alice.example:8443")


def test_on_this_machine_there_is_no_https() -> None:
    assert on_loopback(8420).own("http://127.0.0.1:8420")
    assert not on_loopback(8420).own("https://127.0.0.1:8420")


@pytest.mark.parametrize(
    ("host", "loopback", "everything", "name"),
    [
        ("127.0.0.1", True, False, False),
        ("127.0.0.2", True, False, False),
        ("::1", True, False, False),
        ("localhost", True, False, False),
        ("0.0.0.0", False, True, False),  # noqa: S104 - not bound here
        ("::", False, True, False),
        ("192.0.2.7", False, False, False),
        ("alice.example", False, False, True),
    ],
)
def test_which_hosts_are_this_machine_alone(host: str, loopback: bool, everything: bool, name: bool) -> None:
    assert (is_loopback(host), is_any(host)) == (loopback, everything)
    assert is_name(f"[{host}]" if ":" in host else host) == name


def test_the_host_of_an_origin_has_no_brackets() -> None:
    assert host_of("https://[2001:db8::7]:8443") == "2001:db8::7"
