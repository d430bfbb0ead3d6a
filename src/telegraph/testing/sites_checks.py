"""What must hold of a :class:`telegraph.testing.sites_history.History`, at every moment and in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telegraph.directory import records
from telegraph.directory.merging import names
from telegraph.directory.merging.merge import merge
from telegraph.directory.port import Entry
from telegraph.directory.records import NameClaim, decode
from telegraph.directory.state_hash import state_hash
from telegraph.protocol.identity import key_fingerprint
from telegraph.protocol.names import name_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

    from telegraph.testing.sites_history import History
    from telegraph.testing.sites_world import SiteModel


class Watcher:
    """Looks after every step: at no site comes back what was gone for good, and nobody loses a final name."""

    def __init__(self) -> None:
        self._gone: dict[str, set[str]] = {}
        self.violations: list[str] = []

    def __call__(self, history: History) -> None:
        """Looks at all sites."""
        for site in history.sites:
            gone = self._gone.setdefault(site.name, set())
            gone |= {mark for key in site.state if (mark := _what_ended(key))}
            self._see(f"{site.name} has {key} again" for key in gone & site.state.keys())
            self._see(_double_names(site))
            self._see(_names_taken_away(history, site))

    def _see(self, violations: Iterator[str]) -> None:
        self.violations += violations


def _what_ended(key: str) -> str:
    if key.startswith(records.ENDINGS):
        return records.SESSIONS + key.removeprefix(records.ENDINGS)
    tombstone = f"{records.TOMBSTONES}user/"
    return records.account_key(key.removeprefix(tombstone)) if key.startswith(tombstone) else ""


def _double_names(site: SiteModel) -> Iterator[str]:
    seen: dict[str, str] = {}
    for account in site.accounts():
        other = seen.setdefault(name_key(account.username), account.user_id)
        if other != account.user_id:
            yield f"{site.name}: {account.username} is {account.user_id} and {other}"


def _names_taken_away(history: History, site: SiteModel) -> Iterator[str]:
    for user_id, username in history.facts.final.items():
        account = site.account(user_id)
        if account is not None and account.name_state == "final" and account.username != username:
            yield f"{site.name}: {user_id} had {username} for good and is {account.username}"


def violations_of(history: History) -> list[str]:
    """What is wrong after everything has healed."""
    found = list(_differences(history))
    site = history.sites[0]
    for check in (_lost, _names, _deleted, _sessions, _passwords, _devices):
        found += check(history, site)
    return found


def _differences(history: History) -> Iterator[str]:
    first = history.sites[0]
    for site in history.sites[1:]:
        keys = first.state.keys() | site.state.keys()
        different = sorted(key for key in keys if first.state.get(key) != site.state.get(key))
        if different or _hash(site.state) != _hash(first.state):
            yield f"{first.name} and {site.name} differ at {different[:3]}"


def _hash(state: Mapping[str, bytes]) -> str:
    return state_hash(Entry(key, value, 1) for key, value in state.items())


def _lost(history: History, site: SiteModel) -> Iterator[str]:
    for user_id, claim in history.facts.answered.items():
        account = site.account(user_id)
        if account is None and user_id not in history.facts.deleted:
            yield f"{user_id} was registered and is lost"
        if account is not None and account.username not in (claim.username, f"{claim.username}~{claim.site}"):
            yield f"{user_id} registered {claim.username} and is {account.username}"
    for user_id in history.facts.refused:
        if site.account(user_id) is not None:
            yield f"{user_id} was refused and is there"


def _names(history: History, site: SiteModel) -> Iterator[str]:
    for place in [key for key in site.state if key.startswith(records.NAMES)]:
        record = decode(site.state[place], NameClaim)
        for claim in names.live(record):
            if claim.user_id in history.facts.refused:
                yield f"{claim.user_id} was refused and claims {place}"
        if site.is_gone(place) and record.user_id:
            yield f"{place} was deleted and belongs to {record.user_id}"
        first = names.claim_of(record, record.user_id)
        if first is not None and first.state != "final":
            yield f"{record.user_id} still has {place} only {first.state}"
    for user_id, username in history.facts.final.items():
        account = site.account(user_id)
        if account is not None and account.username != username:
            yield f"{user_id} had {username} for good and is {account.username}"


def _deleted(history: History, site: SiteModel) -> Iterator[str]:
    for user_id in history.facts.deleted:
        for key in site.state:
            if user_id in key and not key.startswith((records.TOMBSTONES, records.ENDINGS, records.REVOCATIONS)):
                yield f"{user_id} was deleted and {key} is there"


def _sessions(history: History, site: SiteModel) -> Iterator[str]:
    facts = history.facts
    yield from (f"{key} ended and is there" for key in facts.ended if key in site.state)
    for account in site.accounts():
        for entry, _session in site.sessions(account.user_id):
            password, device = facts.began[entry.key.rsplit("/", 1)[1]]
            if password != account.password_hash and facts.kept.get(account.password_hash) != entry.key:
                yield f"{entry.key} began with {password}, which was changed"
            if device is not None and device != account.device_key:
                yield f"{entry.key} is of a device that was given up"


def _passwords(history: History, site: SiteModel) -> Iterator[str]:
    for account in site.accounts():
        if account.password_hash in history.facts.given_up:
            yield f"{account.user_id} has {account.password_hash} again"


def _devices(history: History, site: SiteModel) -> Iterator[str]:
    for account in site.accounts():
        key = account.device_key
        if key is not None and (
            key in history.facts.revoked or records.revocation_key(account.user_id, key_fingerprint(key)) in site.state
        ):
            yield f"{account.user_id} has the revoked device {key!r}"


def unequal_orders(history: History, rng: Random) -> list[str]:
    """Whether it matters in which order, how often and in which groups the sites' states are merged."""
    states = [site.state for site in history.sites]
    one, other = (rng.sample(states, len(states)) for _ in range(2))
    left = one[0]
    for state in one[1:]:
        left = merge(left, state)
    right = other[-1]
    for state in reversed(other[:-1]):
        right = merge(state, right)
    again = merge(left, rng.choice(states))
    return (
        []
        if left == right == again == merge(left, left)
        else [f"the order matters at {_first_difference(left, right)}"]
    )


def _first_difference(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))[:3]
