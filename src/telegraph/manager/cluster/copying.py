"""From a single manager's SQLite into an empty etcd: everything, as of one moment."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Final

from telegraph.directory import records
from telegraph.directory.port import Entry, FreezableDirectory, Frozen, Put
from telegraph.directory.state_hash import StateHash
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


async def copy_all(source: FreezableDirectory, target: FreezableDirectory) -> int:
    """Copies everything into a directory that has none of it: how many entries.

    Raises:
        CannotStart: what arrived is not what was sent.
        DirectoryUnavailable: one of the two does not answer.
    """
    async with source.frozen() as frozen:
        count = 0
        async for page in frozen.pages():
            entries = [entry for entry in page if is_copied(entry)]
            count += len(entries)
            for batch in batches(entries):
                await target.commit([], [Put(entry.key, entry.value) for entry in batch])
        async with target.frozen() as arrived:
            if not await _has_all(frozen, arrived):
                raise CannotStart(detail="the directory did not arrive whole in etcd; nothing was changed, try again")
            if await _hash_of(frozen) != await _hash_of(arrived):
                raise CannotStart(detail="etcd holds more than the directory that was copied; try again")
    return count


async def _has_all(source: Frozen, target: Frozen) -> bool:
    """Whether everything that is copied is in the target too, both read side by side in key order."""
    async with aclosing(_entries(source)) as sent, aclosing(_entries(target)) as there:
        found = await anext(there, None)
        async for entry in sent:
            while found is not None and found.key < entry.key:
                found = await anext(there, None)
            if is_copied(entry) and (found is None or (found.key, found.value) != (entry.key, entry.value)):
                return False
    return True


async def _hash_of(frozen: Frozen) -> str:
    hashed = StateHash()
    async with aclosing(_entries(frozen)) as entries:
        async for entry in entries:
            hashed.add(entry)
    return hashed.text


async def _entries(frozen: Frozen) -> AsyncGenerator[Entry]:
    async for page in frozen.pages():
        for entry in page:
            yield entry
