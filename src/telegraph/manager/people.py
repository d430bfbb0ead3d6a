"""What one user may know of another: look-up by name, search, who is online."""

from base64 import b64encode
from collections.abc import Iterable
from typing import Final

from telegraph.directory import records
from telegraph.directory.port import Reads
from telegraph.directory.records import Account, NameClaim, Presence
from telegraph.errors import AccountDeleted, UnknownUser
from telegraph.manager.presence import LiveUsers
from telegraph.manager.roll import Roll
from telegraph.protocol.manager_api import User
from telegraph.protocol.names import MAX_NAME_LENGTH, name_key

MAX_FOUND: Final = 50


class People:
    """Reads users as others see them."""

    def __init__(self, directory: Reads, live: LiveUsers, roll: Roll) -> None:
        self._directory = directory
        self._live = live
        self._roll = roll

    async def find(self, username: str) -> User:
        """The user who holds a name.

        Raises:
            UnknownUser: nobody does.
            AccountDeleted: somebody did.
        """
        claim = await self._directory.get(records.name_record_key(username))
        user = await self.by_id(records.decode(claim.value, NameClaim).user_id) if claim else None
        if user is not None:
            return user
        gone = await self._directory.get(records.name_tombstone_key(username))
        error = UnknownUser if gone is None else AccountDeleted
        raise error(username=_printable(username))

    async def is_deleted(self, user_id: str) -> bool:
        """Whether there was a user with this id whose account was deleted."""
        return await self._directory.get(records.tombstone_key(user_id)) is not None

    async def by_id(self, user_id: str) -> User | None:
        """The user with an id, or None."""
        account = await self._directory.get(records.account_key(user_id))
        presence = await self._directory.get(records.presence_key(user_id))
        if account is None or presence is None:
            return None
        return self._view(records.decode(account.value, Account), records.decode(presence.value, Presence))

    async def search(self, beginning: str) -> list[User]:
        """Users whose name begins like this, in the order of names, :data:`MAX_FOUND` at most."""
        claims = await self._directory.scan(records.name_record_key(beginning), limit=MAX_FOUND)
        return await self._all(records.decode(entry.value, NameClaim).user_id for entry in claims.entries)

    async def online(self) -> list[User]:
        """Everybody who is online, at whichever manager, in the order of names."""
        users = await self._all({*self._roll.online, *self._live.user_ids})  # the watch trails this manager's commits
        return sorted((user for user in users if user.status == "online"), key=lambda user: name_key(user.username))

    async def _all(self, user_ids: Iterable[str]) -> list[User]:
        found = [await self.by_id(user_id) for user_id in user_ids]
        return [user for user in found if user is not None]

    def _view(self, account: Account, presence: Presence) -> User:
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
        )


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode()


def _printable(username: str) -> str:
    """What somebody typed, fit to be shown in a sentence."""
    return "".join(character if character.isprintable() else "\ufffd" for character in username[:MAX_NAME_LENGTH])
