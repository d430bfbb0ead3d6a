"""Tells everybody who follows this node's events, from the log on disk and, for what is only true now, from memory."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable

from telegraph.node import event_log
from telegraph.node.database import Database
from telegraph.node.event_log import LoggedEvent
from telegraph.node.model import AccountChanged, PresenceChanged, Reset

Passing = PresenceChanged | AccountChanged

_PASSING_KEPT = 1024


class Broker:
    """Followers read at their own pace: a slow one costs no memory and misses nothing that is on disk.

    Of passing events (presence, account) a follower who is more than 1,024 behind gets the newest.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._passing: deque[Passing] = deque(maxlen=_PASSING_KEPT)
        self._passed = 0
        self._changed = asyncio.Event()
        self._closed = False

    def close(self) -> None:
        """Lets every follower come to its end: the log is not read any more."""
        self._closed = True
        self.wake()

    def wake(self) -> None:
        """Something was written to the event log."""
        self._changed.set()
        self._changed = asyncio.Event()

    def publish(self, event: Passing) -> None:
        """Something that is only true now happened."""
        self._passing.append(event)
        self._passed += 1
        self.wake()

    def head(self) -> int:
        """The cursor of the latest event on disk."""
        return event_log.head(self._database.reader)

    def follow(self, me: Callable[[], str], cursor: int | None = None) -> AsyncGenerator[LoggedEvent]:
        """Every event after a cursor (None: from this call on), until closed, each with the cursor to resume after.

        ``me`` gives the own user name. A cursor that is not known here yields a :class:`Reset` first.
        """
        known = cursor is None or event_log.known(self._database.reader, cursor)
        start = cursor if cursor is not None and known else self.head()
        return self._follow(me, start, self._passed, reset=not known)

    async def _follow(
        self, me: Callable[[], str], cursor: int, passed: int, *, reset: bool
    ) -> AsyncGenerator[LoggedEvent]:
        if reset:
            yield cursor, Reset()
        while not self._closed:
            changed = self._changed
            while events := self._since(cursor, me):
                for number, event in events:
                    cursor = number
                    yield number, event
            passing, passed = self._newer_than(passed), self._passed
            for event in passing:
                yield cursor, event
            if not passing:
                await changed.wait()

    def _since(self, cursor: int, me: Callable[[], str]) -> list[LoggedEvent]:
        return [] if self._closed else event_log.since(self._database.reader, cursor, me())

    def _newer_than(self, passed: int) -> list[Passing]:
        fresh = min(self._passed - passed, len(self._passing))
        return list(self._passing)[len(self._passing) - fresh :]
