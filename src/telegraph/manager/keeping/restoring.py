"""Brings a backup back as a new data directory of a single manager, which ``--cluster-init`` can make a cluster."""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO

from telegraph.directory.port import Put
from telegraph.directory.records import ACCOUNTS
from telegraph.directory.sqlite import SqliteDirectory
from telegraph.directory.state_hash import StateHash
from telegraph.errors import BackupUnreadable, DataUnreadable, DirectoryUnavailable, WrongPassphrase
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.keeping.content import Reader, revived
from telegraph.manager.keeping.sealing import Damaged, NewerFormat, WrongKey, unseal
from telegraph.manager.keeping.writing import Kept
from telegraph.manager.places import DIRECTORY_FILE
from telegraph.storage.newfile import sync_folder


def check_place(source: Path, data: Path) -> None:
    """Makes sure that there is a file and that the directory is free, before anybody types much.

    Raises:
        BackupUnreadable: there is no such file.
        DataUnreadable: the directory has something in it.
    """
    if not source.is_file():
        raise BackupUnreadable(path=source, detail="there is no such file")
    try:
        taken = data.is_symlink() or (data.exists() and (not data.is_dir() or any(data.iterdir())))
    except OSError as problem:
        raise DataUnreadable(data=data, detail=problem.strerror) from problem
    if taken:
        raise DataUnreadable(data=data, detail="a backup is restored into a new or empty directory only")


async def restore(source: Path, data: Path, passphrase: str, *, sessions: bool = False) -> Kept:
    """Makes a data directory (0700) of a backup: whole and durable when this returns, after an error not at all.

    It is filled beside its place under a hidden name and gets its own at the end.

    Args:
        source: the backup.
        data: a directory that is not there yet, or empty.
        passphrase: that of the backup.
        sessions: whether log-ins of the backup's day are valid again, see :mod:`telegraph.manager.keeping.content`.

    Raises:
        WrongPassphrase: it is another.
        BackupUnreadable: it cannot be read, is damaged, or a newer Telegraph made it.
        DataUnreadable: the directory has something in it, or the disk does not take it.
    """
    check_place(source, data)
    with _explained(source), _opened(source) as file:
        content = Reader(unseal(_reader(file, source), passphrase))
        async with _beside(data) as draft:
            return await _fill(draft, content, sessions=sessions)


@contextlib.contextmanager
def _explained(source: Path) -> Iterator[None]:
    try:
        yield
    except WrongKey:
        raise WrongPassphrase(path=source) from None
    except NewerFormat:
        detail = "a newer Telegraph made it; install that version or a newer one"
        raise BackupUnreadable(path=source, detail=detail) from None
    except Damaged:
        raise BackupUnreadable(path=source, detail="it is damaged, cut off, or no backup of a manager") from None


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[IO[bytes]]:
    try:
        file = source.open("rb")
    except OSError as problem:
        raise BackupUnreadable(path=source, detail=problem.strerror) from problem
    with file:
        yield file


def _reader(file: IO[bytes], source: Path) -> Callable[[int], bytes]:
    def read(count: int) -> bytes:
        try:
            return file.read(count)
        except OSError as problem:
            raise BackupUnreadable(path=source, detail=problem.strerror) from problem

    return read


@contextlib.asynccontextmanager
async def _beside(data: Path) -> AsyncIterator[Path]:
    """A new directory (0700) that gets the name ``data`` if the block ends without an error, and else goes."""
    draft: Path | None = None
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{data.name}.restoring-", dir=data.parent))
        yield draft
        sync_folder(draft)
        draft.replace(data)  # an empty directory may be there, nothing else
        sync_folder(data.parent)
    except OSError as problem:
        raise DataUnreadable(data=data, detail=problem.strerror) from problem
    except DirectoryUnavailable as problem:
        raise DataUnreadable(data=data, detail="the disk is full or fails") from problem
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)


async def _fill(draft: Path, content: Reader, *, sessions: bool) -> Kept:
    manifest, accounts = content.manifest, 0
    directory = SqliteDirectory(draft / DIRECTORY_FILE, kept_changes=1)  # nobody watches what is not there yet
    try:
        for pairs in content.pairs():
            writes = [Put(key, value) for key, value in revived(pairs, sessions=sessions)]
            accounts += sum(write.key.startswith(ACCOUNTS) for write in writes)
            await directory.commit([], writes)
        if await _hash_of(directory) != manifest.state_hash:
            raise Damaged
    finally:
        await directory.close()
    CertificateAuthority.from_pem(manifest.ca.encode(), manifest.ca_key).save(draft)
    return Kept(accounts, manifest.revision, manifest.state_hash)


async def _hash_of(directory: SqliteDirectory) -> str:
    hashed = StateHash()
    async with directory.frozen() as frozen:
        async for page in frozen.pages():
            for entry in page:
                hashed.add(entry)
    return hashed.text
