"""From a password to a key: Argon2id (RFC 9106). Pure, and slow on purpose: call it in a thread where others wait."""

from typing import Annotated, Final

import msgspec
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from msgspec import Meta

KEY_BYTES: Final = 32


class Stretching(msgspec.Struct, frozen=True):
    """Argon2id's parameters; ``memory`` is in KiB. The bounds keep a damaged file from taking the machine with it.

    The defaults are those of RFC 9106, section 4, for 64 MiB.
    """

    iterations: Annotated[int, Meta(ge=1, le=64)] = 3
    lanes: Annotated[int, Meta(ge=1, le=64)] = 4
    memory: Annotated[int, Meta(ge=8, le=4 * 1024 * 1024)] = 64 * 1024

    def __post_init__(self) -> None:
        if self.memory < 8 * self.lanes:  # RFC 9106, section 3.1
            raise ValueError("too little memory for so many lanes")

    def stretch(self, secret: bytes, salt: bytes) -> bytes:
        """A key of 32 bytes from a password and a random salt of 16 bytes."""
        return Argon2id(
            salt=salt,
            length=KEY_BYTES,
            iterations=self.iterations,
            lanes=self.lanes,
            memory_cost=self.memory,
        ).derive(secret)
