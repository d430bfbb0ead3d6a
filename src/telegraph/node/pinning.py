"""What the directory's word about a contact's device key is worth. Pure (DESIGN.md section 5).

A key is pinned at first contact. The directory may replace it only where the user never compared it: then the
conversation says so and goes on. A key that the user has verified stays pinned whatever the directory says; the new
one is *offered*, and nothing is sent until the user has decided.
"""

from typing import Literal

import msgspec

KeyNews = Literal["none", "first", "changed", "offered", "withdrawn"]

KEY_BYTES = 32


class Pinned(msgspec.Struct, frozen=True):
    """What is known here of a contact's key.

    ``device_key`` is the one that links are made with, ``verified_key`` the one that the user compared, ``offered_key``
    the one that waits for the user's word, ``refused_key`` the last that the user did not want.
    """

    device_key: bytes | None = None
    verified_key: bytes | None = None
    offered_key: bytes | None = None
    refused_key: bytes | None = None

    @property
    def verified(self) -> bool:
        """Whether the user has compared the key that links are made with."""
        return self.device_key is not None and self.verified_key == self.device_key


def judge_key(pinned: Pinned, told: bytes | None) -> KeyNews:
    """What it means that the directory tells of this key (None: of none).

    ``first``: it is to be pinned. ``changed``: it takes the place of the pinned one. ``offered``: the user is asked.
    ``withdrawn``: the directory has come back to the pinned key, so there is nothing to ask any more.
    """
    if told is None or len(told) != KEY_BYTES:
        return "none"
    if pinned.device_key is None:
        return "first"
    if told == pinned.device_key:
        return "none" if pinned.offered_key is None else "withdrawn"
    if not pinned.verified:
        return "changed"
    return "none" if told in (pinned.offered_key, pinned.refused_key) else "offered"
