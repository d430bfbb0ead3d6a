"""One lock for each user, so that what concerns one user happens one after the other."""

import asyncio
from weakref import WeakValueDictionary


class UserLocks:
    """Locks that exist as long as somebody holds or awaits them."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._locks)

    def of(self, user_id: str) -> asyncio.Lock:
        """The lock of a user: ``async with locks.of(user_id):``."""
        lock = self._locks.get(user_id)
        if lock is None:
            lock = self._locks[user_id] = asyncio.Lock()
        return lock
