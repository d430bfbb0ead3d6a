"""Frames of the manager's event stream ``wss://MANAGER/events``: one JSON object per WebSocket text message.

The node authenticates with its session token like any other call. It says whom it wants to hear about (``watch``
adds to what is
watched) and gets each one's present state at once, then every change. Heartbeats travel on the
stream while it is open, and each is answered, so that both ends notice a dead connection.
Whoever does not know the kind of a frame ignores it.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from telegraph.protocol.manager_api import User

MAX_EVENT_BYTES = 65536
MAX_WATCHED = 10_000


MAX_MANAGERS: Final = 64
"""URLs in one :class:`Managers`."""

MAX_SITES: Final = 16
"""Other sites in one :class:`Managers`."""

SILENCE: Final = 3.0
"""Seconds without any frame, ping or pong after which a stream is dead, unless its manager says otherwise."""

REVOKED_AT_ONCE: Final = 256
"""Keys in one :class:`Revoked`, so that it fits into a frame."""

EndReason = Literal["logged_out", "logged_in_elsewhere", "password_changed", "ended_elsewhere", "removed"]


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


class Leaving(msgspec.Struct, tag="leaving", tag_field="type"):
    """Node → manager: this node stops, so its user is offline at once. The session stays; the stream closes."""


class UserChanged(msgspec.Struct, tag="user", tag_field="type"):
    """Manager → node: a watched user's present state (status, address, key, name)."""

    user: User


class UserGone(msgspec.Struct, tag="user_gone", tag_field="type", omit_defaults=True):
    """Manager → node: there is no such user; ``deleted``: there was, and the account was deleted for good."""

    user_id: str
    deleted: bool = False


class SessionEnded(msgspec.Struct, tag="session_ended", tag_field="type", omit_defaults=True):
    """Manager → node: this session is over, since ``at`` (RFC 3339, empty if not known); the stream closes after it.

    ``logged_in_elsewhere``: the session moved to another device. ``ended_elsewhere``: the user ended it from another
    session. ``removed``: the account was deleted. A device that was away hears it too: the stream opens for the token
    of a session that ended so, says this, and closes.
    """

    reason: EndReason
    at: str = ""


class Revocations(msgspec.Struct, tag="revocations", tag_field="type"):
    """Node → manager: tell me of revoked device keys, those after a cursor (empty: all) and every new one."""

    after: Annotated[str, Meta(max_length=128)] = ""


class RevokedKey(msgspec.Struct, frozen=True):
    """A device key of a user that must not be spoken with. ``key`` is the SHA-256 of the raw key, hex.

    After ``until`` (RFC 3339) no certificate of it is valid any more, and it may be forgotten.
    """

    user_id: str
    key: str
    until: str


class Revoked(msgspec.Struct, tag="revoked", tag_field="type"):
    """Manager → node: these keys are revoked. ``cursor``, if not empty, is what to ask after next time."""

    keys: list[RevokedKey]
    cursor: str = ""


class SiteState(msgspec.Struct, frozen=True):
    """Another site of the organisation, as the managers of this one see it.

    ``up``: the two sites hear each other. ``heard`` (RFC 3339, empty: never) is when it was last heard. ``urls`` are
    its managers, for the time when this site cannot do its work.
    """

    name: str
    up: bool
    heard: str = ""
    urls: Annotated[list[Annotated[str, Meta(max_length=300)]], Meta(max_length=MAX_MANAGERS)] = []


class Managers(msgspec.Struct, tag="managers", tag_field="type", omit_defaults=True):
    """Manager → node: the managers that there are (URLs), at the start of a stream and at every change.

    ``ready``: false while this one cannot do its work, for it reaches too few of the others; then go to another that
    can, and stay if there is none. ``silence``: after so many seconds without a frame, ping or pong this stream is
    dead; more than the usual while many nodes are here. ``spread``: if it breaks, wait a random part of so many seconds
    before you come back, here or elsewhere, so that all who were here do not come at once. ``site`` is where these
    managers are, ``sites`` are the others there are: go to one of them when this one cannot do its work.
    """

    urls: Annotated[list[Annotated[str, Meta(max_length=300)]], Meta(max_length=MAX_MANAGERS)]
    ready: bool = True
    silence: Annotated[float, Meta(ge=1, le=60)] = SILENCE
    spread: Annotated[float, Meta(ge=0, le=60)] = 0.0
    site: Annotated[str, Meta(max_length=64)] = ""
    sites: Annotated[list[SiteState], Meta(max_length=MAX_SITES)] = []


class StreamError(msgspec.Struct, tag="error", tag_field="type"):
    """Manager → node: the last frame was not understood; the stream goes on."""

    error: str
    message: str


FromNode = Watch | Unwatch | Heartbeat | Leaving | Revocations
FromManager = HeartbeatReceived | UserChanged | UserGone | SessionEnded | Revoked | Managers | StreamError

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
