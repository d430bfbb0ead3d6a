import asyncio

import pytest

from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Delete, Put
from telegraph.errors import DirectoryUnavailable
from telegraph.manager.following import Follower
from telegraph.manager.lease import ManagerLease


class Copy:
    """What is told, as a dict."""

    def __init__(self, directory: MemoryDirectory) -> None:
        self.content: dict[str, bytes] = {}
        self.follower = Follower(directory, "a/", self._take, lambda: self.content)

    def _take(self, key: str, value: bytes | None, _revision: int) -> None:
        if value is None:
            self.content.pop(key, None)
        else:
            self.content[key] = value


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_there_and_what_changes_is_told_and_nothing_else() -> None:
    directory = MemoryDirectory()
    await directory.commit([], [Put("a/1", b"one"), Put("b/1", b"other")])
    copy = Copy(directory)
    following = asyncio.create_task(copy.follower.follow())
    await settled()
    assert copy.content == {"1": b"one"}
    await directory.commit([], [Put("a/2", b"two"), Delete("a/1"), Put("b/2", b"other")])
    await settled()
    assert copy.content == {"2": b"two"}
    await directory.close()
    await following


async def test_whoever_fell_behind_is_told_of_what_went_meanwhile() -> None:
    directory = MemoryDirectory(kept_changes=2)
    copy = Copy(directory)
    await directory.commit([], [Put("a/1", b"one"), Put("a/2", b"two")])
    await copy.follower.load()
    await directory.commit([], [Delete("a/1")])
    for value in (b"three", b"four", b"five"):
        await directory.commit([], [Put("a/2", value)])
    await copy.follower.follow()
    assert copy.content == {"2": b"five"}
    await directory.close()


async def test_a_lease_that_is_gone_is_replaced_and_one_that_was_replaced_is_not_lost_again() -> None:
    directory = MemoryDirectory()
    lease = ManagerLease(directory, 10.0)
    first, same = await asyncio.gather(lease.current(), lease.current())
    assert first == same
    await directory.revoke(first)
    assert await lease.renew() == 10.0
    second = await lease.current()
    assert second != first
    lease.gone(first)
    assert await lease.current() == second
    await lease.end()
    await lease.end()
    await directory.commit([], [Put("a/1", b"one", lease=await lease.current())])
    await lease.end()
    assert await directory.get("a/1") is None
    await directory.close()


async def test_a_lease_that_cannot_be_had_is_said_to_who_asks_and_its_end_needs_no_directory() -> None:
    directory = MemoryDirectory()
    lease = ManagerLease(directory, 10.0)
    await lease.current()
    await directory.close()
    await lease.end()
    with pytest.raises(DirectoryUnavailable):
        await lease.current()
