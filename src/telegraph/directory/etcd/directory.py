"""The directory of several managers: etcd's keys below a prefix.

Reads are linearizable; ``stale`` ones are answered by the member that is asked from what it has (etcd's serializable
reads). Commits are etcd's transactions that compare revisions of last change.
"""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final

from telegraph.directory.etcd import rpc_pb2 as rpc
from telegraph.directory.etcd.calls import GRANT, KEEP_ALIVE, LOOK, RANGE, REVOKE, TXN
from telegraph.directory.etcd.client import EtcdClient
from telegraph.directory.etcd.failures import AnswerTooLarge
from telegraph.directory.etcd.gathering import Gathering, Wish
from telegraph.directory.etcd.watch import Watch
from telegraph.directory.port import Change, Delete, Entry, Frozen, HistoryGone, LeaseGone, Put, Snapshot, Unchanged
from telegraph.directory.quorum import waiting_until
from telegraph.directory.transactions import check_writes, prefix_end
from telegraph.errors import DirectoryUnavailable

MAX_TXN_OPS: Final = 1024
"""Conditions or writes of one commit. etcd's default is 128: members must be started with ``--max-txn-ops=1024``."""

_OWN_WITHIN: Final = 0.2
"""Seconds for the preferred member to answer what may be stale, which takes it a millisecond."""

PAGE: Final = 500
"""Entries that a scan asks for at once; fewer if they are so large that an answer does not fit into one message."""


class _Frozen:
    """Implements :class:`telegraph.directory.port.Frozen`."""

    def __init__(self, read: Callable[..., AsyncGenerator[Snapshot]], revision: int) -> None:
        self._read = read
        self.revision = revision

    async def pages(self, prefix: str = "") -> AsyncIterator[Sequence[Entry]]:
        """All entries below the prefix, in key order, some hundreds at a time."""
        async with aclosing(self._read(prefix, revision=self.revision)) as pages:
            async for page in pages:
                yield page.entries


