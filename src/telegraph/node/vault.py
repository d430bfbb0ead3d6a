"""The key of a node's database, and who can open it: the password, the recovery code, and with the user's word a file.

The database key is 32 random bytes and never changes. ``vault.json`` in the data directory holds it several times, each
time encrypted ("wrapped") under a key from something that the user has. A password is stretched by Argon2id (RFC 9106,
with the parameters of its section 4 for 64 MiB); what is random by itself goes through HKDF (RFC 5869). Wrapping
is AES-256-GCM, which also tells whether the key was the right one. Nothing here touches the disk but
:func:`load` and :func:`save`.
"""

import secrets
from base64 import b32encode
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Meta

from telegraph.errors import DataUnreadable, NewerSchema, WrongPassword
from telegraph.storage.datadir import write_private
from telegraph.storage.stretching import KEY_BYTES, Stretching

FILE: Final = "vault.json"
_SALT_BYTES = 16
_NONCE_BYTES = 12
_CODE_BYTES = 15
"""A recovery code of 120 random bits: 24 characters of base 32."""

_CODE_GROUP = 4
_VERSION = 1

Kind = Literal["password", "recovery", "unattended"]
Salt = Annotated[bytes, Meta(min_length=_SALT_BYTES, max_length=_SALT_BYTES)]
Nonce = Annotated[bytes, Meta(min_length=_NONCE_BYTES, max_length=_NONCE_BYTES)]


class Wrap(msgspec.Struct, frozen=True):
    """The database key under one secret. ``stretching`` is None where the secret is random."""

    kind: Kind
    salt: Salt
    nonce: Nonce
    box: bytes
    stretching: Stretching | None = None


class Vault(msgspec.Struct, frozen=True):
    """All wraps of one database key. ``node_id`` is a random public name of the data directory.

    ``established``: an account was stored in the database; before that nothing is lost if it is made anew.
    ``restored``: it comes from a backup, and what its device did after that day is not known here.
    """

    node_id: str
    wraps: tuple[Wrap, ...]
    established: bool = False
    restored: bool = False
    version: int = _VERSION


def create(password: str, stretching: Stretching | None = None) -> tuple[Vault, bytes, str]:
    """A new vault, its database key, and the recovery code, which is stored nowhere: show it once."""
    key, code = secrets.token_bytes(KEY_BYTES), new_recovery_code()
    vault = Vault(node_id=secrets.token_hex(6), wraps=())
    vault = with_password(vault, key, password, stretching)
    return with_secret(vault, key, "recovery", plain_code(code)), key, code


def new_recovery_code() -> str:
    """120 random bits as six groups of four letters and digits (base 32, RFC 4648: no 0, 1, 8 or 9)."""
    text = b32encode(secrets.token_bytes(_CODE_BYTES)).decode()
    return "-".join(text[at : at + _CODE_GROUP] for at in range(0, len(text), _CODE_GROUP))


def plain_code(code: str) -> bytes:
    """A recovery code as it is used, however it was typed: case, spaces and hyphens do not matter."""
    return "".join(character for character in code.upper() if character.isalnum()).encode()


def with_password(vault: Vault, key: bytes, password: str, stretching: Stretching | None = None) -> Vault:
    """The vault, opened by one password more. Takes a moment, on purpose: call it in a thread."""
    return _with(vault, _wrap("password", key, password.encode("utf-8", "surrogatepass"), stretching or Stretching()))


def with_secret(vault: Vault, key: bytes, kind: Kind, secret: bytes) -> Vault:
    """The vault, opened by a random secret instead of the one of this kind that opened it before."""
    return _with(without(vault, kind), _wrap(kind, key, secret, None))


def without(vault: Vault, kind: Kind) -> Vault:
    """The vault without what opened it in this way."""
    return msgspec.structs.replace(vault, wraps=tuple(wrap for wrap in vault.wraps if wrap.kind != kind))


def only_password(vault: Vault, key: bytes, password: str, stretching: Stretching | None = None) -> Vault:
    """The vault, opened by this password and no other. Takes a moment, on purpose: call it in a thread."""
    secret = password.encode("utf-8", "surrogatepass")
    right = [wrap for wrap in vault.wraps if wrap.kind == "password" and _unwrap(wrap, secret) is not None]
    others = without(vault, "password")
    return _with(others, right[-1]) if right else with_password(others, key, password, stretching)


def open_with_password(vault: Vault, password: str) -> bytes:
    """The database key; a recovery code is taken as well. Takes a moment, on purpose: call it in a thread.

    Raises:
        WrongPassword: it is neither.
    """
    if any(wrap.kind == "recovery" for wrap in vault.wraps) and len(plain_code(password)) == _CODE_BYTES * 8 // 5:
        found = _open(vault, "recovery", plain_code(password))
        if found is not None:
            return found
    found = _open(vault, "password", password.encode("utf-8", "surrogatepass"))
    if found is None:
        raise WrongPassword
    return found


def open_unattended(vault: Vault, secret: bytes) -> bytes | None:
    """The database key, if this secret was allowed to open it without a password."""
    return _open(vault, "unattended", secret)


def load(directory: Path) -> Vault | None:
    """The vault of a data directory, or None if nobody ever logged in there.

    Raises:
        DataUnreadable: there is one that cannot be read.
        NewerSchema: a newer release wrote it.
    """
    try:
        content = (directory / FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise DataUnreadable(data=directory, detail=problem.strerror) from problem
    try:
        vault = msgspec.json.decode(content, type=Vault)
    except msgspec.DecodeError as problem:
        raise DataUnreadable(data=directory, detail=f"{FILE} is damaged ({problem})") from problem
    if vault.version > _VERSION:
        raise NewerSchema(data=directory)
    return vault


def save(directory: Path, vault: Vault) -> None:
    """Writes the vault durably, for its owner alone: a crash leaves the old one or the new one.

    Raises:
        DataUnreadable: it could not be written; the old one is still there.
    """
    try:
        write_private(directory / FILE, msgspec.json.encode(vault).decode())
    except OSError as problem:
        raise DataUnreadable(data=directory, detail=problem.strerror) from problem


def _with(vault: Vault, wrap: Wrap) -> Vault:
    return msgspec.structs.replace(vault, wraps=(*vault.wraps, wrap))


def _open(vault: Vault, kind: Kind, secret: bytes) -> bytes | None:
    wraps = [wrap for wrap in vault.wraps if wrap.kind == kind]
    return next((key for wrap in reversed(wraps) if (key := _unwrap(wrap, secret)) is not None), None)


def _wrap(kind: Kind, key: bytes, secret: bytes, stretching: Stretching | None) -> Wrap:
    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    box = AESGCM(_stretch(secret, salt, stretching)).encrypt(nonce, key, kind.encode())
    return Wrap(kind, salt, nonce, box, stretching)


def _unwrap(wrap: Wrap, secret: bytes) -> bytes | None:
    try:
        return AESGCM(_stretch(secret, wrap.salt, wrap.stretching)).decrypt(wrap.nonce, wrap.box, wrap.kind.encode())
    except InvalidTag:
        return None


def _stretch(secret: bytes, salt: bytes, stretching: Stretching | None) -> bytes:
    if stretching is None:
        return HKDF(SHA256(), KEY_BYTES, salt, b"telegraph vault v1").derive(secret)
    return stretching.stretch(secret, salt)
