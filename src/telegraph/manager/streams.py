"""Event streams: who watches whom, and a bounded queue for each stream.

A consumer that is too slow loses its stream, not the manager its memory; on the next one it is told everybody's present
state again.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from telegraph.manager.sessions import Caller
from telegraph.protocol.manager_api import User
from telegraph.protocol.manager_events import MAX_WATCHED, FromManager, Revoked, SessionEnded, UserChanged, UserGone

MAX_QUEUED: Final = 2048
"""Events that may wait for one stream's consumer."""

_ROOM_FOR_CHANGES: Final = MAX_QUEUED // 2
"""Answers leave this much of the queue to changes: whoever asks much waits, instead of losing the stream."""

MAX_STREAMS_EACH: Final = 4


class Stream:
    """One node's event stream. The queue has one reader, :meth:`next`; anything may put into it."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.watched: set[str] = set()
        self.too_slow = False
        self._queue: deque[FromManager] = deque()
        self._changed = asyncio.Event()
        self._closing = False

    @property
    def closing(self) -> bool:
        """Whether it has ended, though its consumer may not have read that yet."""
        return self._closing

    async def answer(self, event: FromManager) -> None:
        """Queues an answer; waits while the consumer has much to read."""
        await self.room()
        self.tell(event)

    async def room(self) -> None:
        """Waits until there is room for an answer."""
        while len(self._queue) >= _ROOM_FOR_CHANGES and not self._closing:
            await self._wait()

    def tell(self, event: FromManager) -> None:
        """Queues a change at once; a stream whose queue is full closes."""
        if self._closing:
            return
        if len(self._queue) >= MAX_QUEUED:
            self.too_slow = True
            self._queue.clear()
            self.close()
            return
        self._queue.append(event)
        self._changed.set()

    def close(self, last: FromManager | None = None) -> None:
        """Ends the stream after what is queued, and after this last event if one is given."""
        if self._closing:
            return
        if last is not None:
            self._queue.append(last)
        self._closing = True
        self._changed.set()

    async def next(self) -> FromManager | None:
        """The next event to send; None when the stream has ended."""
        while not self._queue:
            if self._closing:
                return None
            await self._wait()
        event = self._queue.popleft()
        self._changed.set()
        return event

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()


class Hub:
    """All open streams of this manager."""

    def __init__(self) -> None:
        self._by_session: dict[str, list[Stream]] = {}
        self._watchers: dict[str, set[Stream]] = {}
        self._hearing_of_revocations: set[Stream] = set()

    def __len__(self) -> int:
        return sum(len(streams) for streams in self._by_session.values())

    @property
    def watched(self) -> list[str]:
        """Users whom at least one stream watches."""
        return list(self._watchers)

    def open(self, caller: Caller) -> Stream:
        """A new stream of a session; beyond :data:`MAX_STREAMS_EACH` the session's oldest closes."""
        streams = self._by_session.setdefault(caller.token_hash, [])
        if len(streams) >= MAX_STREAMS_EACH:
            streams[0].close()
            self.discard(streams[0])
            streams = self._by_session.setdefault(caller.token_hash, [])
        stream = Stream(caller)
        streams.append(stream)
        return stream

    def discard(self, stream: Stream) -> None:
        """The stream is gone; may be called again."""
        streams = self._by_session.get(stream.caller.token_hash, [])
        if stream in streams:
            streams.remove(stream)
            if not streams:
                del self._by_session[stream.caller.token_hash]
        self.unwatch(stream, list(stream.watched))
        self._hearing_of_revocations.discard(stream)

    def watch(self, stream: Stream, user_id: str) -> bool:
        """The stream hears of a user from now on; False if it hears of too many already."""
        if user_id not in stream.watched and len(stream.watched) >= MAX_WATCHED:
            return False
        stream.watched.add(user_id)
        self._watchers.setdefault(user_id, set()).add(stream)
        return True

    def unwatch(self, stream: Stream, user_ids: Iterable[str]) -> None:
        """The stream hears no more of these users."""
        for user_id in user_ids:
            stream.watched.discard(user_id)
            watchers = self._watchers.get(user_id, set())
            watchers.discard(stream)
            if not watchers:
                self._watchers.pop(user_id, None)

    def is_watched(self, user_id: str) -> bool:
        """Whether anybody wants to hear of a user."""
        return user_id in self._watchers

    def publish(self, user: User) -> None:
        """Tells everybody who watches a user of the present state."""
        event = UserChanged(user)
        for stream in list(self._watchers.get(user.user_id, ())):
            stream.tell(event)

    def publish_to_all(self, event: FromManager) -> None:
        """Tells every stream."""
        for streams in list(self._by_session.values()):
            for stream in list(streams):
                stream.tell(event)

    def publish_gone(self, user_id: str) -> None:
        """Tells everybody who watches a user that the account was deleted."""
        for stream in list(self._watchers.get(user_id, ())):
            stream.tell(UserGone(user_id, deleted=True))

    def tell_of_revocations(self, stream: Stream, so_far: Iterable[Revoked]) -> None:
        """The stream hears of revoked keys: of those so far, and of each new one; none falls in between."""
        self._hearing_of_revocations.add(stream)
        for event in so_far:
            stream.tell(event)

    def publish_revoked(self, event: Revoked) -> None:
        """Tells everybody who wants to know of revoked keys."""
        for stream in list(self._hearing_of_revocations):
            stream.tell(event)

    @property
    def callers(self) -> list[Caller]:
        """Whose streams there are, each session once."""
        return [streams[0].caller for streams in self._by_session.values()]

    def has(self, token_hash: str) -> bool:
        """Whether a session has a stream that was not told to end."""
        return any(not stream.closing for stream in self._by_session.get(token_hash, ()))

    def end(self, token_hash: str, ended: SessionEnded) -> bool:
        """Tells the streams of a session that it is over; False if it has none."""
        streams = list(self._by_session.get(token_hash, ()))
        for stream in streams:
            stream.close(ended)
        return bool(streams)

    def close(self) -> None:
        """Ends all streams."""
        for streams in list(self._by_session.values()):
            for stream in streams:
                stream.close()