class EtcdDirectory:
    """Implements :class:`telegraph.directory.port.Directory` over etcd."""

    def __init__(self, client: EtcdClient, prefix: str = "/telegraph/", *, gather: bool = True) -> None:
        """The client belongs to the directory from now on: closing it closes the client.

        ``gather``: commits that come at the same time go together (:mod:`telegraph.directory.etcd.gathering`).
        """
        self._client = client
        self._prefix = prefix
        self._gathering = Gathering(self._send) if gather else None
        self._watches: set[Watch] = set()

    @property
    def client(self) -> EtcdClient:
        """For what is no business of the port, such as :mod:`telegraph.directory.etcd.members`."""
        return self._client

    @property
    def heard(self) -> float:
        """Up to when, by the event loop's clock, the watches on everything have told all that was committed.

        What is older in a cache that they feed may be stale; minus infinity without such a watch. It takes that nobody
        else writes to this etcd: with keys outside the prefix it is never known.
        """
        return min((watch.heard for watch in self._watches), default=-math.inf)

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        """The key's entry, or None."""
        request = rpc.RangeRequest(key=self._place(key), serializable=stale)
        answer = await self._range_of(request)
        return self._entry(answer.kvs[0]) if answer.kvs else None

    async def _range_of(self, request: rpc.RangeRequest) -> rpc.RangeResponse:
        """A stale read goes to the preferred member first, also if that failed a moment ago for want of a leader."""
        if not request.serializable:
            return await self._client.call(RANGE, request)
        with suppress(DirectoryUnavailable):
            own = self._client.addresses[0]
            return await self._client.call(RANGE, request, need_leader=False, budget=_OWN_WITHIN, at=own)
        return await self._client.call(RANGE, request, need_leader=False)

    async def scan(self, prefix: str, *, limit: int = 0, stale: bool = False) -> Snapshot:
        """All entries below the prefix, in key order, as of one revision; at most ``limit`` if that is not 0."""
        while True:
            try:
                return await self._pages(prefix, limit, stale=stale)
            except HistoryGone:  # compacted away between two pages
                continue

    async def _pages(self, prefix: str, limit: int, *, stale: bool) -> Snapshot:
        entries: list[Entry] = []
        revision = 0
        async for page in self._read(prefix, limit, stale=stale):
            entries += page.entries
            revision = page.revision
        return Snapshot(tuple(entries), revision)

    async def _read(
        self, prefix: str, limit: int = 0, *, revision: int = 0, stale: bool = False
    ) -> AsyncGenerator[Snapshot]:
        """Entries as of a revision, or as of the first answer's if that is 0, page by page; one at least."""
        begin, end = self._range(prefix)
        left, size, more = limit, PAGE, True
        while more and (not limit or left > 0):
            wanted = min(size, left) if limit else size
            request = rpc.RangeRequest(key=begin, range_end=end, limit=wanted, revision=revision, serializable=stale)
            try:
                answer = await self._range_of(request)
            except AnswerTooLarge:
                if wanted == 1:
                    raise
                size = max(1, wanted // 8)
                continue
            revision, more = revision or answer.header.revision, answer.more
            left -= len(answer.kvs)
            begin = answer.kvs[-1].key + b"\0" if answer.kvs else end
            yield Snapshot(tuple(map(self._entry, answer.kvs)), revision)

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[Frozen]:
        """The directory as it is now, whatever is committed while the block runs; etcd keeps an old one for an hour."""
        begin, end = self._range("")
        answer = await self._range_of(rpc.RangeRequest(key=begin, range_end=end, count_only=True))
        yield _Frozen(self._read, answer.header.revision)

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        """Applies all writes if every condition holds: the new revision, else None.

        Raises:
            ValueError: more than :data:`MAX_TXN_OPS` conditions or writes.
            FateUnknown, LeaseGone: see the port.
        """
        check_writes(writes)
        if max(len(conditions), len(writes)) > MAX_TXN_OPS:
            raise ValueError(f"a commit may have at most {MAX_TXN_OPS} conditions or writes")
        request = rpc.TxnRequest(compare=map(self._compare, conditions), success=map(self._write, writes))
        if writes and self._gathering is not None:
            written = frozenset(write.key for write in writes)
            touched = written.union(condition.key for condition in conditions)
            return await self._gathering.commit(Wish(touched, written, request, waiting_until()))
        answer = await self._client.call(TXN if writes else LOOK, request)
        return answer.header.revision if answer.succeeded else None

    async def _send(self, request: rpc.TxnRequest, until: float) -> rpc.TxnResponse:
        return await self._client.call(TXN, request, until=until)

    async def grant(self, ttl: float) -> int:
        """A new lease of whole seconds, rounded up; etcd gives at least one and a half election time-outs."""
        answer = await self._client.call(GRANT, rpc.LeaseGrantRequest(TTL=math.ceil(ttl)))
        return answer.ID

    async def keep_alive(self, lease: int) -> float:
        """Renews a lease: the seconds that it has from now on, at least from when this was called."""
        answer = await self._client.call(KEEP_ALIVE, rpc.LeaseKeepAliveRequest(ID=lease))
        if answer.TTL <= 0:
            raise LeaseGone
        return float(answer.TTL)

    async def revoke(self, lease: int) -> None:
        """Ends a lease and deletes its keys."""
        try:
            await self._client.call(REVOKE, rpc.LeaseRevokeRequest(ID=lease))
        except LeaseGone:
            return

    async def watch(self, prefix: str, *, after: int) -> AsyncGenerator[Change]:
        """Every later change below the prefix, in order, endlessly; see the port."""
        watch = Watch(self._client, *self._range(prefix), after)
        if not prefix:  # another one cannot know whether what it has not been told is none of its own
            self._watches.add(watch)
        try:
            async with aclosing(watch.changes()) as changes:
                async for change in changes:
                    yield Change(change.key[len(self._prefix) :], change.value, change.revision)
        finally:
            self._watches.discard(watch)

    async def close(self) -> None:
        """Ends all watches and lets go of connections."""
        await self._client.close()

    # --- what is what in etcd ---

    def _place(self, key: str) -> bytes:
        return (self._prefix + key).encode("ascii")

    def _range(self, prefix: str) -> tuple[bytes, bytes]:
        return self._place(prefix), self._place(prefix_end(prefix))

    def _entry(self, found: rpc.KeyValue) -> Entry:
        key = found.key.decode("ascii")[len(self._prefix) :]
        return Entry(key, found.value, found.mod_revision, found.lease)

    def _compare(self, condition: Unchanged) -> rpc.Compare:
        return rpc.Compare(
            target=rpc.Compare.MOD, key=self._place(condition.key), mod_revision=condition.revision
        )  # EQUAL is the default; a key that is not there has the revision 0

    def _write(self, write: Put | Delete) -> rpc.RequestOp:
        key = self._place(write.key)
        if isinstance(write, Delete):
            return rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=key))
        return rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=write.value, lease=write.lease))
