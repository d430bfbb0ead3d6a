"""New secrets for a group that exists: another cluster secret, another CA for etcd, another join token.

Whoever held the old ones is shut out of etcd, and they open nothing that the directory holds from then on. The
organisation's CA stays, so that no certificate of anybody is worth less: only its key is sealed anew.

The new secrets are drawn beside a running manager into a file like that of ``new-org``. Members trust one CA of etcd
only, so all managers are stopped, each takes the file, and all are started again. In the data directory the file waits
until the group's directory has its content (:data:`PENDING_FILE`): a start that was broken off does the same again.
"""

from pathlib import Path
from typing import Final

import structlog

from telegraph.directory.port import Directory
from telegraph.errors import CannotStart
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster.beside import group_beside, state_of_member
from telegraph.manager.cluster.organisation import Organisation, read_organisation, write_organisation
from telegraph.manager.cluster.secret import ClusterSecret
from telegraph.manager.cluster.vault import load_organisation, replace_organisation
from telegraph.manager.places import ca_fingerprint
from telegraph.storage.datadir import DataDirectory

log = structlog.get_logger(__name__)

PENDING_FILE: Final = "new-secrets.json"
"""In a data directory: what the group's directory may not have yet."""


async def draw_secrets(data: Path, target: Path) -> None:
    """Writes new secrets for the group of a running manager into a new file, for its owner only; nothing changes yet.

    Raises:
        NotInCluster: it is part of none.
        DirectoryUnavailable: the group does not answer.
        CannotStart: the file is there already, or cannot be written.
    """
    _check_new(target)
    async with group_beside(data) as links:
        present = await load_organisation(links.directory, ClusterSecret.load(data))
    try:
        write_organisation(target, Organisation.create(present.authority(), read_clock().utc))
    except OSError as problem:
        raise CannotStart(detail=f"{target} cannot be written ({problem.strerror})") from problem


def _check_new(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise CannotStart(detail=f"{target} is there already; secrets are never overwritten, choose another --out")


def take_secrets(data: Path, source: Path) -> None:
    """Lets a stopped manager begin with the secrets of a file when it starts next.

    Raises:
        NotInCluster: it is part of no group.
        DataInUse: it runs.
        CannotStart: the file is none of :func:`draw_secrets`, or of another organisation.
    """
    state_of_member(data)
    claim = DataDirectory(data)
    try:
        organisation = read_organisation(source)
        if organisation.authority().fingerprint != ca_fingerprint(data):
            raise CannotStart(detail=f"{source} is of another organisation than {data}")
        write_organisation(data / PENDING_FILE, organisation)
    finally:
        claim.release()


def adopt_secrets(data: Path) -> None:
    """Before etcd starts: makes the secrets that wait the manager's own, if there are any; may be repeated.

    Raises:
        CannotStart: the file is damaged.
    """
    if (data / PENDING_FILE).exists():
        read_organisation(data / PENDING_FILE).save(data)
        log.info("new_secrets_taken")


async def publish_secrets(data: Path, directory: Directory) -> None:
    """Once the group is reached: puts the secrets that wait into its directory, unless another manager has.

    Raises:
        CannotStart: the file is damaged.
        DirectoryUnavailable: the group is away; it may be repeated.
    """
    path = data / PENDING_FILE
    if path.exists():
        await replace_organisation(directory, read_organisation(path))
        path.unlink()
