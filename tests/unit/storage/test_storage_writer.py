import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegraph.errors import DataUnreadable, DiskFailed
from telegraph.storage.engine import sqlite3
from telegraph.storage.gathering import MAX_BATCH
from telegraph.storage.pace import TRUSTED, Pace
from telegraph.storage.schema import connect
from telegraph.storage.writer import Writer

Work = Callable[[sqlite3.Connection], int]
T = TypeVar("T")


class _Ledger:
    """A database with one table of words, its writer, and a record of the commits that SQLite was asked for."""

    def __init__(self, path: Path, pace: Pace | None = None) -> None:
        """``pace``: how quick the disk is taken to be, whatever it is."""
        self.path = path
        self.commits = 0
        self.writer = Writer(self._connect, "test-writer")
        if pace is not None:
            self.writer._pace = pace  # no disk is the same in each run

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self.path)
        connection.execute("CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY) STRICT")
        connection.set_trace_callback(self._trace)
        return connection

    def _trace(self, statement: str) -> None:
        self.commits += statement == "COMMIT"

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """A brief job."""
        return await self.writer.run(work, brief=True)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """What is handed in inside this block waits for its end, and so shares a commit."""
        release, entered = threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold(_: sqlite3.Connection) -> None:
            loop.call_soon_threadsafe(entered.set)
            release.wait()

        holder = asyncio.create_task(self.writer.run(hold))
        await entered.wait()
        try:
            yield
        finally:
            release.set()
            await holder

    def words(self) -> list[str]:
        """What another process would read."""
        reader = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            return [word for (word,) in reader.execute("SELECT word FROM words ORDER BY rowid")]
        finally:
            reader.close()


class _Always(Pace):
    """A disk that is quick, or slow, whatever it is."""

    def __init__(self, *, quick: bool) -> None:
        super().__init__()
        self._quick = quick

    @property
    def is_quick(self) -> bool:
        return self._quick


@pytest.fixture(params=[True, False], ids=["quick disk", "slow disk"])
async def ledger(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[_Ledger]:
    ledger = _Ledger(tmp_path / "ledger.sqlite3", _Always(quick=request.param))
    yield ledger
    await ledger.writer.close()


def _put(word: str) -> Work:
    return lambda db: db.execute("INSERT INTO words VALUES (?)", (word,)).rowcount


def _put_and_fail(word: str, error: BaseException) -> Work:
    def work(db: sqlite3.Connection) -> int:
        _put(word)(db)
        raise error

    return work


async def _hand_in(ledger: _Ledger, works: list[Work]) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(ledger.run(work)) for work in works]
    await asyncio.sleep(0)  # each task has put its job into the queue when it has run once
    return tasks


async def test_a_word_is_readable_by_others_once_its_writer_is_told_so(ledger: _Ledger) -> None:
    assert await ledger.run(_put("alice")) == 1
    assert ledger.words() == ["alice"]


async def test_what_was_acknowledged_is_there_after_the_database_is_opened_again(ledger: _Ledger) -> None:
    await ledger.run(_put("alice"))
    await ledger.writer.close()
    reopened = _Ledger(ledger.path)
    await reopened.run(_put("bob"))
    await reopened.writer.close()
    assert reopened.words() == ["alice", "bob"]


async def test_jobs_that_arrive_while_one_runs_share_one_commit(ledger: _Ledger) -> None:
    async with ledger.held():
        tasks = await _hand_in(ledger, [_put(str(number)) for number in range(50)])
    await asyncio.gather(*tasks)
    assert ledger.commits == 2, "one for the job that ran, one for the fifty that waited"
    assert ledger.words() == [str(number) for number in range(50)]


async def test_no_commit_holds_more_than_a_full_batch(ledger: _Ledger) -> None:
    async with ledger.held():
        tasks = await _hand_in(ledger, [_put(str(number)) for number in range(MAX_BATCH + 1)])
    await asyncio.gather(*tasks)
    assert ledger.commits == 3


async def test_results_come_in_the_order_of_the_calls(ledger: _Ledger) -> None:
    order: list[int] = []

    async def call(number: int) -> None:
        await ledger.run(lambda _: number)
        order.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(call(number))
    assert order == list(range(100))


