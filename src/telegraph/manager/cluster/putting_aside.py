"""What a single manager kept, once the group has it."""

from pathlib import Path
from typing import Final

from telegraph.manager.ca import CA_KEY_FILE
from telegraph.manager.places import DIRECTORY_FILE

KEPT_DIRECTORY: Final = "directory.before-cluster.sqlite3"


def put_aside(data: Path) -> None:
    """Once etcd is the truth: renames the SQLite directory, and removes the CA's key, which lies sealed in etcd."""
    for ending in ("", "-wal", "-shm"):
        old = data / f"{DIRECTORY_FILE}{ending}"
        if old.exists():
            old.replace(data / f"{KEPT_DIRECTORY}{ending}")
    (data / CA_KEY_FILE).unlink(missing_ok=True)
