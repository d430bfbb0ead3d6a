"""Failover, deadlines and fates, in virtual time against members that answer as they are told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest

from telegraph.directory.etcd import rpc_pb2 as rpc
from telegraph.directory.etcd.calls import Call
from telegraph.directory.etcd.channels import HAS_LEADER
from telegraph.directory.etcd.client import EtcdClient, Patience
from telegraph.directory.etcd.directory import MAX_TXN_OPS, EtcdDirectory
from telegraph.directory.etcd.gathering import LONGEST
from telegraph.directory.port import Entry, Put, Unchanged
from telegraph.directory.quorum import DIRECTORY_WITHIN, Budget, Quorum
from telegraph.errors import (
    DirectoryFull,
    DirectorySlow,
    DirectoryUnavailable,
    DirectoryUnreachable,
    FateUnknown,
    NoQuorum,
)
from telegraph.testing import virtual_time

Said = grpc.aio.AioRpcError | str
HANGS = "hangs"
AWAY = "away"


def failure(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(
        code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details, debug_error_string=None
    )


NO_LEADER = failure(grpc.StatusCode.UNAVAILABLE, "etcdserver: no leader")
BROKEN = failure(grpc.StatusCode.UNAVAILABLE, "Socket closed")
FULL = failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded")
COMPACTED = failure(grpc.StatusCode.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted")
TOO_LARGE = failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "CLIENT: Received message larger than max (9 vs. 4)")


class Members:
    """Stands where the channels do: each member answers well, hangs, is away or fails in some way."""

    def __init__(self) -> None:
        self.moods: dict[str, Said] = {}
        self.asked: list[tuple[str, str]] = []
        self.metadata: list[object] = []
        self.next: list[Said] = []
        self.ranges: list[rpc.RangeRequest] = []
        self.stored: list[str] = []

    async def ready(self, address: str, within: float) -> bool:
        if self.moods.get(address) == AWAY:
            await asyncio.sleep(within)
            return False
        return True

    def unary(self, address: str, call: Call[Any, Any]) -> Callable[..., Awaitable[Any]]:
        async def ask(request: Any, timeout: float, metadata: object) -> Any:  # noqa: ASYNC109 - gRPC's name
            if isinstance(request, rpc.RangeRequest) and request.key == b"\0":  # a probe
                if address in self.moods:
                    raise NO_LEADER
                return rpc.RangeResponse()
            self.asked.append((address, call.path.rpartition("/")[2]))
            self.metadata.append(metadata)
            mood = self.next.pop(0) if self.next else self.moods.get(address)
            if mood == HANGS:
                await asyncio.sleep(timeout)
                raise failure(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
            if isinstance(mood, grpc.aio.AioRpcError):
                raise mood
            return self._answer(request)

        return ask

    def _answer(self, request: Any) -> Any:
        header = rpc.ResponseHeader(revision=7)
        if isinstance(request, rpc.TxnRequest):
            return rpc.TxnResponse(header=header, succeeded=True)
        self.ranges.append(request)
        keys = [key for key in self.stored if request.key <= key.encode() < (request.range_end or request.key + b"\0")]
        found = keys[: request.limit or None]
        kvs = [rpc.KeyValue(key=key.encode(), mod_revision=3) for key in found]
        return rpc.RangeResponse(header=header, kvs=kvs, more=len(found) < len(keys))

    async def close(self) -> None:
        """Nothing to close."""


def told(story: Callable[[EtcdDirectory, Members], Awaitable[None]], count: int = 3) -> None:
    """Runs a story with members a, b, c … in virtual time."""

    async def live() -> None:
        members = Members()
        client = EtcdClient([name for name, _ in zip("abcdefgh", range(count), strict=False)], None, Patience())
        client._channels = client.watching = members  # type: ignore[assignment]
        directory = EtcdDirectory(client, "/")
        await story(directory, members)
        await directory.close()

    virtual_time.run(live())


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_read_goes_on_to_the_next_member_after_its_share_of_the_time() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        members.moods["a"] = HANGS
        assert await directory.get("x") is None
        assert [name for name, _ in members.asked] == ["a", "b"]
        assert now() == pytest.approx(0.375)  # a fourth of the budget: one may be asked twice
        await directory.get("x")
        assert [name for name, _ in members.asked] == ["a", "b", "b"]

    told(story)


def test_a_member_that_is_well_again_is_asked_first_again() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        members.moods["a"] = BROKEN
        await directory.get("x")
        await asyncio.sleep(10)
        await directory.get("x")
        del members.moods["a"]
        await asyncio.sleep(1)
        await directory.get("x")
        assert [name for name, _ in members.asked] == ["a", "b", "b", "a"]

    told(story)


def test_a_commit_that_was_refused_before_it_was_proposed_goes_elsewhere() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        members.moods["a"] = NO_LEADER
        members.moods["b"] = AWAY
        assert await directory.commit([], [Put("x", b"1")]) == 7
        assert members.asked == [("a", "Txn"), ("c", "Txn")]
        assert members.metadata == [HAS_LEADER, HAS_LEADER]

    told(story)


@pytest.mark.parametrize("mood", [HANGS, BROKEN])
def test_a_commit_that_may_have_been_done_is_not_repeated(mood: Said) -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        members.moods["a"] = mood
        with pytest.raises(FateUnknown):
            await directory.commit([], [Put("x", b"1")])
        assert members.asked == [("a", "Txn")]
        assert now() <= 1.5
        assert await directory.commit([], [Put("x", b"1")]) == 7
        assert members.asked[1:] == [("b", "Txn")]

    told(story)


def test_a_commit_that_hangs_warns_those_who_come_later() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        members.moods["a"] = HANGS
        hanging = asyncio.ensure_future(directory.commit([], [Put("x", b"1")]))
        await asyncio.sleep(0.5)
        assert await directory.commit([], [Put("y", b"1")]) == 7
        assert now() == 0.5 + LONGEST  # it has waited for the one before, but no longer
        assert members.asked == [("a", "Txn"), ("b", "Txn")]
        with pytest.raises(FateUnknown):
            await hanging

    told(story)


def test_a_commit_that_is_only_slow_warns_nobody() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        members.next = [HANGS]
        hanging = asyncio.ensure_future(directory.commit([], [Put("x", b"1")]))
        await asyncio.sleep(1)
        assert await directory.commit([], [Put("y", b"1")]) == 7
        assert members.asked == [("a", "Txn"), ("a", "Txn")]
        with pytest.raises(FateUnknown):
            await hanging

    told(story)


def test_a_transaction_that_writes_nothing_may_be_repeated() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        members.moods["a"] = BROKEN
        assert await directory.commit([Unchanged("x", 0)], []) == 7
        assert members.asked == [("a", "Txn"), ("b", "Txn")]

    told(story)


@pytest.mark.parametrize(("mood", "kind"), [(NO_LEADER, NoQuorum), (AWAY, DirectoryUnreachable), (HANGS, None)])
def test_when_nobody_can_help_the_cause_is_told_within_the_budget(mood: Said, kind: type[Exception] | None) -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        members.moods = dict.fromkeys("abcde", mood)
        began = now()
        with pytest.raises(DirectoryUnavailable) as caught:
            await directory.get("x")
        assert now() - began == pytest.approx(1.5)
        assert caught.value.retry_after
        assert kind is None or caught.type is kind
        if mood == HANGS:
            assert {name for name, _ in members.asked} == set("abcde")

    told(story, count=5)


def test_an_election_in_the_middle_is_waited_for() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        members.moods = dict.fromkeys("abc", NO_LEADER)
        commit = asyncio.ensure_future(directory.commit([], [Put("x", b"1")]))
        await asyncio.sleep(1)
        members.moods.clear()
        assert await commit == 7
        assert now() < 1.2

    told(story)


def test_all_that_a_call_of_the_api_asks_shares_one_budget() -> None:
    async def ask_in_two_elections(directory: EtcdDirectory, members: Members) -> None:
        members.moods = dict.fromkeys("abc", NO_LEADER)
        asyncio.get_running_loop().call_later(1, members.moods.clear)
        async with Budget(Quorum()):
            await directory.get("x")
            members.moods = dict.fromkeys("abc", NO_LEADER)
            await directory.get("x")

    async def story(directory: EtcdDirectory, members: Members) -> None:
        with pytest.raises(NoQuorum):
            await ask_in_two_elections(directory, members)
        assert now() == pytest.approx(DIRECTORY_WITHIN, abs=0.1)

    told(story)


def test_a_commit_that_has_no_time_to_be_answered_is_not_sent() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        with pytest.raises(DirectorySlow):
            async with Budget(Quorum(), spent=DIRECTORY_WITHIN - 0.1):
                await directory.commit([], [Put("x", b"1")])
        with pytest.raises(DirectorySlow):
            async with Budget(Quorum(), spent=DIRECTORY_WITHIN):
                await directory.get("x")
        assert members.asked == []
        assert now() == 0

    told(story)


def test_a_stale_read_asks_for_no_leader() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        await directory.get("x", stale=True)
        await directory.scan("x", stale=True)
        assert members.metadata == [None, None]
        assert all(request.serializable for request in members.ranges)

    told(story)


def test_a_final_answer_is_told_at_once() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        members.moods["a"] = FULL
        with pytest.raises(DirectoryFull):
            await directory.commit([], [Put("x", b"1")])
        assert len(members.asked) == 1
        assert now() == 0

    told(story)


def test_pages_are_of_one_revision_and_shrink_when_they_do_not_fit_into_a_message() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        members.stored = [f"/k/{number:04}" for number in range(1000)]
        members.next = [TOO_LARGE]
        snapshot = await directory.scan("k/")
        assert snapshot.entries == tuple(Entry(key[1:], b"", 3) for key in members.stored)
        assert snapshot.revision == 7
        assert {request.limit for request in members.ranges} == {62}
        assert [request.revision for request in members.ranges] == [0] + 16 * [7]

    told(story)


def test_a_scan_whose_revision_was_compacted_away_begins_anew() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        members.stored = [f"/k/{number:04}" for number in range(600)]
        members.next = ["well", COMPACTED]
        assert len((await directory.scan("k/")).entries) == 600
        assert [request.revision for request in members.ranges] == [0, 0, 7]

    told(story)


def test_what_is_too_much_for_one_commit_is_a_mistake_of_ours() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        with pytest.raises(ValueError, match="1024"):
            await directory.commit([Unchanged(f"k{number}", 0) for number in range(MAX_TXN_OPS + 1)], [])
        assert members.asked == []

    told(story)


def test_a_closed_client_asks_nobody() -> None:
    async def story(directory: EtcdDirectory, members: Members) -> None:
        await directory.close()
        for ask in (directory.get("x"), directory.commit([], [Put("x", b"1")]), directory.grant(1)):
            with pytest.raises(DirectoryUnavailable):
                await ask
        assert members.asked == []

    told(story)
