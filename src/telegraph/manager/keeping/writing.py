"""Writes a backup beside a manager, while it runs or not: SQLite's by its file, etcd's through the running group."""

from pathlib import Path

import msgspec

from telegraph.directory.port import Directory, Frozen, HistoryGone
from telegraph.directory.records import ACCOUNTS
from telegraph.directory.state_hash import StateHash
from telegraph.errors import BackupNotWritten, DataUnreadable
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster.beside import check_data, directory_beside
from telegraph.manager.cluster.secret import ClusterSecret
from telegraph.manager.cluster.state import is_member
from telegraph.manager.cluster.vault import load_authority
from telegraph.manager.keeping.content import Manifest, begun, continued, kept
from telegraph.manager.keeping.sealing import Sealer
from telegraph.manager.places import DIRECTORY_FILE
from telegraph.protocol.version import __version__
from telegraph.storage.newfile import new_file
from telegraph.storage.stretching import Stretching


class Kept(msgspec.Struct, frozen=True):
    """What is in a backup: how many accounts, of which revision and state."""

    accounts: int
    revision: int
    state_hash: str


def check_target(data: Path, target: Path) -> None:
    """Makes sure that there is something to back up and that the file is not there yet, before anybody types much.

    Raises:
        DataUnreadable: no manager has run here, or it has no directory.
        BackupNotWritten: the file is there.
    """
    check_data(data)
    if not is_member(data) and not (data / DIRECTORY_FILE).exists():
        raise DataUnreadable(data=data, detail="it is not part of a cluster now and has no directory of its own")
    if target.exists() or target.is_symlink():
        raise BackupNotWritten(path=target, detail="there is a file of that name")


async def back_up(data: Path, target: Path, passphrase: str, stretching: Stretching | None = None) -> Kept:
    """Writes the directory as of one revision, with the CA, encrypted, to a new file for its owner only (0600).

    Raises:
        DataUnreadable, CaUnreadable, SealBroken: the data directory lacks something.
        DirectoryUnavailable: the manager's group does not answer, or has no quorum.
        BackupNotWritten: the file is there already, or the disk does not take it; then there is none.
    """
    check_target(data, target)
    async with directory_beside(data) as directory:
        authority = await _authority(data, directory)
        sealer = Sealer(passphrase, stretching)  # which takes a moment, before the moment that is kept
        async with directory.frozen() as frozen:
            return await _write(frozen, authority, target, sealer)


async def _authority(data: Path, directory: Directory) -> CertificateAuthority:
    if is_member(data):
        return await load_authority(directory, ClusterSecret.load(data))
    return CertificateAuthority.load(data)


async def _write(frozen: Frozen, authority: CertificateAuthority, target: Path, sealer: Sealer) -> Kept:
    """Reads everything twice, page by page: what it comes to stands at the beginning of the file."""
    try:
        found, count = await _survey(frozen)
        manifest = Manifest(
            version=__version__,
            made=read_clock().text,
            revision=found.revision,
            state_hash=found.state_hash,
            entries=count,
            ca=authority.pem,
            ca_key=authority.key_pem,
        )
        with new_file(target) as file:
            file.write(sealer.header)
            file.writelines(sealer.add(begun(manifest)))
            async for page in frozen.pages():
                for part in continued(kept(page)):
                    file.writelines(sealer.add(part))
            file.write(sealer.end())
    except FileExistsError:
        raise BackupNotWritten(path=target, detail="there is a file of that name") from None
    except OSError as problem:
        raise BackupNotWritten(path=target, detail=problem.strerror) from problem
    except HistoryGone:
        raise BackupNotWritten(path=target, detail="it took longer than etcd keeps what was; try again") from None
    return found


async def _survey(frozen: Frozen) -> tuple[Kept, int]:
    """What a backup will have in it, and how many entries that are."""
    hashed, count, accounts = StateHash(), 0, 0
    async for page in frozen.pages():
        for entry in kept(page):
            hashed.add(entry)
            count += 1
            accounts += entry.key.startswith(ACCOUNTS)
    return Kept(accounts, frozen.revision, hashed.text), count
