"""Opening a node's store without a password, for those who ask for it: a key file, or the keyring of the session.

Who can read the file, or is logged in to the desktop session, can then read the messages.
"""

import os
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from telegraph.errors import CannotStart, KeyFileUnreadable
from telegraph.node.settings import NodeSettings

_SECRET_BYTES = 32
_SERVICE = "telegraph-messenger"


class Secrets(Protocol):
    """Where the secret of an unattended start is kept."""

    def read(self) -> bytes | None:
        """The secret, or None if there is none yet."""
        ...

    def make(self) -> bytes:
        """A new random secret, kept."""
        ...


class KeyFile:
    """A file of 64 hex digits, mode 0600; best on another disk than the data directory and its backups."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        """See :class:`Secrets`.

        Raises:
            KeyFileUnreadable: it is there and holds no key.
        """
        try:
            return _parsed(self._path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as problem:
            detail = getattr(problem, "strerror", None) or "it does not hold a key"
            raise KeyFileUnreadable(path=self._path, detail=detail) from problem

    def make(self) -> bytes:
        """See :class:`Secrets`.

        Raises:
            KeyFileUnreadable: it cannot be written.
        """
        secret = secrets.token_bytes(_SECRET_BYTES)
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file, ExitStack() as failed:
                failed.callback(self._path.unlink)  # half a key would keep the node from starting
                file.write(secret.hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
                failed.pop_all()
        except OSError as problem:
            raise KeyFileUnreadable(path=self._path, detail=problem.strerror) from problem
        return secret


class Keyring:
    """The operating system's keyring, through the ``keyring`` package (an extra of this one)."""

    def __init__(self, node_id: str) -> None:
        """``node_id`` tells the data directories of one machine apart.

        Raises:
            CannotStart: the package is not installed.
        """
        try:
            import keyring
        except ImportError as problem:
            raise CannotStart(
                detail="--keyring needs the package keyring: pip install telegraph-messenger[keyring]"
            ) from problem
        self._keyring = keyring
        self._name = node_id

    def read(self) -> bytes | None:
        """See :class:`Secrets`."""
        try:
            stored = self._keyring.get_password(_SERVICE, self._name)
            return None if stored is None else _parsed(stored)
        except (self._keyring.errors.KeyringError, ValueError) as problem:
            raise CannotStart(detail=f"the keyring cannot be used ({type(problem).__name__})") from problem

    def make(self) -> bytes:
        """See :class:`Secrets`."""
        secret = secrets.token_bytes(_SECRET_BYTES)
        try:
            self._keyring.set_password(_SERVICE, self._name, secret.hex())
        except self._keyring.errors.KeyringError as problem:
            raise CannotStart(detail=f"the keyring cannot be used ({type(problem).__name__})") from problem
        return secret


def secrets_of(settings: NodeSettings, node_id: str) -> Secrets | None:
    """What the settings ask for, or None: a password at each start."""
    if settings.key_file is not None:
        return KeyFile(settings.key_file)
    return Keyring(node_id) if settings.keyring else None


def _parsed(text: str) -> bytes:
    secret = bytes.fromhex(text.strip())
    if len(secret) != _SECRET_BYTES:
        raise ValueError("not a key")
    return secret
