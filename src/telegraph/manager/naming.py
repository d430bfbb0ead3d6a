"""Whose a name is, as the directory has it: of several who registered it at different sites, and of each of those."""

import msgspec

from telegraph.directory import records
from telegraph.directory.merging.names import find, live
from telegraph.directory.port import Reads
from telegraph.directory.records import Account, Claim, NameClaim
from telegraph.protocol.names import HEALED


class Found(msgspec.Struct, frozen=True):
    """Who a name leads to, None if to nobody; ``others`` are the claims of those who registered the same one."""

    user_id: str | None
    others: tuple[Claim, ...] = ()


NOBODY = Found(None)


async def look(reads: Reads, username: str) -> Found:
    """Whose a name is: ``bob``, or ``bob~lima`` after a heal. Registrations that are not decided yet do not count.

    Raises:
        DirectoryUnavailable: it cannot be said.
    """
    base, _, site = username.rpartition(HEALED) if HEALED in username else (username, "", None)
    place = records.name_record_key(base)
    entry = await reads.get(place)
    if entry is None:
        return NOBODY
    record = records.decode(entry.value, NameClaim)
    if not record.claims and site is None:
        return Found(record.user_id)
    gone = await reads.get(records.tombstone_of(place)) is not None
    user_id = find(place, record, site, gone=gone)
    others = (each for each in live(record) if each.user_id != user_id and each.state != "tentative")
    return Found(user_id, tuple(others))


async def account_of(reads: Reads, user_id: str) -> Account | None:
    """The account with an id, None if there is none."""
    entry = await reads.get(records.account_key(user_id))
    return None if entry is None else records.decode(entry.value, Account)
