"""What joined records mean for each other. Pure.

=======================================  ==============================================================================
given                                    follows
=======================================  ==============================================================================
an account has a tombstone               it is gone, and so are its claims, sessions and presence
a claim is aborted                       its account is gone, and so is what belongs to it
an account is not there                  nobody's sessions and presence are not there either
a session's end is on record             the session is gone
a session knows an older password        it is gone, unless the password was changed by it
a session is of an older device          it is gone
a session is gone                        so is its last use
a device's key is revoked                it is not the account's any more
a name is somebody else's, or has had    the account that claimed it is called ``name~site``
a tombstone
=======================================  ==============================================================================

What is left out follows from what is kept, and what is kept only grows. So settling early, late or twice comes to the
same, and :func:`telegraph.directory.merging.merge.merge` is as good as a join.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property

from msgspec.structs import replace

from telegraph.directory import records
from telegraph.directory.merging.names import by_user, claims_of, holder, name_state, shown_name, without
from telegraph.directory.records import Account, Claim, NameClaim, Session, decode, encode
from telegraph.protocol.identity import key_fingerprint

_OF_ACCOUNTS = (records.SESSIONS, records.USES, records.PRESENCES)
_USER_TOMBSTONES = f"{records.TOMBSTONES}user/"


def settle(state: Mapping[str, bytes]) -> dict[str, bytes]:
    """The state with all consequences drawn.

    It may be a part of a directory, if with a name come all accounts that claim it, with an account its tombstone,
    its name, and the revocation of its key, and with a session its account and its end.

    Raises:
        msgspec.DecodeError: a value is no record of its kind.
    """
    return _Settling(state).done()


class _Settling:
    """One state on its way."""

    def __init__(self, state: Mapping[str, bytes]) -> None:
        self._state = dict(state)
        self._deleted = {key.removeprefix(_USER_TOMBSTONES) for key in state if key.startswith(_USER_TOMBSTONES)}
        self._accounts: dict[str, Account] = {}

    def done(self) -> dict[str, bytes]:
        for key in self._below(records.NAMES):
            self._settle_name(key)
        for key in self._below(records.ACCOUNTS):
            self._settle_account(key)
        for key in self._below(records.SESSIONS):
            if self._is_over(key):
                del self._state[key]
        for key in [key for key in self._state if key.startswith(_OF_ACCOUNTS)]:
            if self._is_nobodys(key):
                del self._state[key]
        return self._state

    def _below(self, prefix: str) -> list[str]:
        return [key for key in self._state if key.startswith(prefix)]

    def _write(self, key: str, record: Account | NameClaim) -> None:
        self._state[key] = encode(record)

    # --- names ---

    def _settle_name(self, place: str) -> None:
        known = decode(self._state[place], NameClaim)
        settled = without(place, known, self._deleted, gone=self._is_gone(place))
        if settled is None:
            del self._state[place]
        elif settled != known:
            self._write(place, settled)

    def _is_gone(self, place: str) -> bool:
        return records.tombstone_of(place) in self._state

    # --- accounts ---

    def _settle_account(self, key: str) -> None:
        user_id = key.removeprefix(records.ACCOUNTS)
        known = decode(self._state[key], Account)
        claim, first = self._claim_of(known)
        if user_id in self._deleted or (claim is not None and claim.state == "aborted"):
            del self._state[key]
            return
        settled = self._without_revoked(known if claim is None else named(known, claim, first))
        self._accounts[user_id] = settled
        if settled != known:
            self._write(key, settled)

    def _claim_of(self, account: Account) -> tuple[Claim | None, Claim | None]:
        """An account's claim of its name, and the one that has the name."""
        claims, first = self._names.get(records.name_record_key(account.base_name), ({}, None))
        return claims.get(account.user_id), first

    @cached_property
    def _names(self) -> dict[str, tuple[Mapping[str, Claim], Claim | None]]:
        return dict(self._each_name())

    def _each_name(self) -> Iterator[tuple[str, tuple[Mapping[str, Claim], Claim | None]]]:
        for place in self._below(records.NAMES):
            record = decode(self._state[place], NameClaim)
            yield place, (by_user(record), holder(place, claims_of(record), gone=self._is_gone(place)))

    def _without_revoked(self, account: Account) -> Account:
        key = account.device_key
        if key is None or records.revocation_key(account.user_id, key_fingerprint(key)) not in self._state:
            return account
        return replace(account, device_key=None)

    # --- what belongs to accounts ---

    def _is_over(self, key: str) -> bool:
        user_id, token_hash = owner_of(key), key.rsplit("/", 1)[1]
        account = self._accounts.get(user_id)
        if account is None or records.ending_key(user_id, token_hash) in self._state:
            return True
        session = decode(self._state[key], Session)
        return has_old_password(account, token_hash, session) or is_of_old_device(account, session)

    def _is_nobodys(self, key: str) -> bool:
        if key.startswith(records.USES):
            return records.SESSIONS + key.removeprefix(records.USES) not in self._state
        return owner_of(key) not in self._accounts


def named(account: Account, claim: Claim, first: Claim | None) -> Account:
    """The account under the name that its claim gives it; ``first`` is the claim that has the name."""
    base = account.base_name
    shown = shown_name(claim, first, base)
    return replace(
        account, username=shown, registered="" if shown == base else base, name_state=name_state(claim, first)
    )


def has_old_password(account: Account, token_hash: str, session: Session) -> bool:
    """Whether a session began under a password that was changed since then, and not by it."""
    return session.password_version < account.password_version and token_hash != account.password_kept


def is_of_old_device(account: Account, session: Session) -> bool:
    """Whether a session is that of a device which has been replaced or revoked."""
    return session.device and (session.device_version < account.device_version or account.device_key is None)


def owner_of(key: str) -> str:
    """The user id in the key of a session, its last use, its end, a revocation or a presence."""
    return key.split("/")[1]
