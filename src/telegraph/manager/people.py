"""What one user may know of another: look-up by name, search, who is online."""

from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import Final

from msgspec.structs import replace

from telegraph.directory import records
from telegraph.directory.merging.names import live
from telegraph.directory.port import Reads
from telegraph.directory.records import Account, Claim, NameClaim, Presence
from telegraph.errors import AccountDeleted, UnknownUser
from telegraph.manager.naming import account_of, look
from telegraph.manager.presence import LiveUsers
from telegraph.manager.roll import Roll
from telegraph.protocol.identity import key_fingerprint
from telegraph.protocol.manager_api import Namesake, User
from telegraph.protocol.names import MAX_NAME_LENGTH, name_key

MAX_FOUND: Final = 50

Where = Callable[[str], tuple[str, str | None]]
"""By the site in a record: its name as shown, and when it was last heard from if it is cut off (RFC 3339)."""


def nowhere(_site: str) -> tuple[str, str | None]:
    """Where there is one site only, nobody is told of it."""
    return "", None


class People:
    """Reads users as others see them."""

    def __init__(self, directory: Reads, live: LiveUsers, roll: Roll, where: Where = nowhere) -> None:
        """``where`` tells of the site that a presence is from."""
        self._directory = directory
        self._live = live
        self._roll = roll
        self._where = where

    async def find(self, username: str) -> User:
        """The user who holds a name.

        Raises:
            UnknownUser: nobody does.
            AccountDeleted: somebody did.
        """
        found = await look(self._directory, username)
        user = await self.by_id(found.user_id) if found.user_id is not None else None
        if user is not None:
            return replace(user, namesakes=await self._namesakes(found.others)) if found.others else user
        gone = await self._directory.get(records.name_tombstone_key(username))
        error = UnknownUser if gone is None else AccountDeleted
        raise error(username=_printable(username))

    async def _namesakes(self, others: Iterable[Claim]) -> list[Namesake]:
        found = [(claim, await account_of(self._directory, claim.user_id)) for claim in others]
        return [
            Namesake(account.username, account.user_id, claim.site, _fingerprint(account.device_key))
            for claim, account in found
            if account is not None
        ]

    async def is_deleted(self, user_id: str) -> bool:
        """Whether there was a user with this id whose account was deleted."""
        return await self._directory.get(records.tombstone_key(user_id)) is not None

    async def by_id(self, user_id: str) -> User | None:
        """The user with an id, or None."""
        account = await self._directory.get(records.account_key(user_id))
        presence = await self._directory.get(records.presence_key(user_id))
        if account is None or presence is None:
            return None
        known = records.decode(account.value, Account)
        if known.name_state == "tentative":
            return None  # whether there is such a user is not decided yet
        return self._view(known, records.decode(presence.value, Presence))

    async def search(self, beginning: str) -> list[User]:
        """Users whose name begins like this, in the order of names, :data:`MAX_FOUND` at most."""
        claims = await self._directory.scan(records.name_record_key(beginning), limit=MAX_FOUND)
        records_found = [records.decode(entry.value, NameClaim) for entry in claims.entries]
        return await self._all(claim.user_id for record in records_found for claim in live(record))

    async def online(self) -> list[User]:
        """Everybody who is online, at whichever manager, in the order of names."""
        users = await self._all({*self._roll.online, *self._live.user_ids})  # the watch trails this manager's commits
        return sorted((user for user in users if user.status == "online"), key=lambda user: name_key(user.username))

    async def _all(self, user_ids: Iterable[str]) -> list[User]:
        found = [await self.by_id(user_id) for user_id in user_ids]
        return [user for user in found if user is not None]

    def _view(self, account: Account, presence: Presence) -> User:
        site, as_of = self._where(presence.site)
        return User(
            username=account.username,
            user_id=account.user_id,
            ip=presence.host,
            port=presence.port,
            status=presence.status,
            last_seen=None if account.hides_last_seen else self._live.last_seen(account.user_id) or presence.last_seen,
            device_key=_base64(account.device_key),
            counter=presence.counter,
            signature=_base64(presence.signature),
            provisional=account.name_state == "provisional",
            site=site,
            as_of=as_of,
        )


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode()


def _fingerprint(key: bytes | None) -> str | None:
    return None if key is None else key_fingerprint(key)


def _printable(username: str) -> str:
    """What somebody typed, fit to be shown in a sentence."""
    return "".join(character if character.isprintable() else "\ufffd" for character in username[:MAX_NAME_LENGTH])
