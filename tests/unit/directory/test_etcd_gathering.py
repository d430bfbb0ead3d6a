"""Commits that go to etcd together; each against a stand-in that does what etcd does with nested transactions."""

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory.etcd import rpc_pb2 as rpc
from telegraph.directory.etcd.gathering import LONGEST, MAX_COMMITS, Batch, Gathering, Wish
from telegraph.directory.port import LeaseGone
from telegraph.directory.quorum import Budget, Quorum, waiting_until
from telegraph.errors import FateUnknown
from telegraph.testing import virtual_time


def wish(*written: str, reads: tuple[str, ...] = (), revision: int = 0, lease: int = 0) -> Wish:
    """Writes keys if all of them, and those that it reads, are at a revision (0: are not there)."""
    touched = frozenset((*written, *reads))
    compare = [
        rpc.Compare(target=rpc.Compare.MOD, key=key.encode(), mod_revision=revision) for key in (*written, *reads)
    ]
    puts = [rpc.RequestOp(request_put=rpc.PutRequest(key=key.encode(), lease=lease)) for key in written]
    return Wish(touched, frozenset(written), rpc.TxnRequest(compare=compare, success=puts))


class Etcd:
    """Takes a second for each transaction. All of it is compared before anything is written, as etcd has it."""

    def __init__(self) -> None:
        self.revision = 1
        self.stored: dict[bytes, int] = {}
        self.sizes: list[int] = []
        self.problems: list[Exception] = []
        self.untils: list[tuple[float, float]] = []
        self.gathering = Gathering(self._send)

    async def _send(self, request: rpc.TxnRequest, until: float) -> rpc.TxnResponse:
        self.untils.append((until, waiting_until()))
        nested = [each.request_txn for each in request.success if each.HasField("request_txn")]
        self.sizes.append(len(nested) or 1)
        try:
            return self._apply(nested or [request], several=bool(nested))
        finally:
            await asyncio.sleep(1)

    def _apply(self, parts: list[rpc.TxnRequest], *, several: bool) -> rpc.TxnResponse:
        if self.problems:
            raise self.problems.pop(0)
        puts = [each.request_put for part in parts for each in part.success]
        if any(put.lease for put in puts):
            raise LeaseGone
        assert len({put.key for put in puts}) == len(puts), "etcd: duplicate key given in txn request"
        answers = [all(self.stored.get(each.key, 0) == each.mod_revision for each in part.compare) for part in parts]
        self.revision += any(answers)
        for part, holds in zip(parts, answers, strict=True):
            if holds:
                self.stored.update({each.request_put.key: self.revision for each in part.success})
        header = rpc.ResponseHeader(revision=self.revision)
        if not several:
            return rpc.TxnResponse(header=header, succeeded=answers[0])
        told = [rpc.ResponseOp(response_txn=rpc.TxnResponse(succeeded=each)) for each in answers]
        return rpc.TxnResponse(header=header, succeeded=True, responses=told)

    async def commit(self, *wishes: Wish) -> list[int | BaseException | None]:
        return await asyncio.gather(*map(self.gathering.commit, wishes), return_exceptions=True)


def told(story: Callable[[Etcd], Awaitable[None]]) -> None:
    async def live() -> None:
        await story(Etcd())

    virtual_time.run(live())


def now() -> float:
    return asyncio.get_running_loop().time()


def test_those_that_come_at_the_same_moment_go_together_each_with_its_own_outcome() -> None:
    async def story(etcd: Etcd) -> None:
        await etcd.commit(wish("bob"))
        assert await etcd.commit(wish("alice"), wish("bob"), wish("carol")) == [3, None, 3]
        assert etcd.sizes == [1, 3]

    told(story)


def test_those_that_touch_the_same_key_never_go_together() -> None:
    async def story(etcd: Etcd) -> None:
        both = await etcd.commit(wish("alice"), wish("alice", "bob"), wish("carol", reads=("alice",)))
        assert both == [2, None, None]
        assert etcd.sizes == [1, 1, 1]

    told(story)


def test_who_comes_while_one_is_under_way_waits_for_it_but_not_for_long() -> None:
    async def story(etcd: Etcd) -> None:
        first = asyncio.ensure_future(etcd.gathering.commit(wish("alice")))
        await asyncio.sleep(0.5)
        later = [asyncio.ensure_future(etcd.gathering.commit(wish(name))) for name in ("bob", "carol")]
        assert await asyncio.gather(first, *later) == [2, 3, 3]
        assert now() == 1.5 + LONGEST
        assert etcd.sizes == [1, 2]

    told(story)


