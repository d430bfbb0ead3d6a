"""The browsers that were let in: a cookie each, of which only hashes are kept."""

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Final

from telegraph.storage.datadir import write_private

_KEPT: Final = 64


class Browsers:
    """What the cookies of a node hold. The oldest of more than 64 is forgotten."""

    def __init__(self, kept: Path | None = None) -> None:
        """``kept`` is the file in which the hashes outlive a restart; what is stored is locked then all the same."""
        self._kept = kept
        self._hashes = kept.read_text(encoding="ascii").split() if kept is not None and kept.exists() else []

    def admit(self) -> str:
        """The value of a new cookie, which :meth:`knows` from now on."""
        value = secrets.token_urlsafe(32)
        self._keep([*self._hashes[-_KEPT + 1 :], _hash(value)])
        return value

    def knows(self, value: str) -> bool:
        """Whether a cookie was given out; compared in constant time."""
        shown = _hash(value)
        return sum(hmac.compare_digest(shown, known) for known in self._hashes) > 0

    def forget(self) -> None:
        """Nobody is known any more."""
        self._keep([])

    def _keep(self, hashes: list[str]) -> None:
        self._hashes = hashes
        if self._kept is not None:
            write_private(self._kept, "\n".join(hashes))


def _hash(value: str) -> str:
    """What is kept of a cookie: it has 256 random bits, so a plain hash cannot be turned round."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
