"""A process's data directory: private to its owner, and used by one process at a time."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import TypeVar

import msgspec

from telegraph.errors import DataInUse, DataUnreadable
from telegraph.storage.newfile import sync_folder

T = TypeVar("T")

_LOCK = "lock"


class DataDirectory:
    """A claimed data directory; the claim ends with :meth:`release` or with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        """Makes the directory if need be, closes it to everybody else (mode 0700), and claims it.

        Raises:
            DataInUse: another process has claimed it.
            DataUnreadable: it cannot be made or written.
        """
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)  # what SQLite puts beside a database has the mode of the day
            self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise DataUnreadable(data=path, detail=problem.strerror) from problem
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            os.close(self._lock)
            raise DataInUse(data=path) from problem
        except OSError as problem:  # a file system without locks
            os.close(self._lock)
            raise DataUnreadable(data=path, detail=problem.strerror) from problem

    def release(self) -> None:
        """Gives up the claim; may be called again."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def write_private(path: Path, content: str) -> None:
    """Writes a file that only its owner can read (0600), durably.

    A reader sees the old content or the new, nothing between; after an error (OSError) the old.
    """
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file, contextlib.ExitStack() as failed:
        failed.callback(temporary.unlink)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        failed.pop_all()
    temporary.replace(path)
    sync_folder(path.parent)  # the new name, too, survives a power cut


def read_record(folder: Path, name: str, kind: type[T]) -> T | None:
    """The JSON record in a file of a data directory, None if there is no such file.

    Raises:
        DataUnreadable: it cannot be read, or is no such record.
    """
    try:
        return msgspec.json.decode((folder / name).read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as problem:
        raise DataUnreadable(data=folder, detail=f"{name} is damaged") from problem


def write_record(folder: Path, name: str, record: object) -> None:
    """Writes a record as :func:`read_record` reads it, and as :func:`write_private` writes."""
    write_private(folder / name, msgspec.json.encode(record).decode() + "\n")
