"""What of the own directory another site's entries concern: read before they are merged.

:func:`telegraph.directory.merging.settle.settle` says what must come together. What is read with an account comes with
its sessions, as many as a user may have; their ends on record, of which there may be thousands, come one by one.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Final

import msgspec
import structlog

from telegraph.directory import records
from telegraph.directory.merging.names import claims_of
from telegraph.directory.merging.registers import join
from telegraph.directory.merging.settle import owner_of
from telegraph.directory.port import Directory, Entry, Unchanged
from telegraph.directory.records import Account, NameClaim, decode
from telegraph.protocol.identity import key_fingerprint

log = structlog.get_logger(__name__)

_ORDER: Final = (
    records.SITES,
    records.TOMBSTONES,
    records.ENDINGS,
    records.REVOCATIONS,
    records.NAMES,
    records.ACCOUNTS,
    records.SESSIONS,
    records.USES,
    records.PRESENCES,
)
"""What is left out because of others comes after these, and what belongs to an account after it."""

_USER_TOMBSTONES: Final = f"{records.TOMBSTONES}user/"
_NAME_TOMBSTONES: Final = f"{records.TOMBSTONES}name/"

_READS: Final = 32
"""Reads under way at once."""

Pair = tuple[str, bytes]


def sorted_entries(entries: Mapping[str, bytes]) -> list[Pair]:
    """The entries in the order in which they are to be merged, without what is not exchanged or is no record."""
    found = [(key, value) for key, value in entries.items() if _is_record(key, value)]
    return sorted(found, key=lambda pair: (_place(pair[0]), pair[0]))


def _place(key: str) -> int:
    return next(index for index, prefix in enumerate(_ORDER) if key.startswith(prefix))


def _is_record(key: str, value: bytes) -> bool:
    try:
        join(key, None, value)
    except (ValueError, msgspec.DecodeError):
        log.warning("not_merged", key=key)
        return False
    return True


class Part:
    """What was read: the entries that are there, and the conditions that all this is still so.

    Attributes:
        theirs: the other site's entries.
    """

    def __init__(self, directory: Directory, theirs: Mapping[str, bytes]) -> None:
        self._directory = directory
        self._found: dict[str, Entry | None] = {}
        self._scanned: set[str] = set()
        self._reading = asyncio.Semaphore(_READS)
        self.theirs = theirs

    @property
    def state(self) -> dict[str, bytes]:
        """What is there, by key."""
        return {key: entry.value for key, entry in self._found.items() if entry is not None}

    @property
    def conditions(self) -> list[Unchanged]:
        """That nothing of it has changed."""
        return [Unchanged(key, entry.revision if entry else 0) for key, entry in self._found.items()]

    def both(self, key: str) -> list[bytes]:
        """The values of a key, here and there."""
        entry = self._found.get(key)
        found = [entry.value if entry is not None else None, self.theirs.get(key)]
        return [value for value in found if value is not None]

    async def read(self, keys: Iterable[str]) -> None:
        """Reads what was not read yet."""
        await self._all(self._get(key) for key in dict.fromkeys(keys) if key not in self._found)

    async def scan(self, prefixes: Iterable[str]) -> None:
        """Reads all that is below some prefixes."""
        fresh = [prefix for prefix in dict.fromkeys(prefixes) if prefix not in self._scanned]
        self._scanned.update(fresh)
        await self._all(self._below(prefix) for prefix in fresh)

    async def _get(self, key: str) -> None:
        async with self._reading:
            self._found[key] = await self._directory.get(key)

    async def _below(self, prefix: str) -> None:
        async with self._reading:
            self._found.update((entry.key, entry) for entry in (await self._directory.scan(prefix)).entries)

    async def _all(self, reads: Iterable[Awaitable[None]]) -> None:
        await asyncio.gather(*reads)


async def surroundings(directory: Directory, entries: Sequence[Pair]) -> Part:
    """Reads what some entries concern.

    Raises:
        DirectoryUnavailable: it cannot be read.
    """
    part = Part(directory, dict(entries))
    await part.read(part.theirs)
    users = {_user_of(key) for key in part.theirs} - {""}
    await part.read(map(records.account_key, users))
    changing = {user_id for user_id in users if _is_in_question(part, user_id)}
    places = {key for key in part.theirs if key.startswith(records.NAMES)} | _names_of(part, changing)
    places |= await _tombstoned(directory, part, places)
    await part.read((*places, *map(records.tombstone_of, places)))
    claimants = _claimants(part, places)
    await part.read(map(records.account_key, claimants))
    await part.read(map(records.tombstone_key, changing | claimants))
    await part.scan(map(records.sessions_of, _with_sessions(part)))
    await part.read(_marks(part, changing))
    return part


def _user_of(key: str) -> str:
    if key.startswith(_USER_TOMBSTONES):
        return key.removeprefix(_USER_TOMBSTONES)
    return "" if key.startswith((records.NAMES, records.SITES, records.TOMBSTONES)) else owner_of(key)


def _is_in_question(part: Part, user_id: str) -> bool:
    return records.account_key(user_id) in part.theirs or records.tombstone_key(user_id) in part.theirs


def _accounts(part: Part, user_id: str) -> list[Account]:
    return [decode(value, Account) for value in part.both(records.account_key(user_id))]


def _names_of(part: Part, users: Iterable[str]) -> set[str]:
    return {records.name_record_key(each.base_name) for user_id in users for each in _accounts(part, user_id)}


async def _tombstoned(directory: Directory, part: Part, places: Iterable[str]) -> set[str]:
    """The names of tombstones that came, which name them by a hash only, and those that deleted accounts have claimed.

    Of most of them the account is known here. For others all names are looked at, which is rare enough.
    """
    known = {*map(records.tombstone_of, places)}
    news = {key for key in part.theirs if key.startswith(records.TOMBSTONES) and len(part.both(key)) == 1}
    strange = {key for key in news - known if key.startswith(_NAME_TOMBSTONES)}
    users = {_user_of(key) for key in news} - {""}
    strangers = [user_id.encode() for user_id in users if not _accounts(part, user_id)]
    if not strange and not strangers:
        return set()
    return {
        entry.key
        for entry in (await directory.scan(records.NAMES)).entries
        if records.tombstone_of(entry.key) in strange or any(user_id in entry.value for user_id in strangers)
    }


def _claimants(part: Part, places: Iterable[str]) -> set[str]:
    found = (decode(value, NameClaim) for place in places for value in part.both(place))
    return {claim.user_id for record in found for claim in claims_of(record)}


def _with_sessions(part: Part) -> list[str]:
    """Users of whom not only a presence or the like has come."""
    kinds = (records.ACCOUNTS, records.SESSIONS, records.REVOCATIONS, _USER_TOMBSTONES)
    return sorted({_user_of(key) for key in part.theirs if key.startswith(kinds)})


def _marks(part: Part, users: Iterable[str]) -> list[str]:
    """Where it would stand that device keys in question are revoked, and sessions that came have ended."""
    accounts = (each for user_id in users for each in _accounts(part, user_id))
    found = [
        records.revocation_key(each.user_id, key_fingerprint(each.device_key))
        for each in accounts
        if each.device_key is not None
    ]
    sessions = (key for key in part.theirs if key.startswith(records.SESSIONS))
    ended = (key for key in part.theirs if key.startswith(records.ENDINGS))
    found += (records.ENDINGS + key.removeprefix(records.SESSIONS) for key in sessions)
    found += (records.SESSIONS + key.removeprefix(records.ENDINGS) for key in ended)
    uses = (key for key in part.theirs if key.startswith(records.USES))
    return [*found, *(records.SESSIONS + key.removeprefix(records.USES) for key in uses)]
