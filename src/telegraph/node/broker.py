"""Tells everybody who follows this node's events, from the log on disk and, for what is only true now, from memory."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable

from telegraph.node import event_log
from telegraph.node.database import Database
from telegraph.node.event_log import LoggedEvent
from telegraph.node.model import AccountChanged, ContactChanged, PresenceChanged, Reset

Passing = PresenceChanged | ContactChanged | AccountChanged

_PASSING_KEPT = 1024


class Broker:
    """Followers read at their own pace: a slow one costs no memory and misses nothing that is on disk.

    Of passing events (presence, account, contacts) a follower who is more than 1,024 behind gets the newest. While the
    store is locked there is no log: followers hear of passing events only, and go on where they were once it is open
    again.
    """

    def __init__(self, database: Database | None = None) -> None:
        self._database: Database | None = None
        self._opened_at = 0
        self._passing: deque[Passing] = deque(maxlen=_PASSING_KEPT)
        self._passed = 0
        self._changed = asyncio.Event()
        self._followed = False
        self._closed = False
        if database is not None:
            self.attach(database)

    def attach(self, database: Database) -> None:
        """The store is open: its log can be read."""
        self._database = database
        self._opened_at = event_log.head(database.reader)
        self.wake()

    def detach(self) -> None:
        """The store is about to be locked."""
        self._database = None

    def close(self) -> None:
        """Lets every follower come to its end: the log is not read any more."""
        self._closed = True
        self.wake()

    def wake(self) -> None:
        """Something was written to the event log."""
        if self._followed:  # each message comes here, and mostly nobody has asked since the one before
            self._followed = False
            self._changed.set()
            self._changed = asyncio.Event()

    @property
    def news(self) -> asyncio.Event:
        """Set as soon as something happens after this call."""
        self._followed = True
        return self._changed

    def publish(self, event: Passing) -> None:
        """Something that is only true now happened."""
        self._passing.append(event)
        self._passed += 1
        self.wake()

    def head(self) -> int:
        """The cursor of the latest event on disk; 0 while the store is locked."""
        return 0 if self._database is None else event_log.head(self._database.reader)

    def follow(self, me: Callable[[], str], cursor: int | None = None) -> AsyncGenerator[LoggedEvent]:
        """Every event after a cursor (None: from this call on), until closed, each with the cursor to resume after.

        ``me`` gives the own user name. A cursor that is not known here yields a :class:`Reset` first.
        """
        start = None if self._database is None else self._start(self._database, cursor, self.head())
        return self._follow(me, cursor, start, self._passed)

    async def _follow(
        self, me: Callable[[], str], cursor: int | None, start: tuple[int, bool] | None, passed: int
    ) -> AsyncGenerator[LoggedEvent]:
        database: Database | None = None
        while not self._closed:
            changed = self.news
            if self._database not in (None, database):  # open now; it may be another store than before
                database = self._database
                cursor, known = start or self._start(database, cursor, self._opened_at)
                start = None
                if not known:
                    yield cursor, Reset()
            while database is self._database and cursor is not None and (events := self._since(cursor, me)):
                for number, event in events:
                    cursor = number
                    yield number, event
            passing, passed = self._newer_than(passed), self._passed
            for passing_event in passing:
                yield cursor or 0, passing_event
            if not passing:
                await changed.wait()

    @staticmethod
    def _start(database: Database, asked: int | None, latest: int) -> tuple[int, bool]:
        """Where somebody begins who asked for a cursor (None: at ``latest``), and whether that one is known."""
        if asked is None:
            return latest, True
        known = event_log.known(database.reader, asked)
        return (asked if known else event_log.head(database.reader)), known

    def _since(self, cursor: int, me: Callable[[], str]) -> list[LoggedEvent]:
        database = None if self._closed else self._database
        return [] if database is None else event_log.since(database.reader, cursor, me())

    def _newer_than(self, passed: int) -> list[Passing]:
        fresh = min(self._passed - passed, len(self._passing))
        return list(self._passing)[len(self._passing) - fresh :]