async def test_nobody_is_told_before_the_commit_that_makes_it_true(ledger: _Ledger) -> None:
    seen: list[list[str]] = []
    async with ledger.held():
        tasks = await _hand_in(ledger, [_put("alice"), _put("bob")])
        tasks[0].add_done_callback(lambda _: seen.append(ledger.words()))
        assert not any(task.done() for task in tasks)
    await asyncio.gather(*tasks)
    assert seen == [["alice", "bob"]]


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("no"), DataUnreadable(detail="no")])
async def test_a_job_that_raises_undoes_only_itself(ledger: _Ledger, error: Exception) -> None:
    async with ledger.held():
        tasks = await _hand_in(ledger, [_put("alice"), _put_and_fail("mallory", error), _put("bob")])
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [results[0], results[2]] == [1, 1]
    assert results[1] is error
    assert ledger.words() == ["alice", "bob"]


async def test_a_job_that_violates_the_schema_undoes_only_itself_and_hears_why(ledger: _Ledger) -> None:
    async with ledger.held():
        tasks = await _hand_in(ledger, [_put("alice"), _put("alice"), _put("bob")])
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], sqlite3.IntegrityError)
    assert ledger.words() == ["alice", "bob"]


async def test_a_job_that_runs_out_of_an_iterator_hurts_nobody_else(ledger: _Ledger) -> None:
    # A future refuses StopIteration; those behind it in the batch must be woken all the same.
    async with ledger.held():
        tasks = await _hand_in(ledger, [_put_and_fail("mallory", StopIteration()), _put("bob")])
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], RuntimeError)
    assert results[1] == 1
    assert ledger.words() == ["bob"]


async def test_a_full_disk_is_told_to_every_caller_of_the_batch_and_nothing_is_kept(ledger: _Ledger) -> None:
    def fill(db: sqlite3.Connection) -> int:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count={pages}")
        return db.execute("INSERT INTO words VALUES (?)", ("x" * 1_000_000,)).rowcount

    async with ledger.held():
        tasks = await _hand_in(ledger, [_put("alice"), fill, _put("bob")])
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [DiskFailed] * 3
    assert "disk is full" in str(results[0])
    assert "make room" in str(results[0])
    assert ledger.words() == []
    await ledger.run(lambda db: db.execute("PRAGMA max_page_count=1000000").fetchone())
    assert await ledger.run(_put("carol")) == 1, "the writer goes on once there is room again"
    assert ledger.words() == ["carol"]


async def test_a_commit_that_fails_is_told_to_every_caller_and_the_writer_goes_on(ledger: _Ledger) -> None:
    await ledger.run(lambda db: db.execute("CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT").rowcount)
    await ledger.run(lambda db: db.execute("CREATE TABLE b (a REFERENCES a DEFERRABLE INITIALLY DEFERRED)").rowcount)
    async with ledger.held():
        orphan: Work = lambda db: db.execute("INSERT INTO b VALUES (7)").rowcount  # noqa: E731 - one of a list of jobs
        tasks = await _hand_in(ledger, [_put("alice"), orphan])
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [DiskFailed] * 2
    assert await ledger.run(_put("bob")) == 1
    assert ledger.words() == ["bob"]


async def test_closing_finishes_what_was_handed_in(ledger: _Ledger) -> None:
    async with ledger.held():
        tasks = await _hand_in(ledger, [_put("alice"), _put("bob")])
        closing = asyncio.create_task(ledger.writer.close())
        await asyncio.sleep(0)
    await closing
    assert [await task for task in tasks] == [1, 1]
    assert ledger.words() == ["alice", "bob"]


async def test_a_closed_writer_takes_nothing_more_and_may_be_closed_again(ledger: _Ledger) -> None:
    await ledger.writer.close()
    with pytest.raises(DataUnreadable):
        await ledger.run(_put("alice"))
    await ledger.writer.close()
    assert ledger.words() == []


