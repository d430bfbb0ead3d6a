"""The revoked device keys as nodes are told of them: all, or those since a cursor, and each new one at once.

A cursor is ``<id of the directory>:<revision>``; one of another directory, or from before a restored backup, is
answered by the whole list. The list lives in memory: that ten thousand nodes ask for it at once costs no reads.
"""

import secrets
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from telegraph.directory import records
from telegraph.directory.port import Change, Delete, Directory, Entry, Put, Unchanged
from telegraph.directory.records import Ending, Revocation
from telegraph.manager.moment import Moment
from telegraph.protocol.manager_events import REVOKED_AT_ONCE, Revoked, RevokedKey

_ID_BYTES: Final = 8


class RevokedKeys:
    """All revoked keys, in the order in which they were revoked."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._keys: list[tuple[int, RevokedKey]] = []
        self._directory_id = ""
        self._revision = 0

    async def load(self) -> list[Revoked]:
        """Reads the list; what is new since the last time, as nodes are told it."""
        self._directory_id = await directory_id(self._directory)
        snapshot = await self._directory.scan(records.REVOCATIONS)
        before = self._revision
        found = [(entry.revision, _revoked_key(entry.key, entry.value)) for entry in snapshot.entries]
        self._keys = sorted(found, key=lambda pair: pair[0])
        self._revision = snapshot.revision
        return self._told(before)

    def take(self, change: Change) -> Revoked | None:
        """What the directory's watch says: what nodes are to be told of it, if it is new."""
        if change.value is None or change.revision < self._revision or self._is_known(change):
            return None
        key = _revoked_key(change.key, change.value)
        self._keys.append((change.revision, key))
        known = change.revision - 1  # another key of this revision may be still to come
        self._revision = max(self._revision, known)
        return Revoked([key], self._cursor(known))

    def _is_known(self, change: Change) -> bool:
        return any(
            revision == change.revision and records.revocation_key(key.user_id, key.key) == change.key
            for revision, key in self._keys[-REVOKED_AT_ONCE:]
        )

    def _cursor(self, revision: int) -> str:
        return f"{self._directory_id}:{revision}"

    def since(self, cursor: str) -> list[Revoked]:
        """What a node must be told that knows everything up to a cursor (empty: nothing); the last carries the next."""
        of, _, revision = cursor.rpartition(":")
        known = int(revision) if of == self._directory_id and revision.isascii() and revision.isdecimal() else 0
        return self._told(known if known <= self._revision else 0)

    def _told(self, after: int) -> list[Revoked]:
        start = bisect_right(self._keys, after, key=lambda pair: pair[0])
        keys = [key for _, key in self._keys[start:]]
        pieces = [keys[at : at + REVOKED_AT_ONCE] for at in range(0, len(keys), REVOKED_AT_ONCE)] or [[]]
        return [*(Revoked(piece) for piece in pieces[:-1]), Revoked(pieces[-1], self._cursor(self._revision))]

    async def forget_expired(self, now: Moment, fence: Sequence[Unchanged] = ()) -> int:
        """Removes what no certificate outlives, and old reasons of endings: how many records.

        ``fence`` is what must hold for it, such as that this manager leads.
        """
        revocations, endings = await self._all(records.REVOCATIONS), await self._all(records.ENDINGS)
        expired = [entry for entry in revocations if records.decode(entry.value, Revocation).until <= now.text]
        expired += [entry for entry in endings if records.decode(entry.value, Ending).until <= now.text]
        for entry in expired:
            await self._directory.commit([*fence, Unchanged(entry.key, entry.revision)], [Delete(entry.key)])
        self._keys = [(revision, key) for revision, key in self._keys if key.until > now.text]
        return len(expired)

    async def _all(self, prefix: str) -> tuple[Entry, ...]:
        return (await self._directory.scan(prefix)).entries


async def directory_id(directory: Directory) -> str:
    """The random name of a directory, given at its first use."""
    while (entry := await directory.get(records.DIRECTORY_ID)) is None:
        name = secrets.token_hex(_ID_BYTES).encode()
        await directory.commit([Unchanged(records.DIRECTORY_ID, 0)], [Put(records.DIRECTORY_ID, name)])
    return entry.value.decode()


def _revoked_key(key: str, value: bytes) -> RevokedKey:
    user_id, fingerprint = key.removeprefix(records.REVOCATIONS).split("/")
    return RevokedKey(user_id, fingerprint, records.decode(value, Revocation).until)
