"""A file that is made whole or not at all, and never over another."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[IO[bytes]]:
    """A file for its owner alone (0600) that gets its name, durably, when the block ends without an error.

    Until then it lies beside it under a hidden name; after an error nothing is left of it.

    Raises:
        FileExistsError: there is a file of that name, also if it came meanwhile; it is as it was.
        OSError: the disk does not take it.
    """
    if os.path.lexists(target):
        raise FileExistsError(target)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _name(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(target.parent)


def _name(draft: Path, target: Path) -> None:
    """A link is refused where something is already, which a rename would replace."""
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links (FAT on a stick)
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        draft.replace(target)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
