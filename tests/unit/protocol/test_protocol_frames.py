from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import MalformedBody
from telegraph.protocol.frames import (
    MAX_FRAME_BYTES,
    MAX_FRAMES,
    MAX_TEXT_BYTES,
    Anew,
    ErrorFrame,
    Frame,
    Hello,
    Marked,
    MessageFrame,
    Moved,
    NotifyReadRequest,
    Read,
    ReadStored,
    Received,
    ReceiveRequest,
    Refuse,
    SignedAddress,
    Skip,
    Skipped,
    Stored,
    Whereabouts,
    WhereIs,
    decode_frames,
    encode_frames,
)

SEQ = st.integers(0, 2**53)
WORD = st.text(st.characters(codec="utf-8"), max_size=20)
ID = st.binary(min_size=16, max_size=16)
EPOCH = st.integers(0, 2**40 - 1)
TOP = st.binary(max_size=16)
VERSIONS = st.lists(st.integers(0, 9), min_size=1, max_size=16)
ADDRESS = st.builds(
    SignedAddress, WORD, st.integers(1, 65535), st.integers(0, 2**62), st.binary(min_size=64, max_size=64)
)
MESSAGES = st.builds(
    MessageFrame, ID, st.integers(1, 2**53), SEQ, WORD, WORD, SEQ, WORD, kind=WORD, reply_to=st.none() | ID
)
FRAMES = st.lists(
    st.one_of(
        st.builds(
            Hello,
            VERSIONS,
            WORD,
            WORD,
            SEQ,
            st.none() | ADDRESS,
            st.integers(0, 2**62),
            EPOCH,
            st.none() | ID,
            st.binary(max_size=16),
        ),
        MESSAGES,
        st.builds(Stored, SEQ),
        st.builds(Skip, SEQ.filter(bool), st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16)),
        st.builds(Skipped, SEQ, st.booleans()),
        st.builds(Refuse, SEQ, WORD, WORD, SEQ),
        st.builds(Read, SEQ),
        st.builds(ReadStored, SEQ),
        st.builds(Anew, EPOCH),
        st.builds(Moved, ADDRESS),
        st.builds(WhereIs, WORD),
        st.builds(Whereabouts, WORD, ADDRESS),
        st.builds(ErrorFrame, WORD, WORD),
    ),
    max_size=8,
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary() | WORD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["t", "seq", "id", "text"]), inner),
)

HELLO_BOB = MessageFrame(b"0123456789abcdef", 1, 0, "alice-id", "bob-id", 1_700_000_000_000_000, "Hello Bob")


def _altered(**fields: object) -> bytes:
    """Alice's message with some fields as a careless or malicious sender might fill them."""
    plain: dict[str, object] = msgspec.msgpack.decode(msgspec.msgpack.encode(HELLO_BOB))
    return msgspec.msgpack.encode([plain | fields])


@given(FRAMES)
def test_frames_arrive_as_they_were_sent_and_in_order(frames: list[Frame]) -> None:
    assert decode_frames(encode_frames(frames)) == frames


@given(st.binary())
def test_garbage_is_never_met_with_anything_but_malformed_body(data: bytes) -> None:
    try:
        frames = decode_frames(data)
    except MalformedBody:
        return
    assert decode_frames(encode_frames(frames)) == frames


@given(PLAIN | st.lists(PLAIN, max_size=4))
def test_msgpack_of_another_shape_is_never_met_with_anything_but_malformed_body(value: object) -> None:
    try:
        frames = decode_frames(msgspec.msgpack.encode(value))
    except MalformedBody:
        return
    assert decode_frames(encode_frames(frames)) == frames


@given(FRAMES, st.data())
def test_a_damaged_link_message_is_never_met_with_anything_but_malformed_body(
    frames: list[Frame], data: st.DataObject
) -> None:
    sound = encode_frames(frames)
    place = data.draw(st.integers(0, len(sound) - 1))
    damaged = sound[:place] + data.draw(st.binary(max_size=3)) + sound[place + data.draw(st.integers(0, 3)) :]
    try:
        decode_frames(damaged)
    except MalformedBody as problem:
        assert problem.status == 400  # noqa: PT017 - it need not be damaged beyond reading


def test_fields_of_a_newer_version_are_ignored_and_its_frames_refused() -> None:
    assert decode_frames(_altered(colour="blue")) == [HELLO_BOB]
    with pytest.raises(MalformedBody):
        decode_frames(msgspec.msgpack.encode([{"t": "hologram"}]))


