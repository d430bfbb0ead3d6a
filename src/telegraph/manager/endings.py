"""What ends with a session, and what with a device: the writes of the transaction that ends them. Pure.

A device's key is revoked whenever its session ends by something else than its own log-out: the session moved to
another device, its user ended it or changed the password elsewhere, the account was deleted. Whoever still has the key
and its certificate is then refused by every node (DESIGN.md 10.11).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from telegraph.directory import records
from telegraph.directory.port import Delete, Entry, Put
from telegraph.directory.records import Account, Ending, Revocation, Session
from telegraph.manager.home import Home
from telegraph.manager.moment import Moment, as_text
from telegraph.protocol.addresses import Address
from telegraph.protocol.identity import key_fingerprint
from telegraph.protocol.manager_events import EndReason

MARGIN: Final = timedelta(days=2)
"""A revocation outlives the certificate by this, for nodes whose clock is behind."""

REMEMBERED: Final = timedelta(days=90)
"""For so long a device that was away can learn why its session ended."""

SessionEntry = tuple[Entry, Session]


class Ended(msgspec.Struct, frozen=True):
    """Sessions that have just ended, at ``at`` (RFC 3339).

    ``device`` is where the device was that one of them belonged to, if it must hear of it, and ``device_hash`` which.
    """

    user_id: str
    username: str
    token_hashes: tuple[str, ...]
    reason: EndReason
    at: str = ""
    device: Address | None = None
    device_hash: str = ""


def token_hash_of(entry: Entry) -> str:
    """Which session a record is."""
    return entry.key.rsplit("/", 1)[1]


def end_writes(
    user_id: str, sessions: Iterable[SessionEntry], reason: EndReason, now: Moment, *, several: bool = False
) -> list[Put | Delete]:
    """Removes sessions; of a device's it stays on record why, unless the device itself logged out.

    With ``several`` sites it does of all: they may have heard of the session, and bring it back otherwise.
    """
    writes: list[Put | Delete] = []
    until = as_text(now.utc + REMEMBERED)
    for entry, session in sessions:
        token_hash = token_hash_of(entry)
        writes += [Delete(entry.key), Delete(records.use_key(user_id, token_hash))]
        if several or (session.device and reason != "logged_out"):
            ending = Ending(reason, now.text, until)
            writes.append(Put(records.ending_key(user_id, token_hash), records.encode(ending)))
    return writes


def revoke_writes(account: Account, now: Moment, lifetime: timedelta) -> list[Put]:
    """Revokes the key of an account's device until no certificate of it can be valid any more.

    ``lifetime`` is what certificates have now, for accounts that do not say until when theirs goes.
    """
    if account.device_key is None:
        return []
    last = datetime.fromisoformat(account.certified_until) if account.certified_until else now.utc + lifetime
    place = records.revocation_key(account.user_id, key_fingerprint(account.device_key))
    until = as_text(max(last, now.utc).astimezone(UTC) + MARGIN)
    return [Put(place, records.encode(Revocation(now.text, until)))]


def without_device(account: Account, home: Home) -> Account:
    """The account after its device's key was revoked."""
    return replace(account, device_key=None, device_version=home.next(account.device_version))


def certified(account: Account, until: str) -> Account:
    """The account with a certificate until then; that goes up only, as sites' clocks differ and a merge lowers none."""
    return replace(account, certified_until=max(account.certified_until, until))


def ended_of(
    account: Account, sessions: Iterable[SessionEntry], reason: EndReason, now: Moment, device: Address | None
) -> Ended:
    """What is to be told of sessions that ended; ``device`` is where the device is, if it must hear of it."""
    all_of_them = list(sessions)
    device_hash = next((token_hash_of(entry) for entry, session in all_of_them if session.device), "")
    return Ended(
        account.user_id,
        account.username,
        tuple(token_hash_of(entry) for entry, _ in all_of_them),
        reason,
        now.text,
        device if device_hash else None,
        device_hash,
    )
