"""Safety numbers: how two people see that each holds the key that the other thinks they hold. Pure.

Each side is reduced to a fingerprint of its user id and device key; both together are the number, the same at both
ends. The manner is that of Signal's numeric fingerprints (https://signal.org/blog/safety-number-updates/, and
``fingerprint.rs`` in libsignal): iterated SHA-512, thirty digits a side, the smaller side first. What is hashed is our
own: docs/reference/safety-numbers.md has the derivation and a worked example.
"""

import re
from base64 import b32decode, b32encode
from functools import lru_cache
from hashlib import sha512
from typing import Final

from telegraph.errors import IllegalSafetyNumber

VERSION: Final = 1
ROUNDS: Final = 5200
"""Each guess at a key with the same digits costs an attacker so many hashes: 10^30 times 5,200 is about 2^112."""

DIGITS: Final = 60
_GROUP: Final = 5
_GROUPS_A_SIDE: Final = 6
_SCANNED_BYTES: Final = 32
_LABEL: Final = b"telegraph safety number"
_SCHEME: Final = "TELEGRAPH:SAFETY"
_KEY_BYTES: Final = 32


@lru_cache(maxsize=256)
def fingerprint(user_id: str, device_key: bytes) -> bytes:
    """The 64 bytes that stand for one side; takes some milliseconds, so not for the event loop.

    Raises:
        ValueError: the key does not have the 32 bytes of an Ed25519 key.
    """
    if len(device_key) != _KEY_BYTES:
        raise ValueError("a device key has 32 bytes")
    name = user_id.encode()
    digest = _LABEL + bytes([VERSION]) + len(name).to_bytes(2) + name + device_key
    for _ in range(ROUNDS):
        digest = sha512(digest + device_key).digest()
    return digest


def number(one: bytes, other: bytes) -> str:
    """The 60 digits of two fingerprints, whichever comes first."""
    return "".join(sorted((_digits(one), _digits(other))))


def grouped(digits: str) -> list[str]:
    """A number in groups of five, as it is read aloud."""
    return [digits[start : start + _GROUP] for start in range(0, len(digits), _GROUP)]


def to_scan(own: bytes, theirs: bytes) -> str:
    """What a QR code of the number holds: the fingerprint of who shows it, then the one that they have of the other.

    Only characters of a QR code's alphanumeric mode, which keeps the picture small.
    """
    return f"{_SCHEME}:{VERSION}:{_scannable(own)}:{_scannable(theirs)}"


def fits(compared: str, own: bytes, theirs: bytes) -> bool:
    """Whether the other's number, as typed or scanned, is the one that these two fingerprints have.

    Raises:
        IllegalSafetyNumber: it is neither 60 digits nor what a QR code of ours holds.
    """
    text = compared.strip()
    if text.upper().startswith(_SCHEME):
        shown, seen = _scanned(text.upper())
        return (shown, seen) == (theirs[:_SCANNED_BYTES], own[:_SCANNED_BYTES])
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(rf"[0-9]{{{DIGITS}}}", digits):
        raise IllegalSafetyNumber(detail=f"it has {DIGITS} digits")
    return digits == number(own, theirs)


def _digits(side: bytes) -> str:
    """Six groups of five bytes, each as a number below 100,000."""
    groups = (side[start : start + _GROUP] for start in range(0, _GROUP * _GROUPS_A_SIDE, _GROUP))
    return "".join(f"{int.from_bytes(group) % 100_000:05}" for group in groups)


def _scannable(side: bytes) -> str:
    return b32encode(side[:_SCANNED_BYTES]).decode().rstrip("=")


def _scanned(payload: str) -> tuple[bytes, bytes]:
    """The two fingerprints of a scanned code: of who shows it, and the one that they have of the other."""
    parts = payload.split(":")
    if len(parts) >= len(("TELEGRAPH", "SAFETY", "version")) and parts[2] != str(VERSION):
        raise IllegalSafetyNumber(detail="the code was made by another version; update both ends")
    try:
        _, _, _, shown, seen = parts
        return _unscanned(shown), _unscanned(seen)
    except ValueError:  # also of b32decode
        raise IllegalSafetyNumber(detail="the code is damaged") from None


def _unscanned(part: str) -> bytes:
    side = b32decode(part + "=" * (-len(part) % 8))
    if len(side) != _SCANNED_BYTES:
        raise ValueError("too short or too long")
    return side
