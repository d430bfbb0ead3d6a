"""Who logs in: the account behind a name, if the password is its own."""

from msgspec.structs import replace

from telegraph.directory import records
from telegraph.directory.merging.names import live
from telegraph.directory.port import Directory
from telegraph.directory.records import Account, Claim, NameClaim
from telegraph.errors import NameTaken, Renamed, WrongCredentials
from telegraph.manager.gate import Gate
from telegraph.manager.naming import account_of, look


class Authentication:
    """Asks the directory and the gate."""

    def __init__(self, directory: Directory, gate: Gate) -> None:
        self._directory = directory
        self._gate = gate

    async def account(self, username: str, password: bytes, remote: str) -> Account:
        """The account of a name, whose password it is.

        Raises:
            WrongCredentials: wrong name or password, which of them is not said.
            Renamed: it is the password of somebody who had this name until two sites met again.
            RateLimited, Busy: see :meth:`telegraph.manager.gate.Gate.verify`.
        """
        found = await look(self._directory, username)
        account = None if found.user_id is None else await account_of(self._directory, found.user_id)
        try:
            await self._gate.verify(username, password, account.password_hash if account else None, remote)
        except WrongCredentials:
            await self._say_renamed(found.others, password)
            raise
        if account is None:
            raise WrongCredentials
        return account

    async def _say_renamed(self, others: tuple[Claim, ...], password: bytes) -> None:
        for claim in others:
            account = await account_of(self._directory, claim.user_id)
            if account is not None and await self._gate.is_right(password, account.password_hash):
                raise Renamed(username=account.username)

    async def own_earlier(self, username: str, password: bytes, request_id: str | None) -> Account | None:
        """The account that the same request made before, None if the name is free.

        Raises:
            NameTaken: the name belongs to another request, or to an account that was deleted.
        """
        place = records.name_record_key(username)
        entry = await self._directory.get(place)
        claims = [] if entry is None else live(records.decode(entry.value, NameClaim))
        for claim in claims:
            account = await account_of(self._directory, claim.user_id)
            repeated = account is not None and request_id is not None and request_id == account.request_id
            if account is not None and repeated and await self._gate.is_right(password, account.password_hash):
                return replace(account, name_state=claim.state) if claim.state != "aborted" else None
        if claims or await self._directory.get(records.tombstone_of(place)) is not None:
            raise NameTaken(username=username)
        return None
