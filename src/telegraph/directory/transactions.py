"""What the back ends share: the end of a prefix, and the checks of a transaction before it is tried. Pure."""

from collections.abc import Sequence

from telegraph.directory.port import Delete, Put

KEPT_CHANGES = 100_000
"""So many revisions back a watch can resume, at least, in the back ends that keep the log themselves."""


def prefix_end(prefix: str) -> str:
    """The smallest text above every key that begins with the prefix; keys are printable ASCII, below U+007F."""
    return prefix + "\x7f"


def check_writes(writes: Sequence[Put | Delete]) -> None:
    """Makes sure that a transaction is well-formed.

    Raises:
        ValueError: a key is written twice, or is not printable ASCII; both are mistakes in our own code.
    """
    keys = [write.key for write in writes]
    if len(set(keys)) != len(keys):
        raise ValueError("a transaction writes a key twice")
    for key in keys:
        if not (key.isascii() and key.isprintable() and key):
            raise ValueError(f"{key!r} is not a key of printable ASCII")
