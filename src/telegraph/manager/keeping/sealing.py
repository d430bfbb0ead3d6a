"""The envelope of a backup: a header, then its content in sealed chunks. Pure, but for the randomness of the salt.

::

    header   magic (16 bytes) · format (1) · salt (16) · Argon2id's iterations, lanes, KiB of memory (4 each)
             · check (32)
    chunk    AES-256-GCM of 64 KiB of content, 16 bytes longer than it; the last one is shorter, maybe empty

The passphrase is stretched by Argon2id (RFC 9106); HKDF (RFC 5869) makes the key and the check of it and of the
header, so that a wrong passphrase is told from damage. The chunks are a STREAM (Hoang, Reyhanitabar, Rogaway, Vizár:
Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance, 2015), as in the file format age: the nonce is
the chunk's number (11 bytes, big-endian) and whether it is the last (1), so none can be left out, moved or cut off at
the end. A key is used for one file only, since the salt is random.
"""

import hmac
import secrets
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from telegraph.storage.stretching import Stretching

MAGIC: Final = b"telegraph-backup"
FORMAT: Final = 1
CHUNK: Final = 64 * 1024
"""Bytes of content in a chunk."""

MOST_ITERATIONS: Final = 16
MOST_MEMORY: Final = 256 * 1024
"""Argon2id's cost (KiB) that a header may ask for: whoever changed one cannot make this machine run out of memory."""

_TAG: Final = 16
_PARAMETERS: Final = struct.Struct(">16sB16sIII")
_CHECK: Final = 32
HEADER_BYTES: Final = _PARAMETERS.size + _CHECK


class Damaged(ValueError):
    """The file is no backup, or not as it was written."""


class NewerFormat(ValueError):
    """A newer release wrote it."""


class WrongKey(ValueError):
    """The passphrase is another, or the header was changed."""


class Sealer:
    """Seals the chunks of one file."""

    def __init__(self, passphrase: str, stretching: Stretching | None = None) -> None:
        """Takes a moment and 64 MiB, on purpose."""
        chosen = stretching or Stretching()
        salt = secrets.token_bytes(16)
        parameters = _PARAMETERS.pack(MAGIC, FORMAT, salt, chosen.iterations, chosen.lanes, chosen.memory)
        self._key, check = _keys(passphrase, salt, chosen, parameters)
        self.header = parameters + check

        self._cipher, self._waiting, self._number = AESGCM(self._key), bytearray(), 0

    def seal(self, content: Iterable[bytes]) -> Iterator[bytes]:
        """The file, piece by piece; may be called once, instead of what follows."""
        yield self.header
        for piece in content:
            yield from self.add(piece)
        yield self.end()

    def add(self, piece: bytes) -> Iterator[bytes]:
        """The next piece of the content: the chunks that are full by now."""
        self._waiting += piece
        while len(self._waiting) >= CHUNK:
            yield self._cipher.encrypt(_nonce(self._number, last=False), bytes(self._waiting[:CHUNK]), None)
            del self._waiting[:CHUNK]
            self._number += 1

    def end(self) -> bytes:
        """The last chunk, after which nothing may come."""
        return self._cipher.encrypt(_nonce(self._number, last=True), bytes(self._waiting), None)


def unseal(read: Callable[[int], bytes], passphrase: str) -> Iterator[bytes]:
    """The content, chunk by chunk; ``read`` gives so many bytes, fewer at the end only, as a file's does.

    What was given out before an error is genuine but not the whole: it is to be thrown away.

    Raises:
        Damaged: it is no backup, was cut off, or changed.
        NewerFormat: a newer release wrote it.
        WrongKey: the passphrase is another.
    """
    cipher = AESGCM(_open(read(HEADER_BYTES), passphrase))
    number, last = 0, False
    while not last:
        sealed = read(CHUNK + _TAG)
        last = len(sealed) < CHUNK + _TAG
        try:
            yield cipher.decrypt(_nonce(number, last=last), sealed, None)
        except (InvalidTag, ValueError):
            raise Damaged from None
        number += 1


def _open(header: bytes, passphrase: str) -> bytes:
    """The key of a file with this header."""
    if header[: len(MAGIC)] != MAGIC or len(header) <= len(MAGIC):
        raise Damaged
    if header[len(MAGIC)] > FORMAT:
        raise NewerFormat
    if len(header) < HEADER_BYTES:
        raise Damaged
    parameters = header[: _PARAMETERS.size]
    _, _, salt, iterations, lanes, memory = _PARAMETERS.unpack(parameters)
    try:
        stretching = msgspec.convert({"iterations": iterations, "lanes": lanes, "memory": memory}, Stretching)
    except msgspec.ValidationError:
        raise Damaged from None
    if iterations > MOST_ITERATIONS or memory > MOST_MEMORY:
        raise Damaged
    key, check = _keys(passphrase, salt, stretching, parameters)
    if not hmac.compare_digest(check, header[_PARAMETERS.size :]):
        raise WrongKey
    return key


def _keys(passphrase: str, salt: bytes, stretching: Stretching, parameters: bytes) -> tuple[bytes, bytes]:
    """The key of the chunks, and what shows that it is the right one and the header as written."""
    stretched = stretching.stretch(passphrase.encode("utf-8", "surrogatepass"), salt)
    both = HKDF(SHA256(), 32 + _CHECK, None, b"telegraph backup v1" + parameters).derive(stretched)
    return both[:32], both[32:]


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
