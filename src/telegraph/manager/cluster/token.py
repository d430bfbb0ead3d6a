"""The token with which a manager joins: which CA to trust, and a secret that proves that it was invited. Pure.

``telegraph-join-1.<the CA's SHA-256, 64 hex digits>.<43 random characters>``
"""

import hmac
import re
import secrets
from pathlib import Path
from typing import Final

import msgspec

from telegraph.directory.records import secret_hash
from telegraph.errors import CannotJoin

_FORM: Final = re.compile(r"telegraph-join-1\.([0-9a-f]{64})\.([A-Za-z0-9_-]{43})")


class JoinToken(msgspec.Struct, frozen=True):
    """``ca`` is the CA's fingerprint, ``secret`` what the managers know the hash of."""

    ca: str
    secret: str

    @property
    def text(self) -> str:
        """As it is handed to the newcomer."""
        return f"telegraph-join-1.{self.ca}.{self.secret}"


def new_secret() -> str:
    """256 random bits as 43 characters."""
    return secrets.token_urlsafe(32)


def parse_token(text: str) -> JoinToken:
    """Reads a token.

    Raises:
        CannotJoin: it is none.
    """
    parts = _FORM.fullmatch(text.strip())
    if parts is None:
        raise CannotJoin(detail="that is no token; print one with: telegraph manager token --data DIR")
    return JoinToken(parts[1], parts[2])


def read_token(path: Path) -> JoinToken:
    """The token in a file.

    Raises:
        CannotJoin: the file cannot be read, or holds no token.
    """
    try:
        return parse_token(path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as problem:
        raise CannotJoin(detail=f"the token file {path} cannot be read") from problem


def is_secret(given: str, stored_hash: str) -> bool:
    """Whether a secret is the one whose hash is stored; takes the same time wherever they differ."""
    return hmac.compare_digest(secret_hash(given), stored_hash)


def group_name(etcd_ca_pem: str) -> str:
    """What tells etcd groups apart that were never meant to meet (etcd's ``--initial-cluster-token``)."""
    return secret_hash(etcd_ca_pem)[:16]
