from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.protocol.manager_api import User
from telegraph.protocol.manager_events import (
    FromManager,
    FromNode,
    Heartbeat,
    HeartbeatReceived,
    Leaving,
    SessionEnded,
    StreamError,
    Unwatch,
    UserChanged,
    UserGone,
    Watch,
    decode_from_manager,
    decode_from_node,
    encode_event,
)

Decode = Callable[[bytes | str], object]
BOB = User("bob", "bob-id", "10.0.0.8", 8000, "offline", None)
EITHER_SIDE = pytest.mark.parametrize("decode", [decode_from_node, decode_from_manager])


@pytest.mark.parametrize("frame", [Watch(["bob-id"]), Unwatch([]), Heartbeat(), Leaving()])
def test_what_a_node_says_arrives_as_it_was_said(frame: FromNode) -> None:
    assert decode_from_node(encode_event(frame)) == frame
    assert decode_from_node(encode_event(frame).decode()) == frame
    with pytest.raises(msgspec.DecodeError):
        decode_from_manager(encode_event(frame))


@pytest.mark.parametrize(
    "frame",
    [
        HeartbeatReceived(),
        UserChanged(BOB),
        UserGone("bob-id"),
        SessionEnded("logged_in_elsewhere"),
        StreamError("malformed_body", "No."),
    ],
)
def test_what_a_manager_says_arrives_as_it_was_said(frame: FromManager) -> None:
    assert decode_from_manager(encode_event(frame)) == frame
    with pytest.raises(msgspec.DecodeError):
        decode_from_node(encode_event(frame))


@EITHER_SIDE
@given(data=st.binary() | st.text())
def test_garbage_is_a_decode_error_and_nothing_else(decode: Decode, data: bytes | str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(data)


@EITHER_SIDE
@pytest.mark.parametrize(
    "data",
    [
        "",
        "{}",
        "null",
        '{"type": "hologram"}',
        '{"type": 7}',
        '{"type": "watch", "users": "bob-id"}',
        '{"type": "watch", "users": [7]}',
        '{"type": "session_ended", "reason": "boredom"}',
        '{"type": "watch", "users": ["\ud800"]}',
        b'{"type": "watch", "users": ["\xff"]}',
        b'{"type": "heartbeat", "x": ' + b"[" * 30_000,
    ],
)
def test_what_comes_close_to_a_frame_is_a_decode_error_too(decode: Decode, data: bytes | str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(data)


def test_a_node_can_ask_for_a_thousand_users_at_a_time_and_no_more() -> None:
    assert decode_from_node(encode_event(Watch(["u"] * 1000))) == Watch(["u"] * 1000)
    with pytest.raises(msgspec.DecodeError):
        decode_from_node(encode_event(Watch(["u"] * 1001)))


def test_fields_of_a_newer_version_are_ignored() -> None:
    assert decode_from_node('{"type": "heartbeat", "mood": "good"}') == Heartbeat()
