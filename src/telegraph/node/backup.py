"""A copy of a node to keep elsewhere, and bringing it back.

The copy is a tar file of the store as it was at one moment, still encrypted under its own key, and of the vault without
the key file's or keyring's part: the password of that day or the recovery code opens it, nothing else does.
"""

import asyncio
import hashlib
import io
import os
import tarfile
import time
from pathlib import Path
from typing import IO, Final
from uuid import uuid4

import msgspec

from telegraph.errors import BackupUnreadable, DataUnreadable
from telegraph.node import vault as vaults
from telegraph.node.database import FILE, LOG_FILES, Database
from telegraph.node.vault import Vault
from telegraph.protocol.version import __version__
from telegraph.storage.datadir import DataDirectory
from telegraph.storage.engine import sqlite3
from telegraph.storage.newfile import new_file

_MANIFEST: Final = "telegraph-backup.json"
_FORMAT: Final = 1
_UNSENT = "backup-unsent-"
_SMALL = 1024 * 1024
_PIECE = 1024 * 1024


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says of itself. ``made`` is seconds since 1970, ``sha256`` that of the store, hex."""

    format: int
    version: str
    made: int
    sha256: str


async def write(database: Database, vault: Vault, target: Path) -> None:
    """Writes a backup to a new file that only its owner can read; while it is written, the node goes on.

    Raises:
        DataUnreadable: the file is there already, or the disk does not take it; then there is none.
    """
    await asyncio.to_thread(_write, database, vault, target)


def _write(database: Database, vault: Vault, target: Path) -> None:
    try:
        with new_file(target) as file:
            _fill(file, database, vault, target.with_name(f"{target.name}.store"))
    except (OSError, sqlite3.Error) as problem:
        raise DataUnreadable(data=target.parent, detail=f"the backup was not written ({problem})") from problem


def _fill(file: IO[bytes], database: Database, vault: Vault, snapshot: Path) -> None:
    try:
        database.copy_to(snapshot)
        manifest = Manifest(_FORMAT, __version__, int(time.time()), _digest(snapshot))
        with tarfile.open(fileobj=file, mode="w") as archive:
            _add(archive, _MANIFEST, msgspec.json.encode(manifest))
            _add(archive, vaults.FILE, msgspec.json.encode(vaults.without(vault, "unattended")))
            archive.add(snapshot, FILE, filter=_nobody)
    finally:
        snapshot.unlink(missing_ok=True)


def unsent(directory: Path) -> Path:
    """A new name in a data directory for a backup that is to be sent from there."""
    return directory / f"{_UNSENT}{uuid4().hex}.tar"


def remove_unsent(directory: Path) -> None:
    """Removes what a crash left of backups that were to be sent."""
    for left in directory.glob(f"{_UNSENT}*"):
        left.unlink(missing_ok=True)


def restore(source: Path, directory: Path) -> None:
    """Unpacks a backup into a data directory in which nobody has an account yet.

    Raises:
        BackupUnreadable: it is none, or damaged; the directory is as it was.
        DataUnreadable: the directory cannot be used, or has an account.
        DataInUse: a node runs there.
    """
    claimed = DataDirectory(directory)
    try:
        if any(
            (directory / name).exists() for name in (vaults.FILE, FILE, *LOG_FILES)
        ):  # a log left alone would be taken for that of the copy
            raise DataUnreadable(data=directory, detail="somebody has an account in it; restore into an empty one")
        _unpack(source, directory)
    finally:
        claimed.release()


def _unpack(source: Path, directory: Path) -> None:
    unfinished = directory / f"{FILE}.restoring"
    try:
        with tarfile.open(source, "r:") as archive:
            manifest = msgspec.json.decode(_read(archive, _MANIFEST), type=Manifest)
            if manifest.format != _FORMAT:
                raise BackupUnreadable(path=source, detail="a newer Telegraph made it")
            vault = msgspec.json.decode(_read(archive, vaults.FILE), type=Vault)
            _copy(_member(archive, FILE), unfinished)
        if _digest(unfinished) != manifest.sha256:
            raise BackupUnreadable(path=source, detail="it is damaged")
        unfinished.replace(directory / FILE)
        vaults.save(directory, msgspec.structs.replace(vault, restored=True))  # last: without it there is no store
    except (OSError, EOFError, tarfile.TarError, ValueError, LookupError) as problem:
        raise BackupUnreadable(path=source, detail=getattr(problem, "strerror", None) or "it is none") from problem
    finally:
        unfinished.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    archive.addfile(entry, io.BytesIO(content))


def _nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The entry without the name of this machine's user."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """The content of a plain file in the archive: no link is followed, no hole becomes gigabytes of zeros."""
    entry = archive.getmember(name)
    found = archive.extractfile(entry) if entry.isreg() and not entry.issparse() else None
    if found is None:
        raise KeyError(name)
    return found


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    return _member(archive, name).read(_SMALL)


def _copy(source: IO[bytes], target: Path) -> None:
    with open(target, "wb", opener=_private) as file:
        while piece := source.read(_PIECE):
            file.write(piece)
        _sync(file)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _private(path: str, flags: int) -> int:
    """An opener for ``open``: a new file is for its owner alone."""
    return os.open(path, flags, 0o600)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
