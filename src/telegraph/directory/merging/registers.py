"""Joins two sites' values of one key: for each kind of record the least one that is no less than both. Pure.

A join is a maximum, field by field or of a few fields together, over an order that is total. So it does not matter in
which order sites' values are joined, nor how often (commutative, associative, idempotent); docs/explanation/merge.md
has the rules and the proof. What a value means for *other* keys is :mod:`telegraph.directory.merging.settle`.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from telegraph.directory import records
from telegraph.directory.merging.names import join_claims
from telegraph.directory.records import (
    Account,
    Ending,
    NameClaim,
    NameState,
    Presence,
    Revocation,
    Session,
    Site,
    Tombstone,
    Use,
    encode,
)

_STATES: Final[tuple[NameState, ...]] = ("tentative", "provisional", "final")

T = TypeVar("T")


def join(key: str, ours: bytes | None, theirs: bytes) -> bytes:
    """The joined value of a key, which may be one that is not there yet; in the form that every site gives it.

    Raises:
        msgspec.DecodeError: a value is no record of its kind.
        ValueError: the key is none that sites exchange.
    """
    for prefix, (kind, join_two) in _JOINS.items():
        if key.startswith(prefix):
            other = records.decode(theirs, kind)
            return encode(join_two(key, records.decode(ours, kind) if ours is not None else other, other))
    raise ValueError(f"{key!r} is not exchanged between sites")


def _accounts(_key: str, one: Account, other: Account) -> Account:
    """Each of password, device and settings from where it has the greater version.

    A key that was given up never wins over its own revocation: of one version none is greater than any.
    ``certified_until`` is a bound for all keys: only what no certificate outlives may be forgotten.
    """
    password, device = max(one, other, key=_password_order), max(one, other, key=_device_order)
    base, shown = max(one.base_name, other.base_name), max(one.username, other.username)
    version, hides = max((each.settings_version, each.hides_last_seen) for each in (one, other))
    return Account(
        user_id=max(one.user_id, other.user_id),
        username=shown,
        password_hash=password.password_hash,
        created=max(one.created, other.created),
        request_id=max(one.request_id, other.request_id),
        device_key=device.device_key,
        certified_until=max(one.certified_until, other.certified_until),
        hides_last_seen=hides,
        password_kept=password.password_kept,
        password_version=password.password_version,
        device_version=device.device_version,
        settings_version=version,
        registered="" if base == shown else base,
        home=max(one.home, other.home),
        name_state=max(one.name_state, other.name_state, key=_STATES.index),
    )


def _password_order(account: Account) -> tuple[Any, ...]:
    return account.password_version, account.password_hash, account.password_kept


def _device_order(account: Account) -> tuple[Any, ...]:
    return account.device_version, account.device_key is None, account.device_key or b""


def _names(key: str, one: NameClaim, other: NameClaim) -> NameClaim:
    return join_claims(key, one, other)


def _sessions(_key: str, one: Session, other: Session) -> Session:
    """Both are the same: nothing of a session changes."""
    return Session(
        device=max(one.device, other.device),
        created=max(one.created, other.created),
        password_version=max(one.password_version, other.password_version),
        device_version=max(one.device_version, other.device_version),
    )


def _uses(_key: str, one: Use, other: Use) -> Use:
    return max(one, other, key=lambda use: use.at)


def _endings(_key: str, one: Ending, other: Ending) -> Ending:
    """The first reason that was given, kept for as long as the last."""
    first = min(one, other, key=lambda ending: (ending.at, ending.reason))
    return Ending(first.reason, first.at, max(one.until, other.until))


def _revocations(_key: str, one: Revocation, other: Revocation) -> Revocation:
    return Revocation(min(one.at, other.at), max(one.until, other.until))


def _tombstones(_key: str, one: Tombstone, other: Tombstone) -> Tombstone:
    return min(one, other, key=lambda tombstone: tombstone.at)


def _presences(_key: str, one: Presence, other: Presence) -> Presence:
    """The newer address; of one address what was written last."""
    return max(one, other, key=lambda presence: (presence.counter, presence.version, presence.site, encode(presence)))


def _sites(_key: str, one: Site, other: Site) -> Site:
    return max(one, other, key=lambda site: (site.version, encode(site)))


_JOINS: Final[dict[str, tuple[type[Any], Callable[[str, Any, Any], Any]]]] = {
    records.ACCOUNTS: (Account, _accounts),
    records.NAMES: (NameClaim, _names),
    records.SESSIONS: (Session, _sessions),
    records.PRESENCES: (Presence, _presences),
    records.USES: (Use, _uses),
    records.ENDINGS: (Ending, _endings),
    records.REVOCATIONS: (Revocation, _revocations),
    records.TOMBSTONES: (Tombstone, _tombstones),
    records.SITES: (Site, _sites),
}
