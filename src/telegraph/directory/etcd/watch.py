"""A watch that outlives the members that it is connected to.

It has connections apart from those of calls, so that a flood of changes holds up no call. While it waits, a pulse asks
its member on the same connection whether it knows a leader: one that hangs, is cut off from the network or from the
other members is left within :data:`PULSE` plus :data:`ANSWER` seconds (and its election time-out), and the watch
goes on at another from where it was (:mod:`telegraph.directory.etcd.position`).

How far the watch is, is known by a second question: a linearizable read at the same member. Its revision is at least
that of every commit that was over when it was asked; as soon as the watch has told that revision, it has told all of
those. A member that has a leader but applies its log slowly thus makes the watch trail, and the watch knows it.

Progress that a client asks for is not used: before etcd 3.4.25 and 3.5.8 its answer could overtake changes
(https://github.com/etcd-io/etcd/issues/15220). What members send by themselves comes in order.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, Final

import grpc
import structlog

from telegraph.directory.etcd import rpc_pb2 as rpc
from telegraph.directory.etcd.calls import WATCH
from telegraph.directory.etcd.channels import EOF, HAS_LEADER
from telegraph.directory.etcd.client import EtcdClient, cancelled, told
from telegraph.directory.etcd.position import Position
from telegraph.directory.port import Change, HistoryGone

log = structlog.get_logger(__name__)

PULSE: Final = 0.6
"""Seconds between two questions."""
ANSWER: Final = 0.6
"""Seconds within which they must be answered."""

_AGAIN_AFTER = 0.1
_MAX_ASKED = 64


class _Broken(Exception):
    """The connection to this member is of no use any more."""


class Watch:
    """One watch on a range of keys; iterate over :meth:`changes` once."""

    def __init__(self, client: EtcdClient, key: bytes, end: bytes, after: int) -> None:
        self._client = client
        self._range = (key, end)
        self._position = Position(after)
        self._told = after
        self._asked: deque[tuple[float, int]] = deque(maxlen=_MAX_ASKED)
        self.heard = -float("inf")
        """Everything that was committed before this moment, by the loop's clock, has been told.

        That is known of a watch on all keys that anybody writes; others never know it.
        """

    async def changes(self) -> AsyncGenerator[Change]:
        """Every change, endlessly, until the client is closed; keys are as etcd has them.

        Raises:
            HistoryGone: changes after the position were compacted away.
        """
        tried: set[str] = set()
        while not self._client.closing.is_set():
            address = self._client.best(tried)
            if address is None:
                tried.clear()
                await self._pause()
                continue
            tried.add(address)
            try:
                async with contextlib.aclosing(self._at(address)) as answers:
                    async for answer in answers:
                        tried.clear()
                        for change in self._position.take(map(_change, answer.events)):
                            yield change
                        self._reached(answer)
            except _Broken as broken:
                log.info("watch_moves", member=address, cause=str(broken))
                self._client.suspect(address)

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._client.closing.wait(), _AGAIN_AFTER)

    async def _at(self, address: str) -> AsyncGenerator[rpc.WatchResponse]:
        """What one member sends, until the client is closed.

        Raises:
            HistoryGone: see above.
            _Broken: it ended, hangs, or has no leader.
        """
        if not await self._client.watching.ready(address, self._client.patience.connect):
            raise _Broken("no connection")
        stream = self._client.watching.stream(address, WATCH)(metadata=HAS_LEADER)
        pulse = asyncio.ensure_future(self._beat(address))
        closing = asyncio.ensure_future(self._client.closing.wait())
        for end in (pulse, closing):
            end.add_done_callback(lambda _end: stream.cancel())  # which ends the read that waits
        try:
            await _sent(stream, self._request())
            while not closing.done():
                yield self._checked(await _read(stream))
        except _Broken:
            if closing.done():
                return
            if pulse.done():
                raise _Broken("no sign of life") from None
            raise
        finally:
            stream.cancel()
            await _ended(pulse, closing)

    def _request(self) -> rpc.WatchRequest:
        key, end = self._range
        return rpc.WatchRequest(
            create_request=rpc.WatchCreateRequest(
                key=key, range_end=end, start_revision=self._position.resume(), progress_notify=True, fragment=True
            )
        )

    def _checked(self, answer: rpc.WatchResponse) -> rpc.WatchResponse:
        if answer.compact_revision:
            raise HistoryGone
        if answer.canceled:
            raise _Broken(answer.cancel_reason or "ended by the member")
        if not answer.events and not answer.created and not answer.fragment:  # progress, see the module
            self._position.seen(answer.header.revision)
        return answer

    async def _beat(self, address: str) -> None:
        """Ends when the member is not well. One that applies slowly what the leader committed is: it only trails."""
        while True:
            asked = asyncio.get_running_loop().time()
            well, applied = await asyncio.gather(
                self._client.follows(address, ANSWER), self._client.applied(address, ANSWER)
            )
            if not well:
                return
            if applied is not None:
                self._asked.append((asked, applied))
                self._settle()
            await asyncio.sleep(PULSE)

    def _reached(self, answer: rpc.WatchResponse) -> None:
        """All of an answer was told. One that was cut in pieces says so at the last one."""
        if answer.fragment:
            return
        if answer.events:
            self._told = max(self._told, answer.events[-1].kv.mod_revision)
        elif not answer.created:
            self._told = max(self._told, answer.header.revision)
        self._settle()

    def _settle(self) -> None:
        while self._asked and self._asked[0][1] <= self._told:
            self.heard = self._asked.popleft()[0]


async def _sent(stream: Any, request: rpc.WatchRequest) -> None:
    try:
        await stream.write(request)
    except (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError) as failure:
        raise _Broken("it could not be asked") from failure
    except asyncio.CancelledError:
        if cancelled():
            raise
        raise _Broken("closed") from None


async def _read(stream: Any) -> rpc.WatchResponse:
    """The next answer.

    Raises:
        HistoryGone, _Broken: see above.
    """
    try:
        answer = await stream.read()
    except grpc.aio.AioRpcError as failure:
        raise _Broken(told(failure).detail) from failure
    except asyncio.CancelledError:
        if cancelled():
            raise
        raise _Broken("closed") from None
    if answer is EOF:
        raise _Broken("it ended")
    result: rpc.WatchResponse = answer
    return result


async def _ended(*tasks: "asyncio.Future[Any]") -> None:
    """Ends tasks whose outcome does not count any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _change(event: rpc.Event) -> Change:
    gone = event.type == rpc.Event.DELETE
    return Change(event.kv.key.decode("ascii"), None if gone else event.kv.value, event.kv.mod_revision)
