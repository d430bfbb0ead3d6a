"""From a single manager's SQLite into an empty etcd: everything, as of one moment."""

from collections.abc import Iterator, Sequence
from typing import Final

from telegraph.directory import records
from telegraph.directory.port import Directory, Entry, Put
from telegraph.directory.state_hash import state_hash
from telegraph.errors import CannotStart

_MOST_KEYS: Final = 100
"""A transaction of etcd has 128 operations at most (``--max-txn-ops``)."""

_MOST_BYTES: Final = 512 * 1024
"""A request to etcd has 1.5 MiB at most (``--max-request-bytes``)."""


def batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The entries in pieces that go into one transaction each. Pure."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        weight = len(entry.key) + len(entry.value)
        if batch and (len(batch) == _MOST_KEYS or size + weight > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += weight
    if batch:
        yield batch


def is_copied(entry: Entry) -> bool:
    """Whether an entry goes along: the directory's own name does not, since revisions begin anew with another one.

    Cursors that nodes hold name the directory that they belong to; in a new one they are answered by the whole list.
    What hangs on a lease belongs to a process that has ended.
    """
    return entry.key != records.DIRECTORY_ID and not entry.lease


async def copy_all(source: Directory, target: Directory) -> int:
    """Copies everything into a directory that has none of it: how many entries.

    Raises:
        CannotStart: what arrived is not what was sent.
        DirectoryUnavailable: one of the two does not answer.
    """
    snapshot = await source.scan("")
    entries = [entry for entry in snapshot.entries if is_copied(entry)]
    for batch in batches(entries):
        await target.commit([], [Put(entry.key, entry.value) for entry in batch])
    arrived = {entry.key: entry.value for entry in (await target.scan("")).entries}
    if any(arrived.get(entry.key) != entry.value for entry in entries):
        raise CannotStart(detail="the directory did not arrive whole in etcd; nothing was changed, try again")
    if state_hash(snapshot.entries) != state_hash((await target.scan("")).entries):
        raise CannotStart(detail="etcd holds more than the directory that was copied; try again")
    return len(entries)
