"""Frames of the link between two nodes, and the bodies of the report's two node-to-node REST calls.

One binary WebSocket message is a msgpack array of frames, each a map whose ``t`` names its type. Unknown fields
are ignored; an
unknown type is answered by an :class:`ErrorFrame`. Sequence numbers start at 1 and count a sender's messages within one
stream, that is one direction between two device keys (DESIGN.md section 7).
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from telegraph.errors import MalformedBody
from telegraph.protocol.manager_api import Counter, Port, Username

MAX_TEXT_BYTES = 64 * 1024
MAX_FRAME_BYTES = 1024 * 1024
"""Largest WebSocket message; a sender splits what it coalesces below this."""

MAX_FRAMES = 1024
Sequence = Annotated[int, Meta(ge=0, le=2**53)]
Epoch = Annotated[int, Meta(ge=0, lt=2**40)]
Moment = Annotated[int, Meta(ge=0, le=2**53)]
"""Microseconds since 1970, to the year 2255; a number beyond would fit neither a calendar nor a database."""

Id = Annotated[bytes, Meta(min_length=16, max_length=16)]
Text = Annotated[str, Meta(max_length=MAX_TEXT_BYTES)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
ShortText = Annotated[str, Meta(max_length=256)]


class SignedAddress(msgspec.Struct, array_like=True):
    """Where a device says that it is, signed by its key (:func:`telegraph.protocol.addresses.address_to_sign`)."""

    host: ShortText
    port: Port
    counter: Counter
    signature: Signature


class Hello(msgspec.Struct, tag="hello", tag_field="t", omit_defaults=True):
    """First frame of either end: versions of the link that it speaks, who it is, where it can be reached.

    ``received`` is the highest sequence number that it has stored of the other's messages, so that the other knows
    where to go on, and ``received_id`` the id of the message that had it, so that two histories which only look alike
    are told apart. ``epoch`` is how often the numbers between these two devices began anew (see ``anew``), ``top`` the
    highest sort key of the conversation. ``knows`` is the highest counter under which it knows an address of the other,
    who must go above it to be believed.
    """

    versions: Annotated[list[int], Meta(min_length=1, max_length=16)]
    user_id: ShortText
    username: ShortText
    received: Sequence = 0
    address: SignedAddress | None = None
    knows: Counter = 0
    epoch: Epoch = 0
    received_id: Id | None = None
    top: Annotated[bytes, Meta(max_length=16)] = b""


class Spot(msgspec.Struct, array_like=True, gc=False):
    """Where a message of an earlier epoch has its place in the conversation: its sort key."""

    ord: Id
    depth: Sequence


class MessageFrame(msgspec.Struct, tag="msg", tag_field="t", omit_defaults=True, gc=False):
    """A message. ``sent_at`` is the sender's clock in microseconds since 1970, for show only.

    ``seq`` is its number in the sender's stream, ``seen`` the highest number of the recipient's stream that the
    sender had stored.
    ``sender`` and ``recipient`` are user ids; the recipient checks them against the certificate and itself.
    ``stamp`` is there if the message was given up and is tried again: a newer id, which places it instead of its own.
    ``spot`` is there if the message is older than the numbers that are counted now, which do not tell its place.
    """

    id: Id
    seq: Annotated[int, Meta(ge=1, le=2**53)]
    seen: Sequence
    sender: ShortText
    recipient: ShortText
    sent_at: Moment
    text: Text
    kind: ShortText = "text"
    reply_to: Id | None = None
    stamp: Id | None = None
    spot: Spot | None = None

    def __post_init__(self) -> None:
        # No character takes more than 4 bytes, so most texts need not be encoded to be measured.
        if 4 * len(self.text) > MAX_TEXT_BYTES and len(self.text.encode(errors="surrogatepass")) > MAX_TEXT_BYTES:
            raise ValueError("the text is longer than 64 KiB in UTF-8")


class Skip(msgspec.Struct, tag="skip", tag_field="t"):
    """Number ``seq`` of my stream is empty: the message ``id`` that had it was given up before you acknowledged it.

    ``ord`` is its sort key: what you write from now on is placed behind it, whether you had it or not.
    """

    seq: Annotated[int, Meta(ge=1, le=2**53)]
    id: Id
    ord: Id


class Skipped(msgspec.Struct, tag="skip_ack", tag_field="t"):
    """I have noted on disk that your number ``seq`` is empty; ``had``: too late, its message was stored before."""

    seq: Sequence
    had: bool


class Stored(msgspec.Struct, tag="ack", tag_field="t"):
    """Your messages up to this number are on my disk."""

    seq: Sequence


REFUSED_FOR_GOOD = frozenset({"illegal_text", "id_taken"})
"""Codes of a :class:`Refuse` after which sending the same message again is useless."""


class Refuse(msgspec.Struct, tag="no", tag_field="t"):
    """Your message ``seq`` was not stored; ``error`` is the code, ``expected`` the number that would be.

    After a code of :data:`REFUSED_FOR_GOOD` the sender gives the message up: it fails; a :class:`Skip` takes its place.
    """

    seq: Sequence
    error: ShortText
    message: ShortText
    expected: Sequence = 0


class Read(msgspec.Struct, tag="read", tag_field="t"):
    """I have read your messages up to this number."""

    seq: Sequence


class ReadStored(msgspec.Struct, tag="read_ack", tag_field="t"):
    """Your receipt up to this number is on my disk."""

    seq: Sequence


class Anew(msgspec.Struct, tag="anew", tag_field="t"):
    """Our numbers do not fit: one of us is an old copy. From now on both streams begin at 1, in this epoch.

    What is written from now on comes behind the ``top`` of both greetings.
    """

    epoch: Epoch


class Moved(msgspec.Struct, tag="moved", tag_field="t"):
    """I am somewhere else from now on."""

    address: SignedAddress


class WhereIs(msgspec.Struct, tag="where", tag_field="t"):
    """Where is this user? Asked of acquaintances while no manager answers; one who does not want to say is silent."""

    user_id: ShortText


class Whereabouts(msgspec.Struct, tag="there", tag_field="t"):
    """The newest address that I have of a user whom you asked for, as their device signed it."""

    user_id: ShortText
    address: SignedAddress


class ErrorFrame(msgspec.Struct, tag="error", tag_field="t"):
    """The last frames were not understood or not allowed."""

    error: ShortText
    message: ShortText


Frame = (
    Hello
    | MessageFrame
    | Skip
    | Skipped
    | Stored
    | Refuse
    | Read
    | ReadStored
    | Anew
    | Moved
    | WhereIs
    | Whereabouts
    | ErrorFrame
)

_encoder = msgspec.msgpack.Encoder()
_decode_all = msgspec.msgpack.Decoder(Annotated[list[Frame], Meta(max_length=MAX_FRAMES)]).decode


def encode_frames(frames: list[Frame]) -> bytes:
    """One WebSocket message out of frames, in order."""
    return _encoder.encode(frames)


def decode_frames(data: bytes) -> list[Frame]:
    """The frames of one WebSocket message.

    Raises:
        MalformedBody: it is too large, no msgpack, no list of frames, or has a frame of unknown type.
    """
    if len(data) > MAX_FRAME_BYTES:
        raise MalformedBody(detail="a link message is larger than 1 MiB")
    try:
        frames: list[Frame] = _decode_all(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise MalformedBody(detail=str(problem)) from None
    return frames


# --- the report's calls, one message at a time ---


class ReceiveRequest(msgspec.Struct, rename={"sender": "from"}):
    """``POST /receive_message`` {from, to, text, …}: names, not ids. ``id`` is a UUID in its usual text form.

    Give an ``id`` to be able to repeat the call safely. ``timestamp`` is RFC 3339.
    """

    sender: Username
    to: Username
    text: Text
    id: Annotated[str, Meta(max_length=36)] | None = None
    timestamp: Annotated[str, Meta(max_length=40)] | None = None


class Received(msgspec.Struct):
    """200 of ``POST /receive_message``: the message is on disk."""

    status: str
    id: str
    state: str = "delivered"


class NotifyReadRequest(msgspec.Struct, rename={"sender": "from"}):
    """``POST /notify_read`` {from, to}: ``from`` has read what ``to`` sent them."""

    sender: Username
    to: Username


class Marked(msgspec.Struct):
    """200 of ``POST /notify_read``: how many messages changed to read."""

    marked: int
    status: int = 200
