"""What a site does about what it hears from another, beyond the merge: what needs a clock, or is its own to do. Pure.

- A device key that lost against another one, or against a new password, is revoked: whoever still has it is refused.
- Of each session that ends by the merge it is put on record why, for the device that asks.
- Its own tentative claim that has lost is aborted.

All of it is records like any others, added by a merge; so sites that do the same independently end with the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from telegraph.directory import records
from telegraph.directory.merging.claims import conceded
from telegraph.directory.merging.merge import State, merge
from telegraph.directory.merging.settle import has_old_password, is_of_old_device, owner_of
from telegraph.directory.records import Account, Ending, NameClaim, Session, decode, encode
from telegraph.manager.endings import REMEMBERED, revoke_writes
from telegraph.manager.moment import Moment, as_text
from telegraph.protocol.manager_events import EndReason

_MOST_ROUNDS: Final = 4
"""A revocation ends sessions, and an aborted claim an account; nothing follows from that."""


class Here(msgspec.Struct, frozen=True):
    """Who applies: the name of the site, the time, and how long certificates live that do not say until when."""

    site: str
    now: Moment
    lifetime: timedelta


def incorporate(ours: State, theirs: State, here: Here) -> dict[str, bytes]:
    """What this site knows after it has heard ``theirs``; both may be parts, see :func:`~.settle.settle`.

    Raises:
        msgspec.DecodeError: a value is no record of its kind.
        ValueError: a key is none that sites exchange.
    """
    merged = merge(ours, theirs)
    for _ in range(_MOST_ROUNDS):
        more = dict(_consequences((ours, theirs), merged, here))
        if not more:
            break
        merged = merge(merged, more)
    return merged


def _consequences(before: Sequence[State], merged: State, here: Here) -> Iterator[tuple[str, bytes]]:
    yield from _revocations(before, merged, here)
    yield from _endings(before, merged, here)
    for place in [key for key in merged if key.startswith(records.NAMES)]:
        gone = records.tombstone_of(place) in merged
        record = conceded(place, decode(merged[place], NameClaim), home=here.site, gone=gone)
        if record is not None:
            yield place, encode(record)


# --- device keys ---


def _revocations(before: Sequence[State], merged: State, here: Here) -> Iterator[tuple[str, bytes]]:
    for state in before:
        for key in [key for key in state if key.startswith(records.ACCOUNTS)]:
            account = decode(state[key], Account)
            if _gave_up(account, before, merged):
                yield from _unless_there(merged, account, here)


def _gave_up(account: Account, before: Sequence[State], merged: State) -> bool:
    """Whether a device that an account had is not to be trusted any more."""
    value = merged.get(records.account_key(account.user_id))
    if value is None:
        return True
    now = decode(value, Account)
    return account.device_key != now.device_key or _began_with_old_password(now, before, merged)


def _began_with_old_password(account: Account, before: Sequence[State], merged: State) -> bool:
    """Whether the account's device logged in with a password that was changed at another site, and never again."""
    prefix = records.sessions_of(account.user_id)
    old = good = False
    for state in before:
        for key in [key for key in state if key.startswith(prefix)]:
            session = decode(state[key], Session)
            if session.device and session.device_version == account.device_version:
                old = old or has_old_password(account, key.removeprefix(prefix), session)
                good = good or key in merged
    return old and not good


def _unless_there(merged: State, account: Account, here: Here) -> Iterator[tuple[str, bytes]]:
    for put in revoke_writes(account, here.now, here.lifetime):
        if put.key not in merged:
            yield put.key, put.value


# --- sessions ---


def _endings(before: Sequence[State], merged: State, here: Here) -> Iterator[tuple[str, bytes]]:
    until = as_text(here.now.utc + REMEMBERED)
    for state in before:
        for key in [key for key in state if key.startswith(records.SESSIONS)]:
            user_id, token_hash = owner_of(key), key.rsplit("/", 1)[1]
            place = records.ending_key(user_id, token_hash)
            if key not in merged and place not in merged:
                reason = _reason(merged.get(records.account_key(user_id)), token_hash, decode(state[key], Session))
                yield place, encode(Ending(reason, here.now.text, until))


def _reason(account_value: bytes | None, token_hash: str, session: Session) -> EndReason:
    if account_value is None:
        return "removed"
    account = decode(account_value, Account)
    if has_old_password(account, token_hash, session):
        return "password_changed"
    replaced = is_of_old_device(account, session) and account.device_key is not None
    return "logged_in_elsewhere" if replaced else "ended_elsewhere"


def changes(ours: State, merged: State) -> Mapping[str, bytes | None]:
    """What is to be written so that ``ours`` becomes ``merged``; None is to be removed."""
    found: dict[str, bytes | None] = {key: value for key, value in merged.items() if ours.get(key) != value}
    return {**found, **{key: None for key in ours if key not in merged}}
