"""A hash of what the managers of all sites must agree on in the end (DESIGN.md 10.5). Pure.

It covers the consistent part: accounts with their device keys, claims of names, revoked keys, tombstones. Sessions,
their uses and endings, presence with its addresses, invites, settings and the managers' own records stay out: they
belong to one site, or to one moment.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from telegraph.directory import records
from telegraph.directory.port import Entry

CONSISTENT: Final = (records.ACCOUNTS, records.NAMES, records.REVOCATIONS, records.TOMBSTONES)
"""Prefixes of the keys that count."""

_VERSION: Final = b"telegraph state v1"


def state_hash(entries: Iterable[Entry]) -> str:
    """SHA-256 over the consistent entries in key order, 64 hex digits; revisions do not count.

    Keys and values are hashed with their lengths, so no two contents have the same encoding. Values are canonical
    already, see :mod:`telegraph.directory.records`.
    """
    hashed = StateHash()
    for entry in sorted((entry for entry in entries if entry.key.startswith(CONSISTENT)), key=lambda entry: entry.key):
        hashed.add(entry)
    return hashed.text


class StateHash:
    """:func:`state_hash` of entries that come one after the other, in key order."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256(_VERSION)
        self._last = ""

    def add(self, entry: Entry) -> None:
        """The next entry; one that does not count is left out.

        Raises:
            ValueError: its key does not come after the last one's.
        """
        if not entry.key.startswith(CONSISTENT):
            return
        if entry.key <= self._last:
            raise ValueError("entries are hashed in key order")
        self._last = entry.key
        for part in (entry.key.encode(), entry.value):
            self._digest.update(len(part).to_bytes(8, "big"))
            self._digest.update(part)

    @property
    def text(self) -> str:
        """64 hex digits, of all that was added so far."""
        return self._digest.hexdigest()
