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
    digest = hashlib.sha256(_VERSION)
    consistent = (entry for entry in entries if entry.key.startswith(CONSISTENT))
    for entry in sorted(consistent, key=lambda entry: entry.key):
        for part in (entry.key.encode(), entry.value):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()
