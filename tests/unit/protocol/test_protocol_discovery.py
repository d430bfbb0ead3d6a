import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.protocol.discovery import (
    AMPLIFICATION,
    MAX_DATAGRAM,
    Active,
    answer_to,
    question,
    read_answer,
    read_question,
)

BARE = b'{"action": "discover"}'
FULL = Active("active", 8000, site="havana", url="https://m1.example.org:8000", ca="ab" * 32, version="0.1.0")
DATAGRAMS = (
    st.binary(max_size=1500)
    | st.binary(max_size=1500).map(BARE.__add__)
    | st.text(max_size=400).map(lambda pad: msgspec.json.encode({"action": "discover", "pad": pad}))
    | st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)).map(
        msgspec.json.encode
    )
)


def test_the_reports_bare_question_gets_the_reports_bare_answer() -> None:
    answer = answer_to(BARE, FULL)
    assert answer is not None
    assert msgspec.json.decode(answer) == {"status": "active", "port": 8000}


def test_our_padded_question_gets_everything() -> None:
    answer = answer_to(question(), FULL)
    assert answer is not None
    assert read_answer(answer) == FULL
    assert len(question()) == 512


@given(DATAGRAMS, st.builds(Active, st.just("active"), st.integers(1, 65535), st.text(), st.text(max_size=900)))
def test_an_answer_is_never_more_than_twice_as_long_as_the_question(datagram: bytes, full: Active) -> None:
    answer = answer_to(datagram, full)
    assert answer is None or len(answer) <= AMPLIFICATION * len(datagram)
    assert (answer is not None) <= read_question(datagram)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\xff\xfe",
        b"discover",
        b"{}",
        b"[]",
        b"null",
        b'{"action": "reboot"}',
        b'{"action": null}',
        b'{"action": "discover"} and more',
        b'{"status": "active", "port": 8000}',
        b'{"action": "discover", "pad": "\xff"}',
        b'{"action": "discover", "x": ' + b"[" * 1300,
        b'{"action": "discover", "pad": "' + b"." * MAX_DATAGRAM + b'"}',
    ],
)
def test_what_is_no_question_is_met_with_silence(datagram: bytes) -> None:
    assert answer_to(datagram, FULL) is None


@given(DATAGRAMS)
def test_garbage_in_place_of_an_answer_is_no_answer(datagram: bytes) -> None:
    assert read_answer(datagram) is None


@pytest.mark.parametrize(
    "datagram",
    [
        BARE,
        b'{"status": "dead", "port": 8000}',
        b'{"status": "active"}',
        b'{"status": "active", "port": 0}',
        b'{"status": "active", "port": 65536}',
        b'{"status": "active", "port": 1e999}',
        b'{"status": "active", "port": 8000, "x": ' + b"[" * 1300,
        b'{"status": "active", "port": 8000, "site": "' + b"." * MAX_DATAGRAM + b'"}',
    ],
)
def test_an_answer_without_a_usable_port_is_no_answer(datagram: bytes) -> None:
    assert read_answer(datagram) is None


def test_an_answer_of_a_newer_manager_with_more_fields_is_understood() -> None:
    assert read_answer(b'{"status": "active", "port": 1, "weather": [{"sun": true}]}') == Active("active", 1)
