"""The secret that the managers of an organisation share, and what it seals (DESIGN.md 10.8).

The CAs' private keys lie in the directory sealed with it: who reads etcd's files or a copy of them has no key.
"""

import os
import secrets
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from telegraph.errors import DataUnreadable, SealBroken
from telegraph.storage.datadir import write_private

SECRET_FILE: Final = "cluster-secret"  # noqa: S105 - a file's name
_BYTES: Final = 32
_NONCE: Final = 12
_VERSION: Final = b"\x01"


class ClusterSecret:
    """32 random bytes. Never shown by ``repr``."""

    def __init__(self, raw: bytes) -> None:
        """``raw`` is :attr:`text`'s bytes.

        Raises:
            ValueError: it does not have 32 bytes.
        """
        if len(raw) != _BYTES:
            raise ValueError(f"a cluster secret has {_BYTES} bytes")
        self._raw = raw
        self._cipher = AESGCM(HKDF(hashes.SHA256(), _BYTES, salt=None, info=b"telegraph seal v1").derive(raw))

    @classmethod
    def create(cls) -> Self:
        """A new one."""
        return cls(secrets.token_bytes(_BYTES))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What :attr:`text` gave.

        Raises:
            ValueError: it is something else.
        """
        return cls(bytes.fromhex(text))

    @classmethod
    def load(cls, data: Path) -> Self:
        """The one of a data directory.

        Raises:
            DataUnreadable: there is none, or it is damaged.
        """
        try:
            return cls.from_text((data / SECRET_FILE).read_text(encoding="ascii").strip())
        except (OSError, ValueError) as problem:
            raise DataUnreadable(data=data, detail=f"{SECRET_FILE} is missing or damaged") from problem

    def save(self, data: Path) -> None:
        """Writes it into a data directory, for its owner only, durable on return."""
        write_private(data / SECRET_FILE, self.text + "\n")

    @property
    def text(self) -> str:
        """Itself, 64 hex digits: whoever sees them is a manager."""
        return self._raw.hex()

    def seal(self, name: str, content: bytes) -> bytes:
        """Encrypts (AES-256-GCM under a key derived by HKDF) so that it opens under the same name only."""
        nonce = os.urandom(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, content, name.encode())

    def unseal(self, name: str, sealed: bytes) -> bytes:
        """What :meth:`seal` was given.

        Raises:
            SealBroken: it was sealed by another secret or under another name, or was changed.
        """
        nonce, body = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            if sealed[:1] != _VERSION:
                raise SealBroken(name=name)
            return self._cipher.decrypt(nonce, body, name.encode())
        except (InvalidTag, ValueError):
            raise SealBroken(name=name) from None
