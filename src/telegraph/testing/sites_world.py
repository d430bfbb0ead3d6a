"""Two to four sites with people, cuts and crooked clocks, which decide by the same pure functions as the managers.

A :class:`SiteModel` is a directory as a dict, with a log of its changes for others to pull. What a manager writes in
one commit is written here in one step. :mod:`telegraph.testing.sites_history` makes them live,
:mod:`telegraph.testing.sites_checks` says what must hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from telegraph.directory import records
from telegraph.directory.merging import claims, names
from telegraph.directory.port import Entry, Put
from telegraph.directory.records import (
    Account,
    Claim,
    ClaimState,
    NameClaim,
    Presence,
    Session,
    Tombstone,
    decode,
    encode,
)
from telegraph.manager.endings import SessionEntry, certified, end_writes, revoke_writes, without_device
from telegraph.manager.home import Home
from telegraph.manager.moment import Moment, as_text
from telegraph.manager.presence import written
from telegraph.manager.sites.consequences import Here, changes, incorporate
from telegraph.protocol.identity import key_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telegraph.directory.port import Delete
    from telegraph.protocol.manager_events import EndReason

LIFETIME: Final = timedelta(days=30)
START: Final = 1_900_000_000.0


@dataclass
class SiteModel:
    """A site. ``skew`` is what its clock is wrong by, in seconds."""

    name: str
    skew: float
    state: dict[str, bytes] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    cursors: dict[str, int] = field(default_factory=dict)
    ticks: float = START

    def __post_init__(self) -> None:
        self.home = Home(self.name)
        self.home.several = True

    @property
    def now(self) -> Moment:
        """What its clock says."""
        return Moment(self.ticks, self.ticks + self.skew)

    # --- the directory ---

    def write(self, written: Mapping[str, bytes | None]) -> None:
        """One commit; None is removed."""
        for key, value in written.items():
            if value is None:
                self.state.pop(key, None)
            elif self.state.get(key) != value:
                self.state[key] = value
                self.log.append(key)

    def commit(self, writes: Iterable[Put | Delete]) -> None:
        """The same, of a manager's writes."""
        self.write({write.key: write.value if isinstance(write, Put) else None for write in writes})

    def hear(self, theirs: Mapping[str, bytes]) -> None:
        """Merges what another site told, unless it is known."""
        news = {key: value for key, value in theirs.items() if self.state.get(key) != value}
        if news:
            self.write(changes(self.state, incorporate(self.state, news, Here(self.name, self.now, LIFETIME))))

    def since(self, revision: int, upto: int) -> dict[str, bytes]:
        """What a feed tells: of each key its present value."""
        return {key: self.state[key] for key in self.log[revision:upto] if key in self.state}

    # --- reading ---

    def account(self, user_id: str) -> Account | None:
        """An account that is there for anybody."""
        value = self.state.get(records.account_key(user_id))
        account = None if value is None else decode(value, Account)
        return None if account is None or account.name_state == "tentative" else account

    def accounts(self) -> list[Account]:
        """All of them."""
        found = (decode(value, Account) for key, value in self.state.items() if key.startswith(records.ACCOUNTS))
        return [account for account in found if account.name_state != "tentative"]

    def claim(self, place: str) -> NameClaim | None:
        """A name's record."""
        value = self.state.get(place)
        return None if value is None else decode(value, NameClaim)

    def is_gone(self, place: str) -> bool:
        """Whether the name has a tombstone."""
        return records.tombstone_of(place) in self.state

    def sessions(self, user_id: str) -> list[SessionEntry]:
        """A user's sessions."""
        prefix = records.sessions_of(user_id)
        found = sorted((key, value) for key, value in self.state.items() if key.startswith(prefix))
        return [(Entry(key, value, 1), decode(value, Session)) for key, value in found]

    # --- registration ---

    def begin(self, user_id: str, username: str) -> Claim | None:
        """The tentative claim with its account, None if the name is taken."""
        place = records.name_record_key(username)
        claim = Claim(user_id, username, self.name, "tentative", self.now.text)
        record = claims.begin(place, self.claim(place), claim, gone=self.is_gone(place))
        if record is None:
            return None
        account = Account(
            user_id, username, f"first of {user_id}", self.now.text, home=self.name, name_state="tentative"
        )
        presence = Presence("192.0.2.1", 8000, 1, site=self.name, version=1)
        self.write(
            {
                place: encode(record),
                records.account_key(user_id): encode(account),
                records.presence_key(user_id): encode(presence),
            }
        )
        return claim

    def reserve(self, claim: Claim) -> bool:
        """Whether another site's claim counts here."""
        place = records.name_record_key(claim.username)
        answer = claims.reserve(place, self.claim(place), claim, home=self.name, gone=self.is_gone(place))
        if isinstance(answer, claims.Refused):
            return False
        self.settle_with(place, answer.record)
        return True

    def finish(self, claim: Claim, state: ClaimState) -> ClaimState:
        """Decides about an own claim; what became of it."""
        place = records.name_record_key(claim.username)
        record = claims.finish(place, self.claim(place), claim.user_id, state, gone=self.is_gone(place))
        if record is None and state != "aborted":
            return self.finish(claim, "aborted")
        if record is not None:
            self.settle_with(place, record)
        known = names.claim_of(self.claim(place), claim.user_id)
        return known.state if known is not None else "aborted"

    def settle_with(self, place: str, record: NameClaim) -> None:
        """Writes a claim's record with all that follows from it, in one commit."""
        self.hear({place: encode(record)})

    def own_provisional(self) -> list[Claim]:
        """Own claims that some site has not acknowledged yet, and that have not lost."""
        found = []
        for place in sorted(key for key in self.state if key.startswith(records.NAMES)):
            first = names.holder(place, names.claims_of(self.claim(place)), gone=self.is_gone(place))
            if first is not None and first.site == self.name and first.state == "provisional":
                found.append(first)
        return found

    # --- what people do, as Accounts and Care write it ---

    def log_in(self, account: Account, token_hash: str, device: bytes | None) -> bool:
        """False if the device's key is revoked."""
        user_id, now = account.user_id, self.now
        rivals = [pair for pair in self.sessions(user_id) if pair[1].device] if device else []
        updated, writes = account, list[Put]()
        if device is not None:
            if records.revocation_key(user_id, key_fingerprint(device)) in self.state:
                return False
            before = account.device_key
            version = account.device_version if before == device else self.home.next(account.device_version)
            updated = replace(
                certified(account, as_text(now.utc + LIFETIME)), device_key=device, device_version=version
            )
            writes = revoke_writes(account, now, LIFETIME) if before not in (None, device) else []
        session = Session(
            device is not None,
            now.text,
            updated.password_version,
            updated.device_version if device else records.ORIGIN,
        )
        self.commit(
            [
                *end_writes(user_id, rivals, "logged_in_elsewhere", now, several=True),
                *writes,
                Put(records.account_key(user_id), encode(updated)),
                Put(records.session_key(user_id, token_hash), encode(session)),
            ]
        )
        return True

    def end(self, account: Account, sessions: list[SessionEntry], reason: EndReason) -> None:
        """Log-out, or the end of another session, whose device's key is revoked then."""
        writes = end_writes(account.user_id, sessions, reason, self.now, several=True)
        if reason == "ended_elsewhere" and any(session.device for _, session in sessions):
            writes += revoke_writes(account, self.now, LIFETIME)
            writes.append(Put(records.account_key(account.user_id), encode(without_device(account, self.home))))
        self.commit(writes)

    def change_password(self, account: Account, by: SessionEntry, password_hash: str) -> None:
        """Ends all other sessions, and a device among them."""
        entry, session = by
        others = [pair for pair in self.sessions(account.user_id) if pair[0].key != entry.key]
        version, kept = self.home.next(account.password_version), entry.key.rsplit("/", 1)[1]
        updated = replace(account, password_hash=password_hash, password_version=version, password_kept=kept)
        writes = end_writes(account.user_id, others, "password_changed", self.now, several=True)
        if not session.device and any(other.device for _, other in others):
            writes += revoke_writes(account, self.now, LIFETIME)
            updated = without_device(updated, self.home)
        self.commit([*writes, Put(records.account_key(account.user_id), encode(updated))])

    def change_settings(self, account: Account) -> None:
        """Turns the one setting that there is."""
        version = self.home.next(account.settings_version)
        updated = replace(account, hides_last_seen=not account.hides_last_seen, settings_version=version)
        self.write({records.account_key(account.user_id): encode(updated)})

    def move(self, user_id: str, host: str, counter: int) -> None:
        """The user's node says where it is."""
        place = records.presence_key(user_id)
        if place not in self.state:
            return  # a batch was cut before it
        known = decode(self.state[place], Presence)
        here = written(Presence(host, 8000, max(known.counter + 1, counter), "online"), known, self.name)
        self.write({place: encode(here)})

    def delete(self, account: Account) -> None:
        """The account's end."""
        user_id, tombstone = account.user_id, encode(Tombstone(self.now.text))
        sessions = self.sessions(user_id)
        self.commit(
            [
                *end_writes(user_id, sessions, "removed", self.now, several=True),
                *revoke_writes(account, self.now, LIFETIME),
            ]
        )
        self.hear({records.tombstone_key(user_id): tombstone, records.name_tombstone_key(account.username): tombstone})
