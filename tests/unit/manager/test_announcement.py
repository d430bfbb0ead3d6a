from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import BadSignature, IllegalAddress
from telegraph.manager.announcement import Announcement, announcement, check_signature
from telegraph.node.keys import DeviceKey

KEY = DeviceKey.create()
SIGNED = KEY.sign_address("u1", "10.0.0.1", 8000, 5)
TEXT = b64encode(SIGNED.signature).decode()


def test_a_signed_address_is_taken() -> None:
    said = announcement("10.0.0.1", 8000, 5, TEXT)
    assert said == Announcement("10.0.0.1", 8000, 5, SIGNED.signature)
    check_signature(said, "u1", KEY.public)


def test_an_address_without_signature_needs_no_key() -> None:
    check_signature(announcement("10.0.0.1", 8000, None, None), "u1", None)
    check_signature(announcement("10.0.0.1", 8000, 5, None), "u1", KEY.public)


@pytest.mark.parametrize(
    ("host", "port", "counter", "user"),
    [
        ("10.0.0.2", 8000, 5, "u1"),
        ("10.0.0.1", 8001, 5, "u1"),
        ("10.0.0.1", 8000, 6, "u1"),
        ("10.0.0.1", 8000, None, "u1"),
        ("10.0.0.1", 8000, 5, "u2"),
    ],
)
def test_a_signature_of_anything_else_is_refused(host: str, port: int, counter: int | None, user: str) -> None:
    with pytest.raises(BadSignature):
        check_signature(announcement(host, port, counter, TEXT), user, KEY.public)


def test_a_signature_by_another_device_or_by_nobody_known_is_refused() -> None:
    said = announcement("10.0.0.1", 8000, 5, TEXT)
    for key in (DeviceKey.create().public, None):
        with pytest.raises(BadSignature):
            check_signature(said, "u1", key)


@pytest.mark.parametrize(
    "text",
    ["", "====", "not base64!", "YQ==", "ñ", TEXT + "A"],
    ids=["empty", "padding", "words", "short", "not ASCII", "too long"],
)
def test_a_signature_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadSignature):
        check_signature(announcement("10.0.0.1", 8000, 5, text), "u1", KEY.public)


@pytest.mark.parametrize(
    ("host", "port"), [("::", 1), ("", 1), ("10.0.0.1", 0), ("a b", 1), ("999.1.1.1", 1), ("\0", 1)]
)
def test_an_address_that_nobody_can_dial_is_refused(host: str, port: int) -> None:
    with pytest.raises(IllegalAddress):
        announcement(host, port, None, None)


@given(st.text(max_size=40), st.integers(), st.none() | st.text(max_size=40))
def test_whatever_is_said_is_taken_or_refused_in_a_sentence(host: str, port: int, signature: str | None) -> None:
    try:
        said = announcement(host, port, 1, signature)
        check_signature(said, "u1", KEY.public)
    except (IllegalAddress, BadSignature):
        return
    assert signature is None