def test_who_waits_goes_as_soon_as_the_one_before_is_done() -> None:
    async def story(etcd: Etcd) -> None:
        first = asyncio.ensure_future(etcd.gathering.commit(wish("alice")))
        await asyncio.sleep(1 - LONGEST / 2)
        await etcd.gathering.commit(wish("bob"))
        assert now() == pytest.approx(2)
        assert await first == 2

    told(story)


def test_when_one_of_them_is_at_fault_the_others_are_done_all_the_same() -> None:
    async def story(etcd: Etcd) -> None:
        alice, bob, carol = await etcd.commit(wish("alice"), wish("bob", lease=7), wish("carol"))
        assert isinstance(bob, LeaseGone)
        assert (alice, carol) in {(2, 3), (3, 2)}
        assert etcd.sizes == [3, 1, 1, 1]

    told(story)


def test_a_fate_that_is_unknown_is_that_of_all_and_nothing_is_repeated() -> None:
    async def story(etcd: Etcd) -> None:
        etcd.problems.append(FateUnknown(retry_after=1))
        outcomes = await etcd.commit(wish("alice"), wish("bob"))
        assert [type(outcome) for outcome in outcomes] == [FateUnknown, FateUnknown]
        assert etcd.sizes == [2]
        assert await etcd.commit(wish("carol")) == [2]

    told(story)


def test_who_gives_up_before_it_went_is_left_out() -> None:
    async def story(etcd: Etcd) -> None:
        first = asyncio.ensure_future(etcd.gathering.commit(wish("alice")))
        await asyncio.sleep(0.5)
        bob, carol = (asyncio.ensure_future(etcd.gathering.commit(wish(name))) for name in ("bob", "carol"))
        await asyncio.sleep(0)
        bob.cancel()
        assert list(await asyncio.gather(first, carol)) == [2, 3]
        assert set(etcd.stored) == {b"alice", b"carol"}

    told(story)


def test_not_too_many_go_together_and_large_ones_go_alone() -> None:
    async def story(etcd: Etcd) -> None:
        many = [wish(f"user{number}") for number in range(MAX_COMMITS + 1)]
        large = wish(*(f"other{number}" for number in range(100)))
        outcomes = await etcd.commit(large, *many)
        assert None not in outcomes
        assert sorted(etcd.sizes) == [1, 1, MAX_COMMITS]

    told(story)


KEYS = st.sets(st.sampled_from("abcdef"), min_size=1, max_size=3)
WISHES = st.lists(st.tuples(KEYS, KEYS), min_size=1, max_size=12)


@given(WISHES)
def test_a_batch_is_the_same_as_its_commits_one_after_the_other(pairs: list[tuple[set[str], set[str]]]) -> None:
    wishes = [wish(*sorted(written), reads=tuple(sorted(reads - written))) for written, reads in pairs]

    async def story(etcd: Etcd) -> None:
        together, there = await etcd.commit(*wishes), set[str]()
        for each, outcome in zip(wishes, together, strict=True):
            assert (outcome is not None) == there.isdisjoint(each.touched)
            there |= each.written if outcome is not None else set()

    told(story)


@given(WISHES)
def test_no_commit_of_a_batch_touches_what_another_writes(pairs: list[tuple[set[str], set[str]]]) -> None:
    batch = Batch()
    taken = [each for written, reads in pairs if batch.takes(each := wish(*written, reads=tuple(reads)))]
    assert taken
    for at, one in enumerate(taken):
        for other in taken[at + 1 :]:
            assert one.touched.isdisjoint(other.written)
            assert other.touched.isdisjoint(one.written)


def test_those_who_go_together_have_the_time_of_who_has_most_and_the_budget_of_none() -> None:
    async def call(etcd: Etcd, key: str, spent: float) -> int | None:
        async with Budget(Quorum(), spent=spent):
            alone = wish(key)
            return await etcd.gathering.commit(Wish(alone.touched, alone.written, alone.request, waiting_until()))

    async def story(etcd: Etcd) -> None:
        revisions = await asyncio.gather(call(etcd, "a", 0.4), call(etcd, "b", 0.1))
        assert (list(revisions), etcd.untils) == ([2, 2], [(1.4, math.inf)])
        revisions = await asyncio.gather(call(etcd, "c", 0.4), etcd.gathering.commit(wish("d")))
        assert (list(revisions), etcd.untils[1:]) == ([3, 3], [(math.inf, math.inf)])

    told(story)