def _put_all(db: sqlite3.Connection, words: Sequence[str]) -> list[str]:
    db.executemany("INSERT INTO words VALUES (?)", [(word,) for word in words])
    return [f"{word} of {len(words)}" for word in words]


async def test_neighbours_that_can_be_done_together_are_one_job(ledger: _Ledger) -> None:
    loop = asyncio.get_running_loop()
    async with ledger.held():
        first = [ledger.writer.run_together(_put_all, word, loop) for word in ("alice", "bob")]
        between = asyncio.create_task(ledger.run(_put("carol")))
        await asyncio.sleep(0)
        last = ledger.writer.run_together(_put_all, "dave", loop)
    assert await asyncio.gather(*first, last) == ["alice of 2", "bob of 2", "dave of 1"]
    await between
    assert ledger.words() == ["alice", "bob", "carol", "dave"]


async def test_one_who_asks_nonsense_fails_alone_also_among_those_done_together(ledger: _Ledger) -> None:
    loop = asyncio.get_running_loop()
    async with ledger.held():
        jobs = [ledger.writer.run_together(_put_all, word, loop) for word in ("alice", "bob", "alice", "carol")]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [results[0], results[1], results[3]] == ["alice of 1", "bob of 1", "carol of 1"]
    assert isinstance(results[2], sqlite3.IntegrityError)
    assert ledger.words() == ["alice", "bob", "carol"]


async def test_what_may_come_later_rides_with_the_next_commit_in_its_place(ledger: _Ledger) -> None:
    later = ledger.writer.run_later(_put("alice"))
    await asyncio.sleep(0)
    assert not later.done()
    assert await ledger.run(_put("bob")) == 1
    assert later.done()
    assert ledger.words() == ["alice", "bob"]
    assert ledger.commits == 1


async def test_who_rides_with_what_may_come_later_is_neither_kept_waiting_nor_told_after_it(tmp_path: Path) -> None:
    ledger = _Ledger(tmp_path / "words.sqlite3", _Always(quick=True))
    loop = asyncio.get_running_loop()
    told: list[str] = []
    for number in range(2):  # the second time one such batch has gone before
        later = ledger.writer.run_later(_put(f"later {number}"))
        hurried = ledger.writer.run_together(_put_all, f"now {number}", loop)
        later.add_done_callback(lambda _: told.append("later"))
        hurried.add_done_callback(lambda _: told.append("now"))
        await asyncio.sleep(0)
        assert ledger.commits == number + 1  # after one turn: who is alone in a hurry waits for no company
        await asyncio.gather(later, hurried)
    assert told == ["now", "later"] * 2
    await ledger.writer.close()


async def test_what_may_come_later_is_written_even_if_nothing_else_ever_is(ledger: _Ledger) -> None:
    async with asyncio.timeout(5):
        await ledger.writer.run_later(_put("alice"))
    assert ledger.words() == ["alice"]


async def test_what_came_later_while_a_commit_ran_is_written_even_if_nothing_else_ever_is(ledger: _Ledger) -> None:
    async with asyncio.timeout(5):
        async with ledger.held():
            later = ledger.writer.run_later(_put("alice"))
        await later
        await ledger.writer.run_later(_put("bob"))
    assert ledger.words() == ["alice", "bob"]


async def test_closing_writes_what_might_have_come_later(ledger: _Ledger) -> None:
    later = ledger.writer.run_later(_put("alice"))
    await ledger.writer.close()
    assert await later == 1
    assert ledger.words() == ["alice"]


async def test_half_goes_into_a_commit_where_messages_come_back(ledger: _Ledger) -> None:
    ledger.writer.under_way = lambda: 0
    async with ledger.held():
        tasks = await _hand_in(ledger, [_put(str(number)) for number in range(64)])
    await asyncio.gather(*tasks)
    assert ledger.commits == 4, "one for the job that ran, then 32, 16 and 16"
    assert ledger.words() == [str(number) for number in range(64)]


async def test_callers_who_are_woken_together_share_their_next_commit(ledger: _Ledger) -> None:
    await asyncio.gather(*(ledger.run(_put(str(number))) for number in range(20)))
    before = ledger.commits
    await asyncio.gather(*(ledger.run(_put(f"again {number}")) for number in range(20)))
    assert ledger.commits == before + 1


