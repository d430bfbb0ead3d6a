"""Frames of the manager's event stream ``wss://MANAGER/events``: one JSON object per WebSocket text message.

The node authenticates with its session token like any other call. It says whom it wants to hear about (``watch``
adds to what is
watched) and gets each one's present state at once, then every change. Heartbeats travel on the
stream while it is open, and each is answered, so that both ends notice a dead connection.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from telegraph.protocol.manager_api import User

MAX_EVENT_BYTES = 65536
MAX_WATCHED = 10_000


class Watch(msgspec.Struct, tag="watch", tag_field="type"):
    """Node → manager: tell me of these users (user ids) from now on."""

    users: Annotated[list[str], Meta(max_length=1000)]


class Unwatch(msgspec.Struct, tag="unwatch", tag_field="type"):
    """Node → manager: no more of these users (user ids)."""

    users: Annotated[list[str], Meta(max_length=1000)]


class Heartbeat(msgspec.Struct, tag="heartbeat", tag_field="type"):
    """Node → manager: I live."""


class HeartbeatReceived(msgspec.Struct, tag="heartbeat_received", tag_field="type"):
    """Manager → node: noted."""


class UserChanged(msgspec.Struct, tag="user", tag_field="type"):
    """Manager → node: a watched user's present state (status, address, key, name)."""

    user: User


class UserGone(msgspec.Struct, tag="user_gone", tag_field="type"):
    """Manager → node: there is no such user (any more)."""

    user_id: str


class SessionEnded(msgspec.Struct, tag="session_ended", tag_field="type"):
    """Manager → node: this session is over; the stream closes after it."""

    reason: Literal["logged_out", "logged_in_elsewhere", "password_changed", "removed"]


class StreamError(msgspec.Struct, tag="error", tag_field="type"):
    """Manager → node: the last frame was not understood; the stream goes on."""

    error: str
    message: str


FromNode = Watch | Unwatch | Heartbeat
FromManager = HeartbeatReceived | UserChanged | UserGone | SessionEnded | StreamError

_from_node = msgspec.json.Decoder(FromNode).decode
_from_manager = msgspec.json.Decoder(FromManager).decode
encode_event = msgspec.json.Encoder().encode


def decode_from_node(data: bytes | str) -> FromNode:
    """What a node said.

    Raises:
        msgspec.DecodeError: it is none of :data:`FromNode`, whatever is wrong with it.
    """
    try:
        frame: FromNode = _from_node(data)
    except (UnicodeError, RecursionError) as problem:
        raise msgspec.DecodeError(str(problem)) from None
    return frame


def decode_from_manager(data: bytes | str) -> FromManager:
    """What a manager said.

    Raises:
        msgspec.DecodeError: it is none of :data:`FromManager`, whatever is wrong with it.
    """
    try:
        frame: FromManager = _from_manager(data)
    except (UnicodeError, RecursionError) as problem:
        raise msgspec.DecodeError(str(problem)) from None
    return frame
