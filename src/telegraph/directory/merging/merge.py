"""Two sites' states become one. Pure; no clock, and no order of hearing matters.

``merge`` is commutative, associative and idempotent over states that managers write, which is what makes all sites end
with the same state once each has heard of each change, however often and in whatever order. The rules are in
:mod:`telegraph.directory.merging.registers`, :mod:`~telegraph.directory.merging.names` and
:mod:`~telegraph.directory.merging.settle`; docs/explanation/merge.md proves it.
"""

from collections.abc import Mapping

from telegraph.directory.merging.registers import join
from telegraph.directory.merging.settle import settle

State = Mapping[str, bytes]
"""What of a directory is exchanged (:data:`telegraph.directory.records.EXCHANGED`), by key; or a part of it."""


def merge(ours: State, theirs: State) -> dict[str, bytes]:
    """The state that holds what either knows.

    Raises:
        msgspec.DecodeError: a value is no record of its kind.
        ValueError: a key is none that sites exchange.
    """
    joined = {**ours, **{key: join(key, ours.get(key), value) for key, value in theirs.items()}}
    return settle(joined)