async def test_a_caller_who_gives_up_waiting_takes_nobody_with_them(ledger: _Ledger) -> None:
    async with ledger.held():
        tasks = await _hand_in(ledger, [_put("alice"), _put("bob")])
        tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1] == 1
    assert ledger.words() == ["alice", "bob"], "it was handed in, so it is written"


def test_a_database_that_cannot_be_opened_is_told_at_once() -> None:
    with pytest.raises(DataUnreadable):
        Writer(lambda: connect(Path("/nonexistent/ledger.sqlite3")), "test-writer")


async def test_callers_in_two_event_loops_each_get_their_own_answer(ledger: _Ledger) -> None:
    def elsewhere() -> int:
        return asyncio.run(ledger.run(_put("bob")))

    async with asyncio.timeout(10):
        both = await asyncio.gather(ledger.run(_put("alice")), asyncio.to_thread(elsewhere))
    assert list(both) == [1, 1]


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=30))
def test_a_batch_is_as_good_as_one_job_after_the_other(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bool]]
) -> None:
    """Duplicates and raising jobs are refused one by one; the rest is there, in order."""

    async def story() -> list[str]:
        ledger = _Ledger(tmp_path_factory.mktemp("batch") / "ledger.sqlite3")
        works = [_put_and_fail(word, ValueError("no")) if fails else _put(word) for word, fails in steps]
        async with ledger.held():
            tasks = await _hand_in(ledger, works)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await ledger.writer.close()
        assert [result == 1 for result in results] == expected
        return ledger.words()

    model: list[str] = []
    expected = []
    for word, fails in steps:
        expected.append(not fails and word not in model)
        model += [word] if expected[-1] else []
    assert asyncio.run(story()) == model


def _where(_: sqlite3.Connection) -> str:
    return threading.current_thread().name


async def test_the_event_loop_does_what_is_brief_where_the_disk_is_quick_and_the_thread_all_else(
    tmp_path: Path,
) -> None:
    here = threading.current_thread().name
    quick, slow = (_Ledger(tmp_path / str(is_quick), _Always(quick=is_quick)) for is_quick in (True, False))
    assert await quick.run(_where) == here
    assert await quick.writer.run(_where) == "test-writer", "it may take long"
    assert await quick.run(_where) == here
    assert await slow.run(_where) == "test-writer"
    await asyncio.gather(quick.writer.close(), slow.writer.close())


async def test_where_it_is_done_changes_nothing_of_order_and_what_is_written(tmp_path: Path) -> None:
    class _Moody(Pace):
        is_quick = property(lambda _: next(moods))

    moods = cycle([True, False, False, True, True])
    ledger, order = _Ledger(tmp_path / "ledger.sqlite3", _Moody()), list[int]()

    async def caller(first: int) -> None:
        for number in range(first, 300, 3):
            await ledger.writer.run(_put(str(number)), brief=number % 7 > 0)
            order.append(number)

    await asyncio.gather(*(caller(first) for first in range(3)))
    await ledger.writer.close()
    assert ledger.words() == [str(number) for number in order]
    assert sorted(order) == list(range(300))


async def test_a_disk_is_waited_for_once_it_was_quick_for_a_while(tmp_path: Path) -> None:
    ledger = _Ledger(tmp_path / "ledger.sqlite3")
    before = [await ledger.run(_where) for _ in range(TRUSTED)]
    assert set(before) == {"test-writer"}
    await ledger.writer.close()


async def test_two_event_loops_may_write(tmp_path: Path) -> None:
    ledger = _Ledger(tmp_path / "ledger.sqlite3", _Always(quick=True))

    async def write(who: str) -> None:
        for number in range(50):
            await ledger.run(_put(f"{who} {number}"))

    await asyncio.gather(write("alice"), asyncio.to_thread(lambda: asyncio.run(write("bob"))))
    await ledger.writer.close()
    for who in ("alice", "bob"):
        assert [word for word in ledger.words() if word.startswith(who)] == [f"{who} {number}" for number in range(50)]
