"""What a backup holds, and what of it comes back. Pure.

The content is a row of parts, each its length (4 bytes, big-endian) and msgpack: a :class:`Manifest`, then lists of
(key, value), as of one revision and in key order.

======================================  ==============  ======================================================
entries                                 in the backup   when it is restored
======================================  ==============  ======================================================
accounts, names, revocations,           yes             as they were
tombstones, endings, invites, settings
presence                                yes             offline, since nobody is there yet: nodes say where
                                                        they are, under a higher counter (DESIGN.md 10.7)
sessions, their last uses               yes             dropped, unless they are asked for: one that was ended
                                                        since then, maybe a stolen device's, would live again
the directory's own name                no              a new one is drawn, so that cursors of nodes end
managers, join token, sealed CAs        no              a new group makes its own around the same CA
which site it is, and the other sites    yes             it is that site again, and tells them where it is now
how far other sites' changes are known  no              all of them are asked for anew
what hangs on a lease                   no              it belongs to a process
======================================  ==============  ======================================================

So members of the old group have nothing in common with the restored one but the CA: its join token and its cluster
secret, which seal nothing that is kept, are worth nothing there.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from telegraph.directory import records
from telegraph.directory.cluster_records import LINKS, MANAGERS, OWN_SITE
from telegraph.directory.port import Entry
from telegraph.directory.records import Presence, decode, encode
from telegraph.manager.cluster.copying import is_copied
from telegraph.manager.keeping.sealing import Damaged
from telegraph.manager.presence import put_offline

Pair = tuple[str, bytes]
T = TypeVar("T")

_LEFT_OUT: Final = (MANAGERS, "cluster/", "leader/", LINKS, records.CURSORS)
_OF_SESSIONS: Final = (records.SESSIONS, records.USES)
_TOGETHER: Final = 500
"""Entries in a part, which is also one commit when they come back."""

_LENGTH: Final = 4
_LONGEST: Final = 256 * 1024 * 1024


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says of itself.

    Attributes:
        version: of the Telegraph that made it.
        made: when, RFC 3339.
        revision: of the directory.
        state_hash: of the directory (:mod:`telegraph.directory.state_hash`).
        entries: how many follow.
        ca: the organisation CA's certificate, PEM.
        ca_key: its key, PEM; only the backup's own encryption protects it.
    """

    version: str
    made: str
    revision: int
    state_hash: str
    entries: int
    ca: str
    ca_key: bytes

    def __repr__(self) -> str:
        """Nothing of it: it might get into a log."""
        return "Manifest(…)"


def kept(entries: Iterable[Entry]) -> list[Entry]:
    """What goes into a backup. Presence does in any case: every account has its record."""
    return [
        entry
        for entry in entries
        if entry.key.startswith((records.PRESENCES, OWN_SITE))
        or (is_copied(entry) and not entry.key.startswith(_LEFT_OUT))
    ]


def begun(manifest: Manifest) -> bytes:
    """The beginning of the content."""
    return _framed(manifest)


def continued(entries: Sequence[Entry]) -> Iterator[bytes]:
    """The next entries, as parts of the content; none for none."""
    for begin in range(0, len(entries), _TOGETHER):
        yield _framed([(entry.key, entry.value) for entry in entries[begin : begin + _TOGETHER]])


def _framed(part: object) -> bytes:
    body = msgspec.msgpack.encode(part)
    return len(body).to_bytes(_LENGTH, "big") + body


class Reader:
    """Reads the content again, from pieces as they come."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """Reads the manifest.

        Raises:
            Damaged: it is none.
        """
        self._pieces, self._waiting = pieces, bytearray()
        self.manifest: Final = self._part(Manifest)

    def pairs(self) -> Iterator[list[Pair]]:
        """All entries, some at a time; may be called once.

        Raises:
            Damaged: something else is there, or not as many as the manifest says.
        """
        left = self.manifest.entries
        while left > 0:
            found = self._part(list[Pair])
            left -= len(found) or left + 1
            yield found
        if left or self._waiting or any(self._pieces):
            raise Damaged

    def _part(self, kind: type[T]) -> T:
        length = int.from_bytes(self._take(_LENGTH), "big")
        if length > _LONGEST:
            raise Damaged
        try:
            return msgspec.msgpack.decode(self._take(length), type=kind)
        except msgspec.DecodeError:
            raise Damaged from None

    def _take(self, count: int) -> bytes:
        while len(self._waiting) < count:
            piece = next(self._pieces, b"")
            if not piece:
                raise Damaged
            self._waiting += piece
        taken = bytes(self._waiting[:count])
        del self._waiting[:count]
        return taken


def revived(pairs: Iterable[Pair], *, sessions: bool) -> Iterator[Pair]:
    """What of these entries comes back, and how.

    Raises:
        Damaged: a presence record is none.
    """
    for key, value in pairs:
        if key.startswith(records.PRESENCES):
            yield key, _offline(value)
        elif sessions or not key.startswith(_OF_SESSIONS):
            yield key, value


def _offline(value: bytes) -> bytes:
    try:
        known = decode(value, Presence)
    except msgspec.DecodeError:
        raise Damaged from None
    return encode(put_offline(known, None) or known)
