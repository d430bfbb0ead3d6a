import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import BadInput, IllegalInvite
from telegraph.protocol.invites import Invite, check_manager_url, normal_fingerprint, parse_invite

CA = "ab" * 32
URLS = st.builds(
    "{}://{}:{}".format,
    st.sampled_from(["https", "http"]),
    st.sampled_from(["identity-manager", "10.0.0.1", "[2001:db8::5]", "m.example.org"]),
    st.integers(1, 65535),
)
CODES = st.none() | st.text(st.characters(codec="utf-8"), min_size=1)


@given(st.builds(Invite, st.lists(URLS, min_size=1, max_size=5).map(tuple), st.just(CA), CODES))
def test_an_invite_that_is_handed_out_is_read_as_it_was_written(invite: Invite) -> None:
    assert parse_invite(invite.link()) == invite


def test_a_link_is_what_the_documentation_shows() -> None:
    invite = Invite(("https://10.0.0.1:8000",), CA, "once")
    assert invite.link() == f"telegraph://join?manager=https://10.0.0.1:8000&ca={CA}&invite=once"


def test_a_pasted_link_may_have_blanks_around_it_a_fingerprint_with_colons_and_no_port() -> None:
    colons = ":".join(["AB"] * 32)
    assert parse_invite(f" telegraph://join?manager=HOST&ca={colons}\n") == Invite(("https://host:8000",), CA)


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("", "begin with telegraph://join"),
        (f"https://join?manager=h&ca={CA}", "begin with telegraph://join"),
        (f"telegraph://leave?manager=h&ca={CA}", "begin with telegraph://join"),
        ("telegraph://join?manager=h", "name the CA once"),
        (f"telegraph://join?manager=h&ca={CA}&ca={'cd' * 32}", "name the CA once"),
        ("telegraph://join?manager=h&ca=abc", "not 64 hex digits"),
        (f"telegraph://join?manager=h&ca={'xy' * 32}", "not 64 hex digits"),
        (f"telegraph://join?ca={CA}", "names no manager"),
        (f"telegraph://join?manager=https://h:99999&ca={CA}", "not usable"),
        (f"telegraph://join?manager=https://[::1&ca={CA}", "not an https address"),
        ("telegraph://[join?", "not a telegraph:// link"),
        (f"telegraph://join?{'manager=h&' * 40}ca={CA}", "not a telegraph:// link"),
    ],
)
def test_a_wrong_link_is_refused_with_what_is_wrong_about_it(link: str, reason: str) -> None:
    with pytest.raises(IllegalInvite) as refused:
        parse_invite(link)
    assert reason in str(refused.value)


def test_the_refusal_of_an_invite_does_not_repeat_its_secret_code() -> None:
    with pytest.raises(IllegalInvite) as refused:
        parse_invite("telegraph://join?manager=h&invite=s3cr3t")
    assert "s3cr3t" not in f"{refused.value} {refused.value.details}"


@given(st.text() | st.text().map("telegraph://join?".__add__))
def test_garbage_is_never_met_with_anything_but_illegal_invite(link: str) -> None:
    try:
        parse_invite(link)
    except IllegalInvite:
        return
    assert link.strip().startswith("telegraph://join")


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("host", "https://host:8000"),
        ("host:1", "https://host:1"),
        ("https://HOST/", "https://host:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("[::1]", "https://[::1]:8000"),
    ],
)
def test_a_managers_url_is_completed(url: str, normal: str) -> None:
    assert check_manager_url(url) == normal
    assert check_manager_url(normal) == normal


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://h",
        "https://h/path",
        "https://h?q=1",
        "https://h#f",
        "https://user:pw@h",
        "https://[::1",
        "https://a℀b",
    ],
)
def test_what_is_no_managers_url_is_refused(url: str) -> None:
    with pytest.raises(BadInput):
        check_manager_url(url)


@given(st.text())
def test_a_url_of_garbage_is_bad_input_and_nothing_else(url: str) -> None:
    try:
        normal = check_manager_url(url)
    except BadInput:
        return
    assert check_manager_url(normal) == normal


@given(st.binary(min_size=32, max_size=32))
def test_a_fingerprint_reads_the_same_however_it_is_written(digest: bytes) -> None:
    assert normal_fingerprint(digest.hex(":").upper()) == normal_fingerprint(f"  {digest.hex()}\n") == digest.hex()
