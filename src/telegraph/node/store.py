"""The encrypted store of a data directory: absent, locked or open (DESIGN.md sections 5 and 10.10)."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from telegraph.errors import DataUnreadable, NotLoggedIn, RateLimited, WrongPassword
from telegraph.node import backup, integrity
from telegraph.node import vault as vaults
from telegraph.node.database import FILE, LOG_FILES, Database
from telegraph.node.guesses import Guesses
from telegraph.node.unattended import Secrets
from telegraph.node.vault import Vault
from telegraph.storage.stretching import Stretching

State = Literal["none", "locked", "open"]

_UNENCRYPTED = "messages.sqlite3"
_FILES = (FILE, *LOG_FILES, vaults.FILE)
"""In the order in which they leave: what an interruption leaves is never a database without its log."""

_ASIDE = "set-aside-"


class Store:
    """One data directory's vault and, while it is open, its database. One caller at a time."""

    def __init__(self, directory: Path, stretching: Stretching) -> None:
        """Looks what is there; opens nothing.

        Raises:
            DataUnreadable: the vault is damaged, or messages of before the time of encryption are there.
            NewerSchema: a newer release wrote it.
        """
        self._directory = directory
        self._stretching = stretching
        self._vault: Vault | None = vaults.load(directory)
        self._key: bytes | None = None
        self._guesses = Guesses()
        self._changing = asyncio.Lock()
        self._database: Database | None = None
        self.node_id = self._vault.node_id if self._vault else secrets.token_hex(6)
        if self._vault is None and (directory / _UNENCRYPTED).exists():
            detail = f"{_UNENCRYPTED} in it is of a development version that did not encrypt; move it away"
            raise DataUnreadable(data=directory, detail=detail)

    @property
    def state(self) -> State:
        """``none``: no account was ever stored here; ``locked``: a password is needed; ``open``."""
        if self._database is not None:
            return "open"
        return "locked" if self._vault is not None and self._vault.established else "none"

    @property
    def restored(self) -> bool:
        """Whether it comes from a backup, and was not yet made another device's by :meth:`settle_restored`."""
        return self._vault is not None and self._vault.restored

    async def settle_restored(self) -> None:
        """It is another device's from here on."""
        await self._change(lambda vault, _: msgspec.structs.replace(vault, restored=False))

    @property
    def database(self) -> Database:
        """The open database.

        Raises:
            NotLoggedIn: it is locked.
        """
        if self._database is None:
            raise NotLoggedIn
        return self._database

    async def make(self, password: str) -> str:
        """A new, empty store for this password, open; the recovery code, to be shown once.

        Until :meth:`establish` it may be replaced by another; what an earlier attempt left is removed.

        Raises:
            DataUnreadable: the disk does not take it.
        """
        await self.discard()
        made = await asyncio.to_thread(vaults.create, password, self._stretching)
        vault, self._key, code = made
        self._save(msgspec.structs.replace(vault, node_id=self.node_id))
        await self._open()
        return code

    async def unlock(self, password: str) -> None:
        """Opens the store by its password or recovery code.

        Raises:
            WrongPassword: it is neither.
            RateLimited: too many wrong ones came shortly before.
            DataUnreadable, NewerSchema: the database is damaged, or of a newer release.
        """
        self._key = await self._key_for(password)
        await self._open()

    async def check(self, password: str) -> None:
        """Returns if the password opens this store.

        Raises:
            WrongPassword, RateLimited: as :meth:`unlock`.
        """
        await self._key_for(password)

    async def prove(self, password: str) -> None:
        """As :meth:`check`, but no guess is counted or refused: whoever calls it has to bound them.

        Raises:
            WrongPassword: it does not open this store, or there is none.
        """
        if self.state == "none" or self._vault is None:
            raise WrongPassword
        await asyncio.to_thread(vaults.open_with_password, self._vault, password)

    async def _key_for(self, password: str) -> bytes:
        if self._vault is None:
            raise WrongPassword
        wait = self._guesses.wait(time.monotonic())
        if wait > 0:
            raise RateLimited(retry_after=wait)
        try:
            key = await asyncio.to_thread(vaults.open_with_password, self._vault, password)
        except WrongPassword:
            self._guesses.wrong(time.monotonic())
            raise
        self._guesses.right()
        return key

    async def unlock_unattended(self, kept: Secrets) -> bool:
        """Opens the store without a password, if that was allowed; whether it is open now.

        Raises:
            CannotStart: what is kept cannot be read.
        """
        secret = kept.read()
        if self._vault is None or secret is None:
            return False
        self._key = vaults.open_unattended(self._vault, secret)
        if self._key is not None:
            await self._open()
        return self._key is not None

    async def allow_unattended(self, kept: Secrets) -> None:
        """From the next start on the store opens by what is kept; an open store only."""
        secret = kept.read() or kept.make()

        def allowed(vault: Vault, key: bytes) -> Vault:
            known = vaults.open_unattended(vault, secret) is not None
            return vault if known else vaults.with_secret(vault, key, "unattended", secret)

        await self._change(allowed)

    async def establish(self, password: str) -> None:
        """There is an account in the store now, and this is its password: no other opens it from here on."""

        def established(vault: Vault, key: bytes) -> Vault:
            settled = vaults.only_password(vault, key, password, self._stretching)
            return msgspec.structs.replace(settled, established=True)

        await self._change(established)

    async def admit(self, password: str) -> Vault:
        """Lets one password more open the store: while it is being changed, either may turn out to be the one.

        Returns what :meth:`withdraw` takes.
        """
        return await self._change(lambda vault, key: vaults.with_password(vault, key, password, self._stretching))

    async def withdraw(self, before: Vault) -> None:
        """Takes back what :meth:`admit` let in."""
        await self._change(lambda *_: before)

    async def renew_recovery_code(self) -> str:
        """Another recovery code; the one before opens nothing any more."""
        code = vaults.new_recovery_code()
        plain = vaults.plain_code(code)
        await self._change(lambda vault, key: vaults.with_secret(vault, key, "recovery", plain))
        return code

    async def _change(self, change: Callable[[Vault, bytes], Vault]) -> Vault:
        """Saves what ``change`` makes of the vault in a thread, one change after the other; the vault before."""
        async with self._changing:
            before, key = self._unlocked()
            self._save(await asyncio.to_thread(change, before, key))
            return before

    async def back_up(self, target: Path) -> None:
        """Writes a copy of the store to keep elsewhere; see :mod:`telegraph.node.backup`.

        Raises:
            DataUnreadable: the disk does not take it.
        """
        vault, _ = self._unlocked()
        await backup.write(self.database, vault, target)

    async def lock(self) -> None:
        """Closes the database and forgets its key; everything that was acknowledged is on disk."""
        database, self._database, self._key = self._database, None, None
        if database is not None:
            await database.close()

    async def discard(self) -> None:
        """Removes a store in which no account was ever established; does nothing to any other.

        Raises:
            DataUnreadable: there is a database without its vault, so nobody can tell whether it holds messages.
        """
        if self._vault is not None and self._vault.established:
            return
        if self._vault is None and (self._directory / FILE).exists():
            raise DataUnreadable(data=self._directory, detail=f"{vaults.FILE} is missing beside {FILE}")
        await self.lock()
        for name in _FILES:
            (self._directory / name).unlink(missing_ok=True)
        self._vault = None

    async def erase(self) -> None:
        """Removes the store for good, copies of before upgrades too; what an interrupted call left, the next removes.

        Raises:
            DataUnreadable: the disk does not let go of it.
        """
        await self.lock()
        try:
            for copy in self._directory.glob(f"{Path(FILE).stem}-version-*"):
                copy.unlink(missing_ok=True)
            for name in reversed(_FILES):  # the vault last, as in set_aside
                (self._directory / name).unlink(missing_ok=True)
        except OSError as problem:
            raise DataUnreadable(data=self._directory, detail=problem.strerror) from problem
        self._vault = None

    async def set_aside(self) -> Path:
        """Moves the store into a folder of its own, still locked, and begins anew; where it lies now.

        A move that was interrupted is carried on with.

        Raises:
            DataUnreadable: it cannot be moved.
        """
        await self.lock()
        begun = [folder for folder in self._directory.glob(f"{_ASIDE}*") if not (folder / vaults.FILE).exists()]
        folder = begun[0] if begun else self._directory / f"{_ASIDE}{datetime.now(UTC):%Y%m%d-%H%M%S}"
        try:
            folder.mkdir(mode=0o700, exist_ok=bool(begun))
            _move(_FILES, self._directory, folder)
        except OSError as problem:
            raise DataUnreadable(data=self._directory, detail=problem.strerror) from problem
        self._vault = None
        return folder

    def put_back(self, folder: Path) -> None:
        """Undoes :meth:`set_aside`, unless another store was established meanwhile.

        Raises:
            DataUnreadable: it cannot be moved.
        """
        if self._vault is not None:
            return
        try:
            _move(_FILES[::-1], folder, self._directory)
            folder.rmdir()
        except OSError as problem:
            raise DataUnreadable(data=self._directory, detail=problem.strerror) from problem
        self._vault = vaults.load(self._directory)

    def _unlocked(self) -> tuple[Vault, bytes]:
        if self._vault is None or self._key is None:
            raise NotLoggedIn
        return self._vault, self._key

    async def _open(self) -> None:
        """Opens the database by the key that the caller has just set."""
        vault, key = self._unlocked()
        try:
            if vault.established:
                self._require_database()
            self._database = Database.open(self._directory, key)
            integrity.look(self._database.reader, self._directory)
        except BaseException:
            await self.lock()
            raise

    def _require_database(self) -> None:
        if not (self._directory / FILE).exists():
            detail = f"{FILE} is missing beside {vaults.FILE}; bring it back, or begin anew with --set-aside"
            raise DataUnreadable(data=self._directory, detail=detail)

    def _save(self, vault: Vault) -> None:
        vaults.save(self._directory, vault)
        self._vault = vault


def _move(names: Iterable[str], source: Path, target: Path) -> None:
    for name in names:
        if (source / name).exists():
            (source / name).rename(target / name)
