"""Writes docs/reference/peer-protocol.md from protocol/frames.py; with ``--check`` only says whether it is in step.

The bytes of each example come from the codec that nodes use, and are decoded again, so they cannot drift from it.
"""

import inspect
import sys
from pathlib import Path
from typing import get_args
from uuid import UUID

import msgspec
from generated import write_or_check
from msgspec import inspect as types

from telegraph.node.keys import DeviceKey
from telegraph.protocol import frames
from telegraph.protocol.frames import (
    Anew,
    ErrorFrame,
    Frame,
    Hello,
    MessageFrame,
    Moved,
    Read,
    ReadStored,
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
from telegraph.protocol.version import PEER_PROTOCOL

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "peer-protocol.md"

INTRODUCTION = f"""\
# The link between two nodes

<!-- Made from src/telegraph/protocol/frames.py by scripts/generate_frames_reference.py (`make docs`); do not edit. -->

Version {PEER_PROTOCOL}. One WebSocket at `GET /link` of the peer port, over TLS 1.3 with certificates of the
organisation's CA on both sides. Each binary WebSocket message is a
[msgpack](https://github.com/msgpack/msgpack/blob/master/spec.md) array of frames; a frame is a map whose `t` names its
type. Text messages are not spoken. Fields with their default value may be left out; unknown fields are ignored.

| bound | value |
|---|---|
| bytes of a WebSocket message | {frames.MAX_FRAME_BYTES:,} |
| frames in it | {frames.MAX_FRAMES:,} |
| bytes of a text, in UTF-8 | {frames.MAX_TEXT_BYTES:,} |

The order of things is told in [the link between two devices](../explanation/peer.md) and
[a message's life](../explanation/message-life.md). Numbers (`seq`, `seen`, `received`, `expected`) begin at 1 and count
one sender's messages to one recipient; 0 is none.
"""

ALICE, BOB = "0f" * 16, "b0" * 16
MESSAGE_ID = UUID("01920000-0000-7000-8000-000000000001").bytes
EXAMPLE_KEY = DeviceKey.from_private_bytes(bytes(range(32)))
EXAMPLE_ADDRESS = EXAMPLE_KEY.sign_address(ALICE, "192.0.2.1", 8000, 1)

EXAMPLES: dict[type[Frame], Frame] = {
    Hello: Hello(
        versions=[PEER_PROTOCOL],
        user_id=ALICE,
        username="alice",
        received=7,
        address=EXAMPLE_ADDRESS,
    ),
    MessageFrame: MessageFrame(
        id=MESSAGE_ID, seq=12, seen=7, sender=ALICE, recipient=BOB, sent_at=1_900_000_000_000_000, text="Hello Bob"
    ),
    Skip: Skip(seq=13, id=MESSAGE_ID, ord=MESSAGE_ID),
    Skipped: Skipped(seq=13, had=False),
    Stored: Stored(12),
    Refuse: Refuse(seq=14, error="sequence_gap", message="messages are missing", expected=13),
    Read: Read(12),
    ReadStored: ReadStored(12),
    Anew: Anew(epoch=1),
    Moved: Moved(EXAMPLE_ADDRESS),
    WhereIs: WhereIs(ALICE),
    Whereabouts: Whereabouts(ALICE, EXAMPLE_ADDRESS),
    ErrorFrame: ErrorFrame("forged_frame", "a message names another sender or recipient"),
}


def page() -> str:
    """The whole page: one section a frame, then the signed address that a greeting carries."""
    sections = [_section(kind) for kind in get_args(Frame)]
    return "\n".join([INTRODUCTION, *sections, _signed_address()])


def _section(kind: type[Frame]) -> str:
    example = EXAMPLES[kind]
    wire = encode_frames([example])
    if decode_frames(wire) != [example]:
        raise ValueError(f"{kind.__name__} does not survive its own codec")
    tag = types.type_info(kind).tag  # type: ignore[attr-defined]
    lines = [
        f"## `{tag}`",
        "",
        _prose(kind),
        "",
        *_fields(kind),
        "",
        "An example, and its bytes as a message of one frame:",
    ]
    return "\n".join([*lines, "", "```json", _shown(example), "```", "", "```text", _hex(wire), "```", ""])


def _signed_address() -> str:
    said = (
        "An array of these, in this order. The signature is Ed25519 over `telegraph address v1`, the user id, and the"
    )
    rest = "first three values as text, joined by NUL."
    return "\n".join(
        ["## A signed address", "", _prose(SignedAddress), "", said, rest, "", *_fields(SignedAddress), ""]
    )


def _fields(kind: type[msgspec.Struct]) -> list[str]:
    info = types.type_info(kind)
    assert isinstance(info, types.StructType)  # noqa: S101 - a struct's info is one
    rows = [f"| `{field.encode_name}` | {_type(field.type)} | {_default(field)} |" for field in info.fields]
    return ["| field | type | default |", "|---|---|---|", *rows]


def _default(field: types.Field) -> str:
    return (
        ""
        if field.required
        else f"`{'null' if field.default is None else msgspec.json.encode(field.default).decode()}`"
    )


def _type(kind: types.Type) -> str:
    match kind:
        case types.IntType():
            said = _integer(kind)
        case types.StrType():
            said = f"string, up to {kind.max_length:,} characters"
        case types.BytesType():
            fixed = kind.min_length is not None
            said = f"{kind.min_length} bytes" if fixed else f"up to {kind.max_length} bytes"
        case types.ListType():
            said = f"array of {kind.min_length} to {kind.max_length}: {_type(kind.item_type)}"
        case types.UnionType():
            said = " or ".join(_type(one) for one in kind.types)
        case types.NoneType():
            said = "null"
        case types.StructType(cls=frames.Spot):
            said = "array of `ord` (16 bytes) and `depth` (integer, 0 to 9,007,199,254,740,992)"
        case _:  # the only other struct in a frame
            said = "[signed address](#a-signed-address)"
    return said


def _integer(kind: types.IntType) -> str:
    last = kind.le if kind.lt is None else kind.lt - 1
    return "integer" if last is None else f"integer, {kind.ge} to {last:,}"


def _prose(kind: type[msgspec.Struct]) -> str:
    text = inspect.cleandoc(kind.__doc__ or "").split("Raises:")[0].strip()
    text = text.replace(":func:`telegraph.protocol.addresses.address_to_sign`", "see below")
    return "\n\n".join(" ".join(part.split()) for part in text.replace("``", "`").split("\n\n"))


def _shown(frame: Frame) -> str:
    """As JSON, bytes as hexadecimal digits."""
    plain = msgspec.to_builtins(frame, builtin_types=(bytes,))
    return msgspec.json.format(msgspec.json.encode(_readable(plain)), indent=2).decode()


def _readable(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: _readable(part) for name, part in value.items()}
    return [_readable(part) for part in value] if isinstance(value, list | tuple) else value


def _hex(data: bytes) -> str:
    return "\n".join(data[start : start + 24].hex(" ") for start in range(0, len(data), 24))


if __name__ == "__main__":
    sys.exit(write_or_check({PAGE: page()}, "protocol/frames.py"))
