"""One budget for all that a call asks of the directory: it ends in time, with the cause, and never wrongly."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory.guarded import GuardedDirectory
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Delete, Entry, LeaseGone, Put, Snapshot, Unchanged
from telegraph.directory.quorum import (
    ANSWERED_WITHIN,
    DIRECTORY_WITHIN,
    Budget,
    Quorum,
    allow_more,
    bounded,
    busy_elsewhere,
    current,
    waiting_until,
)
from telegraph.errors import DirectorySlow, DirectoryUnavailable, FateUnknown, NoQuorum, TelegraphError
from telegraph.testing.virtual_time import run


class Lazy(MemoryDirectory):
    """A directory in memory that takes its time, and whose commits can be lost on the way or on the way back."""

    def __init__(self) -> None:
        super().__init__()
        self.takes = 0.0
        self.commits = 0
        self.fails: list[Exception] = []

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        await asyncio.sleep(self.takes)
        return await super().get(key, stale=stale)

    async def scan(self, prefix: str, *, limit: int = 0, stale: bool = False) -> Snapshot:
        await asyncio.sleep(self.takes)
        return await super().scan(prefix, limit=limit, stale=stale)

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        if self.fails:
            raise self.fails.pop()
        done = await super().commit(conditions, writes)
        self.commits += done is not None
        await asyncio.sleep(self.takes)
        return done


def now() -> float:
    return asyncio.get_running_loop().time()


def told(story: Callable[[Lazy, GuardedDirectory, Quorum], Awaitable[None]]) -> None:
    async def live() -> None:
        directory = Lazy()
        await story(directory, GuardedDirectory(directory), Quorum())

    run(live())


STEPS = st.lists(
    st.tuples(st.sampled_from(["get", "here", "commit", "commit in vain", "bcrypt"]), st.floats(0, 3)), max_size=6
)


class Call:
    """A call of the API that does some steps one after the other, and what became of it."""

    def __init__(self, directory: Lazy, guarded: GuardedDirectory) -> None:
        self.directory, self.guarded = directory, guarded
        self.charged = 0.0
        self.error: TelegraphError | None = None

    async def make(self, quorum: Quorum, steps: list[tuple[str, float]]) -> None:
        try:
            async with Budget(quorum):
                for kind, seconds in steps:
                    began = now()
                    await self._step(kind, seconds)
                    self.charged += 0.0 if kind in {"here", "bcrypt"} else now() - began
        except TelegraphError as failure:
            self.error = failure

    async def _step(self, kind: str, seconds: float) -> None:
        self.directory.takes = seconds
        if kind == "bcrypt":
            with busy_elsewhere():
                await asyncio.sleep(seconds)
        elif kind in {"get", "here"}:
            await self.guarded.get("a", stale=kind == "here")
        else:
            impossible = [Unchanged("nothing", 5)] if kind == "commit in vain" else []
            await self.guarded.commit(impossible, [Put("a", b"1")])


@given(STEPS, st.none() | st.floats(0, 4))
def test_a_call_ends_in_time_and_is_told_truly_what_became_of_it(
    steps: list[tuple[str, float]], lost_at: float | None
) -> None:
    async def story(directory: Lazy, guarded: GuardedDirectory, quorum: Quorum) -> None:
        if lost_at is not None:
            asyncio.get_running_loop().call_later(lost_at, quorum.is_there, False)
        call = Call(directory, guarded)
        await call.make(quorum, steps)
        assert current() is None
        assert call.charged <= ANSWERED_WITHIN + 1e-6
        if call.error is None:
            return
        assert call.error.retry_after is not None
        assert isinstance(call.error, FateUnknown | DirectorySlow) or (type(call.error) is NoQuorum and quorum.lost)
        assert not isinstance(call.error, DirectorySlow) or directory.commits == 0
        assert lost_at is not None or now() >= ANSWERED_WITHIN - 1e-6

    told(story)


def test_while_the_quorum_is_lost_calls_are_refused_at_once_and_the_background_is_not() -> None:
    async def story(directory: Lazy, guarded: GuardedDirectory, quorum: Quorum) -> None:
        await guarded.commit([], [Put("a", b"1")])
        lease = await guarded.grant(10)
        quorum.is_there(False)
        takes_a_quorum: list[Callable[[], Awaitable[object]]] = [
            lambda: guarded.get("a"),
            lambda: guarded.scan(""),
            lambda: guarded.commit([], [Put("b", b"1")]),
            lambda: guarded.grant(10),
            lambda: guarded.keep_alive(lease),
            lambda: guarded.revoke(lease),
        ]
        for ask in takes_a_quorum:
            with pytest.raises(NoQuorum):
                async with bounded(quorum):
                    await ask()
        async with Budget(quorum):
            assert await guarded.get("a", stale=True) is not None
            assert len((await guarded.scan("", stale=True)).entries) == 1
        for ask in takes_a_quorum:
            await ask()
        async with bounded(None):
            assert await guarded.get("b") is not None
        assert directory.commits == 2
        await guarded.close()

    told(story)


@pytest.mark.parametrize(
    ("failure", "told_then"), [(NoQuorum(), DirectorySlow), (LeaseGone(), DirectorySlow), (FateUnknown(), FateUnknown)]
)
def test_only_a_commit_that_may_have_been_done_is_of_unknown_fate(
    failure: Exception, told_then: type[TelegraphError]
) -> None:
    async def fail_then_wait(directory: Lazy, guarded: GuardedDirectory, quorum: Quorum) -> None:
        directory.fails, directory.takes = [failure], 10
        async with Budget(quorum):
            with pytest.raises(type(failure)):
                await guarded.commit([], [Put("a", b"1")])
            await guarded.get("a")

    async def story(directory: Lazy, guarded: GuardedDirectory, quorum: Quorum) -> None:
        with pytest.raises(told_then):
            await fail_then_wait(directory, guarded, quorum)

    told(story)


def test_time_spent_before_counts_and_a_little_may_be_added_to_look_again() -> None:
    async def story(_directory: Lazy, _guarded: GuardedDirectory, quorum: Quorum) -> None:
        async with Budget(quorum, spent=1):
            assert waiting_until() == now() + DIRECTORY_WITHIN - 1
            allow_more(0.1)
            assert waiting_until() == now() + DIRECTORY_WITHIN - 1
            allow_more(0.7)
            assert waiting_until() == now() + 0.7
        assert waiting_until() == float("inf")
        allow_more(1)

    told(story)


def test_a_call_that_is_being_answered_is_cut_off_no_more_and_errors_of_its_own_are_its_own() -> None:
    async def story(_directory: Lazy, _guarded: GuardedDirectory, quorum: Quorum) -> None:
        async with Budget(quorum) as budget:
            budget.close()
            await asyncio.sleep(10)
        with pytest.raises(DirectoryUnavailable):
            async with Budget(quorum):
                raise DirectoryUnavailable
        with pytest.raises(TimeoutError):
            async with Budget(quorum), asyncio.timeout(0.1):
                await asyncio.sleep(1)

    told(story)