@pytest.mark.parametrize(
    "fields",
    [
        {"id": b"short"},
        {"id": b"x" * 17},
        {"seq": 0},
        {"seq": -1},
        {"seq": 2**53 + 1},
        {"seq": "1"},
        {"seq": 1.5},
        {"seen": -1},
        {"sent_at": -1},
        {"sent_at": 2**63},
        {"sent_at": 2**64 - 1},
        {"sender": "a" * 257},
        {"recipient": None},
        {"text": "a" * (MAX_TEXT_BYTES + 1)},
        {"text": "ñ" * (MAX_TEXT_BYTES // 2 + 1)},
        {"text": b"bytes"},
        {"reply_to": b"short"},
    ],
)
def test_a_message_with_a_field_beyond_its_bounds_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(MalformedBody):
        decode_frames(_altered(**fields))


@pytest.mark.parametrize("text", ["a" * MAX_TEXT_BYTES, "ñ" * (MAX_TEXT_BYTES // 2), "🐎" * (MAX_TEXT_BYTES // 4)])
def test_a_text_of_64_kib_in_utf_8_is_not_too_long(text: str) -> None:
    frame = msgspec.structs.replace(HELLO_BOB, text=text)
    assert decode_frames(encode_frames([frame])) == [frame]


@pytest.mark.parametrize(
    "address", [["h", 0, 1, b"x" * 64], ["h", 65536, 1, b"x" * 64], ["h", 1, 2**63, b"x" * 64], ["h", 1, 1, b"x" * 63]]
)
def test_a_greeting_with_an_address_beyond_its_bounds_is_refused(address: list[object]) -> None:
    hello = {"t": "hello", "versions": [1], "user_id": "u", "username": "alice", "address": address}
    with pytest.raises(MalformedBody):
        decode_frames(msgspec.msgpack.encode([hello]))


@pytest.mark.parametrize("versions", [[], [1] * 17, None, "1"])
def test_a_greeting_names_at_least_one_version_and_at_most_sixteen(versions: object) -> None:
    hello = {"t": "hello", "versions": versions, "user_id": "u", "username": "alice"}
    with pytest.raises(MalformedBody):
        decode_frames(msgspec.msgpack.encode([hello]))


def test_a_link_message_holds_at_most_1024_frames() -> None:
    assert len(decode_frames(encode_frames([Stored(7)] * MAX_FRAMES))) == MAX_FRAMES
    with pytest.raises(MalformedBody):
        decode_frames(encode_frames([Stored(7)] * (MAX_FRAMES + 1)))


def test_a_link_message_of_more_than_1_mib_is_refused_unread() -> None:
    frames: list[Frame] = [msgspec.structs.replace(HELLO_BOB, text="a" * MAX_TEXT_BYTES)] * 16
    data = encode_frames(frames)
    assert len(data) > MAX_FRAME_BYTES
    with pytest.raises(MalformedBody, match="larger than 1 MiB"):
        decode_frames(data)


def test_endless_nesting_is_refused_and_does_not_exhaust_the_stack() -> None:
    nested = b"\x91\x82\xa1t\xa3ack\xa1x" + b"\x91" * 100_000
    with pytest.raises(MalformedBody):
        decode_frames(nested)


def test_the_refusal_of_a_message_does_not_repeat_its_text() -> None:
    with pytest.raises(MalformedBody) as refused:
        decode_frames(_altered(text="the secret plan " * MAX_TEXT_BYTES))
    assert "secret" not in f"{refused.value} {refused.value.__cause__}"


def test_the_reports_calls_have_the_reports_field_names() -> None:
    body = b'{"from": "alice", "to": "bob", "text": "Aprobamos Distribuidos"}'
    request = msgspec.json.decode(body, type=ReceiveRequest)
    assert (request.sender, request.to, request.text, request.id) == ("alice", "bob", "Aprobamos Distribuidos", None)
    read = msgspec.json.decode(b'{"from": "bob", "to": "alice"}', type=NotifyReadRequest)
    assert (read.sender, read.to) == ("bob", "alice")


def test_the_reports_answers_have_the_reports_fields() -> None:
    identifier = str(UUID(int=7))
    assert msgspec.to_builtins(Received("ok", identifier)) == {"status": "ok", "id": identifier, "state": "delivered"}
    assert msgspec.to_builtins(Marked(3)) == {"marked": 3, "status": 200}
