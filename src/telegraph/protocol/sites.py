"""What managers of different sites say to each other: mutual TLS, managers only; msgpack.

A stream is a row of frames: 4 bytes of length, big-endian, then a :class:`Batch`. That of changes has no end, and is
never silent for much longer than :data:`BEAT` while all is well.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from telegraph.errors import ForgedFrame, IllegalSite

PATH_CHANGES: Final = "/exchange/changes"
PATH_SNAPSHOT: Final = "/exchange/snapshot"
PATH_STATE: Final = "/exchange/state"
PATH_REGISTER: Final = "/exchange/register"
PATH_RESERVE: Final = "/exchange/reserve"
PATH_SETTLED: Final = "/exchange/settled"

BEAT: Final = 0.5
"""Seconds between two frames at most."""

SILENCE: Final = 3.0
"""Seconds without a frame after which a site counts as cut off."""

MAX_FRAME: Final = 8 * 1024 * 1024
MAX_ENTRIES: Final = 100
MAX_BYTES: Final = 256 * 1024
"""What a frame holds at most, unless a single entry is larger."""

_LENGTH: Final = 4
_SITE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,15}")

Pair = tuple[str, bytes]
"""A key of the directory and its value."""


def check_site_name(name: str) -> str:
    """The name of a site, as it was given.

    It stands in people's names after a heal (``bob~lima``), so nothing in it needs a keyboard or is mistaken.

    Raises:
        IllegalSite: it is none.
    """
    if not _SITE.fullmatch(name):
        raise IllegalSite
    return name


class Batch(msgspec.Struct, frozen=True):
    """Some of a directory's changes, or a beat if there are none.

    Attributes:
        revision: everything up to it was sent, in this frame or before. In a snapshot: that of all its frames.
        sent: the last revision of which anything was sent; a part of its commit may still come.
        head: the directory's own revision just now.
        entries: keys and their values, each key once.
        done: in a snapshot: nothing more comes.
        gone: the changes that were asked for are not kept, or are of another directory: take a snapshot instead.
    """

    revision: int
    sent: int
    head: int
    entries: tuple[Pair, ...] = ()
    done: bool = False
    gone: bool = False


class LinkState(msgspec.Struct, frozen=True):
    """How the leader of a site hears another site.

    Attributes:
        site: the other one.
        up: whether it was heard within :data:`SILENCE`.
        since: since when it is so, RFC 3339: of one that is cut off, when it was heard last. Empty: never heard.
        lag: revisions of the other's directory that are not applied here yet; None if that is not known.
        url: where it is heard.
        problem: code of the error that the last try ended with.
    """

    site: str
    up: bool
    since: str = ""
    lag: int | None = None
    url: str = ""
    problem: str = ""


class SiteState(msgspec.Struct, frozen=True):
    """How a site stands, as one of its managers sees it.

    Attributes:
        site: its name.
        directory_id: of its directory, which its revisions belong to.
        revision: of its directory.
        state_hash: at that revision; empty unless it was asked for, since it takes reading all.
        leads: whether this manager exchanges with other sites.
        links: if it does, how.
    """

    site: str
    directory_id: str
    revision: int
    state_hash: str = ""
    leads: bool = False
    links: tuple[LinkState, ...] = ()


class Refusal(msgspec.Struct, frozen=True):
    """An error: its code, and the sentence in English."""

    error: str
    message: str
    retry_after: float | None = None


encode: Final = msgspec.msgpack.Encoder().encode
_batch: Final = msgspec.msgpack.Decoder(Batch).decode


def frame(batch: Batch) -> bytes:
    """A frame as it is sent."""
    body = encode(batch)
    return len(body).to_bytes(_LENGTH, "big") + body


class Frames:
    """Takes frames out of the pieces in which they arrive."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, piece: bytes) -> Iterator[Batch]:
        """The frames that are whole with this piece.

        Raises:
            ForgedFrame: that is no frame; nothing more can be read.
        """
        self._waiting += piece
        while len(self._waiting) >= _LENGTH:
            length = int.from_bytes(self._waiting[:_LENGTH], "big")
            if length > MAX_FRAME:
                raise ForgedFrame(detail="a frame between sites is too long")
            if len(self._waiting) < _LENGTH + length:
                return
            body = bytes(self._waiting[_LENGTH : _LENGTH + length])
            del self._waiting[: _LENGTH + length]
            try:
                yield _batch(body)
            except msgspec.DecodeError:
                raise ForgedFrame(detail="a frame between sites has another shape") from None


def pieces(pairs: Sequence[Pair] | Mapping[str, bytes]) -> Iterator[tuple[Pair, ...]]:
    """Entries in portions of :data:`MAX_ENTRIES` and :data:`MAX_BYTES`, in their order."""
    portion: list[Pair] = []
    size = 0
    for pair in pairs.items() if isinstance(pairs, Mapping) else pairs:
        weight = len(pair[0]) + len(pair[1])
        if portion and (len(portion) == MAX_ENTRIES or size + weight > MAX_BYTES):
            yield tuple(portion)
            portion, size = [], 0
        portion.append(pair)
        size += weight
    if portion:
        yield tuple(portion)


def gathered(batches: Sequence[Batch]) -> Batch:
    """Batches in a row as one; of a key that comes twice only the later value counts."""
    entries = {key: value for batch in batches for key, value in batch.entries}
    last = batches[-1]
    return msgspec.structs.replace(last, entries=tuple(entries.items()))
