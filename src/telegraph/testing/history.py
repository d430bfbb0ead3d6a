"""What happened in a run with faults, as seen at its ends: one record a line of JSON, in the order of observation.

Whoever drives the traffic writes it down: each call before it is made and after it was answered, everything that a
node's event stream shows, each fault, and at the end what both stores hold. What a node had shown before somebody
there sent a message stands before that message: that is what "they had seen it" means to the validators
(:mod:`telegraph.testing.validators`).
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from telegraph.protocol.node_api import MessageState


class _Record(msgspec.Struct, frozen=True, tag_field="op", omit_defaults=True, kw_only=True):
    """``at`` is in seconds of one clock for the whole run, which no fault touches."""

    at: float = 0.0


class Called(_Record, frozen=True, tag="called"):
    """Somebody at ``node`` is about to send ``text`` to ``peer``. No two messages of a run have the same text."""

    node: str
    peer: str
    text: str


class Returned(_Record, frozen=True, tag="returned"):
    """The send came back: from now on the message must not be lost."""

    node: str
    peer: str
    text: str
    id: str


class Refused(_Record, frozen=True, tag="refused"):
    """The node said that it does not send this: it must not turn up anywhere."""

    node: str
    peer: str
    text: str
    error: str


class GivenUp(_Record, frozen=True, tag="given_up"):
    """Somebody at ``node`` is about to cancel a message of theirs, or has given it so little time that it may fail."""

    node: str
    peer: str
    text: str


class TriedAgain(_Record, frozen=True, tag="tried_again"):
    """Somebody at ``node`` is about to ask that a message is sent after all: it may move to the end."""

    node: str
    peer: str
    text: str


class Shown(_Record, frozen=True, tag="shown"):
    """The event stream of ``node`` showed a new message of its conversation with ``peer``."""

    node: str
    peer: str
    id: str
    text: str
    mine: bool


class Told(_Record, frozen=True, tag="told"):
    """The event stream of ``node`` showed another state of a message: a tick, if it is the node's own."""

    node: str
    peer: str
    id: str
    state: MessageState
    mine: bool


class ReadCalled(_Record, frozen=True, tag="read"):
    """Somebody at ``node`` is about to mark everything from ``peer`` as read."""

    node: str
    peer: str


class Fault(_Record, frozen=True, tag="fault"):
    """Something was broken, or healed."""

    what: str
    who: list[str] = []
    detail: str = ""


class Kept(msgspec.Struct, frozen=True):
    """A message in a store."""

    id: str
    text: str
    mine: bool
    state: MessageState
    kind: str = "text"


class Final(_Record, frozen=True, tag="final"):
    """What the store of ``node`` holds of its conversation with ``peer`` once all is quiet, in its order."""

    node: str
    peer: str
    messages: list[Kept]


Record = Called | Returned | Refused | GivenUp | TriedAgain | Shown | Told | ReadCalled | Fault | Final
R = TypeVar("R", bound=_Record)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


class History:
    """All records of a run in the order of observation, also in a file if one is given."""

    def __init__(self, file: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.records: list[Record] = []
        self._clock = clock
        self._file = file.open("ab") if file is not None else None

    def note(self, kind: "type[R]", **fields: Any) -> R:
        """Writes a record down, with the time of now."""
        record = kind(at=round(self._clock(), 6), **fields)
        self.records.append(record)  # type: ignore[arg-type]
        if self._file is not None:
            self._file.write(_encode(record) + b"\n")
        return record

    def close(self) -> None:
        """Everything noted is in the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def load(file: Path) -> Iterator[Record]:
    """The records of a file that :class:`History` wrote.

    Raises:
        msgspec.DecodeError: a line is no record.
    """
    with file.open("rb") as lines:
        for line in lines:
            yield _decode(line)
