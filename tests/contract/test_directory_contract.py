"""What every directory does alike. etcd is a real one; its revisions go on from test to test, so they are counted."""

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import ClassVar, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from telegraph.directory.etcd.calls import COMPACT
from telegraph.directory.etcd.client import EtcdClient
from telegraph.directory.etcd.directory import EtcdDirectory
from telegraph.directory.etcd.rpc_pb2 import CompactionRequest
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import (
    Change,
    Delete,
    Directory,
    Entry,
    FreezableDirectory,
    Frozen,
    HistoryGone,
    LeaseGone,
    Put,
    Unchanged,
)
from telegraph.directory.sqlite import SqliteDirectory
from telegraph.errors import DirectoryUnavailable
from telegraph.testing.etcd import EtcdCluster

Make = Callable[[Path, int], FreezableDirectory]


class ETCD:
    """Where the member is that the fixture started."""

    addresses: ClassVar[list[str]] = []


KINDS: dict[str, Make] = {
    "memory": lambda _path, kept: MemoryDirectory(kept),
    "sqlite": lambda path, kept: SqliteDirectory(path / "directory.sqlite3", kept),
    "etcd": lambda _path, _kept: EtcdDirectory(EtcdClient(ETCD.addresses), f"/{uuid.uuid4()}/"),
}


@pytest.fixture(scope="module")
def started(etcd: EtcdCluster) -> None:
    ETCD.addresses = etcd.addresses


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "etcd":
        request.getfixturevalue("started")
    return KINDS[request.param]


@pytest.fixture
async def directory(make: Make, tmp_path: Path) -> AsyncIterator[FreezableDirectory]:
    made = make(tmp_path, 1000)
    yield made
    await made.close()


@pytest.fixture
async def begin(directory: Directory) -> int:
    """The revision before the test's first commit."""
    return (await directory.scan("")).revision


async def forget(directory: Directory, upto: int) -> None:
    """Nothing up to this revision is kept any more; the others forget by themselves."""
    if isinstance(directory, EtcdDirectory):
        await directory.client.call(COMPACT, CompactionRequest(revision=upto, physical=True))


@pytest.fixture
def shortest() -> float:
    """The shortest lease that there is, in seconds; etcd's are longer than what is asked for."""
    return 0.05


async def first(directory: Directory, prefix: str, after: int, count: int) -> list[Change]:
    changes: list[Change] = []
    async with aclosing(_generator(directory, prefix, after)) as watch:
        async for change in watch:
            changes.append(change)
            if len(changes) == count:
                break
    return changes


def _generator(directory: Directory, prefix: str, after: int) -> "_Closable":
    return cast("_Closable", directory.watch(prefix, after=after))


class _Closable(AsyncIterator[Change]):
    def aclose(self) -> Awaitable[object]:
        raise NotImplementedError


async def test_what_is_put_can_be_read(directory: Directory) -> None:
    revision = await directory.commit([], [Put("name/alice", b"1")])
    assert revision is not None
    assert await directory.get("name/alice") == Entry("name/alice", b"1", revision)
    assert await directory.get("name/bob") is None


async def test_a_frozen_directory_is_read_as_it_was_page_by_page_and_more_than_once(
    directory: FreezableDirectory,
) -> None:
    names = [f"name/{number:04}" for number in range(1100)]
    for at in range(0, 1100, 100):
        await directory.commit([], [Put(name, name.encode()) for name in names[at : at + 100]])
    await directory.commit([], [Put("other", b"1", await directory.grant(60.0))])
    before = await directory.scan("")
    async with directory.frozen() as frozen:
        assert frozen.revision == before.revision
        await directory.commit([], [Delete(names[0]), Put(names[7], b"changed"), Put("name/new", b"new")])
        first = await pages(frozen)
        await directory.commit([], [Put("name/newer", b"newer")])
        assert [entry for page in first for entry in page] == list(before.entries)
        assert await pages(frozen) == first
        assert max(map(len, first)) <= 500
        assert [entry.key for page in await pages(frozen, "name/") for entry in page] == names
    assert len((await directory.scan("name/")).entries) == 1101


async def pages(frozen: Frozen, prefix: str = "") -> list[list[Entry]]:
    return [list(page) async for page in frozen.pages(prefix)]


async def test_an_empty_directory_is_frozen_too(directory: FreezableDirectory, begin: int) -> None:
    async with directory.frozen() as frozen:
        assert (frozen.revision, sum(map(len, await pages(frozen)))) == (begin, 0)


async def test_a_moment_that_etcd_has_forgotten_is_called_so(directory: FreezableDirectory) -> None:
    await directory.commit([], [Put("k", b"1")])
    async with directory.frozen() as frozen:
        later = await directory.commit([], [Put("k", b"2")])
        assert later is not None
        await forget(directory, later)
        if isinstance(directory, EtcdDirectory):
            with pytest.raises(HistoryGone):
                await pages(frozen)
        else:
            assert [entry.value for page in await pages(frozen) for entry in page] == [b"1"]


async def test_every_commit_gets_a_greater_revision(directory: Directory) -> None:
    revisions = [await directory.commit([], [Put("k", bytes([n]))]) for n in range(5)]
    assert revisions == sorted(set(cast("list[int]", revisions)))


async def test_only_one_of_two_creates_succeeds(directory: Directory) -> None:
    results = await asyncio.gather(
        *(directory.commit([Unchanged("name/alice", 0)], [Put("name/alice", bytes([n]))]) for n in range(10))
    )
    winners = [number for number, revision in enumerate(results) if revision is not None]
    assert len(winners) == 1
    entry = await directory.get("name/alice")
    assert entry is not None
    assert entry.value == bytes(winners)


async def test_of_many_commits_at_once_each_has_its_own_outcome(directory: Directory, begin: int) -> None:
    taken = {"name/3", "name/5"}
    await directory.commit([], [Put(key, b"before") for key in sorted(taken)])
    keys = [f"name/{number}" for number in range(8)]
    results = await asyncio.gather(
        *(directory.commit([Unchanged(key, 0)], [Put(key, b"1"), Put(f"account/{key}", b"1")]) for key in keys),
        *(directory.commit([], [Put("counter", bytes([number]))]) for number in range(4)),
    )
    assert {key for key, revision in zip(keys, results, strict=False) if revision is None} == taken
    for key, revision in zip(keys, results, strict=False):
        entry = await directory.get(f"account/{key}")
        assert (entry.revision if entry else None) == revision
    told = await first(directory, "", begin, 2 + 2 * 6 + 4)
    assert [change.revision for change in told] == sorted(change.revision for change in told)
    assert [change.key for change in told].count("counter") == 4


async def test_a_lease_that_is_gone_fails_its_own_commit_only(directory: Directory) -> None:
    results = await asyncio.gather(
        *(directory.commit([], [Put(f"attached/{n}", b"1", 123_456 if n == 2 else 0)]) for n in range(4)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [int, int, LeaseGone, int]
    assert await directory.get("attached/2") is None


async def test_a_failed_condition_writes_nothing(directory: Directory) -> None:
    revision = await directory.commit([], [Put("a", b"1"), Put("b", b"1")])
    assert revision is not None
    await directory.commit([], [Put("b", b"2")])
    conditions = [Unchanged("a", revision), Unchanged("b", revision)]
    assert await directory.commit(conditions, [Put("a", b"9"), Delete("b"), Put("c", b"9")]) is None
    assert [(entry.key, entry.value) for entry in (await directory.scan("")).entries] == [("a", b"1"), ("b", b"2")]


async def test_conditions_hold_for_keys_that_are_not_written(directory: Directory) -> None:
    revision = await directory.commit([], [Put("session", b"1")])
    assert revision is not None
    assert await directory.commit([Unchanged("session", revision)], [Put("presence", b"on")]) is not None
    await directory.commit([], [Delete("session")])
    assert await directory.commit([Unchanged("session", revision)], [Put("presence", b"again")]) is None


async def test_a_key_that_was_deleted_can_be_created_again(directory: Directory) -> None:
    await directory.commit([], [Put("a", b"1")])
    await directory.commit([], [Delete("a")])
    assert await directory.get("a") is None
    assert await directory.commit([Unchanged("a", 0)], [Put("a", b"2")]) is not None


async def test_a_commit_that_changes_nothing_gives_the_present_revision(directory: Directory) -> None:
    revision = await directory.commit([], [Put("a", b"1")])
    assert await directory.commit([], [Delete("not there")]) == revision
    assert await directory.commit([Unchanged("a", cast("int", revision))], []) == revision


async def test_a_key_may_not_be_written_twice(directory: Directory) -> None:
    with pytest.raises(ValueError, match="twice"):
        await directory.commit([], [Put("a", b"1"), Delete("a")])


@pytest.mark.parametrize("key", ["", "é", "a\nb", "a\x7f"])
async def test_keys_are_printable_ascii(directory: Directory, key: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        await directory.commit([], [Put(key, b"")])


async def test_scans_give_the_keys_below_a_prefix_in_order(directory: Directory) -> None:
    names = ["a/2", "b", "a/1", "a~", "a/1/x", "a"]
    await directory.commit([], [Put(name, name.encode()) for name in names])
    snapshot = await directory.scan("a/")
    assert [entry.key for entry in snapshot.entries] == ["a/1", "a/1/x", "a/2"]
    assert [entry.key for entry in (await directory.scan("a/", limit=2)).entries] == ["a/1", "a/1/x"]
    assert snapshot.revision == max(entry.revision for entry in snapshot.entries)
    assert len((await directory.scan("")).entries) == len(names)


async def test_a_scan_of_many_is_of_one_moment(directory: Directory) -> None:
    names = [f"many/{number:04}" for number in range(1200)]

    async def write(value: bytes) -> None:
        assert await directory.commit([], [Put(name, value) for name in names[:600]]) is not None
        assert await directory.commit([], [Put(name, value) for name in names[600:]]) is not None

    await write(b"0")
    writing = asyncio.ensure_future(write(b"1"))
    while not writing.done():
        snapshot = await directory.scan("many/")
        assert [entry.key for entry in snapshot.entries] == names
        halves = [{entry.value for entry in half} for half in (snapshot.entries[:600], snapshot.entries[600:])]
        assert halves in ([{b"0"}, {b"0"}], [{b"1"}, {b"0"}], [{b"1"}, {b"1"}])
        await asyncio.sleep(0)
    assert len((await directory.scan("many/", limit=700)).entries) == 700


async def test_a_watch_hears_what_happens_later(directory: Directory, begin: int) -> None:
    hearing = asyncio.create_task(first(directory, "", begin, 2))
    await asyncio.sleep(0)
    one = await directory.commit([], [Put("a", b"1")])
    two = await directory.commit([], [Delete("a")])
    assert await hearing == [Change("a", b"1", cast("int", one)), Change("a", None, cast("int", two))]


async def test_a_watch_resumes_where_it_ended_deletes_too(directory: Directory, begin: int) -> None:
    await directory.commit([], [Put("a", b"1"), Put("b", b"1"), Put("c", b"1")])
    seen = (await first(directory, "", begin, 3))[-1].revision
    await directory.commit([], [Delete("a")])
    await directory.commit([], [Put("b", b"2")])
    await directory.commit([], [Put("a", b"3")])
    later = await first(directory, "", seen, 3)
    assert [(change.key, change.value) for change in later] == [("a", None), ("b", b"2"), ("a", b"3")]


async def test_a_watch_hears_only_its_prefix(directory: Directory, begin: int) -> None:
    await directory.commit([], [Put("presence/alice", b"1"), Put("session/x", b"1")])
    await directory.commit([], [Put("session/y", b"1")])
    await directory.commit([], [Put("presence/bob", b"1")])
    assert [change.key for change in await first(directory, "presence/", begin, 2)] == [
        "presence/alice",
        "presence/bob",
    ]


async def test_a_watch_leaves_nothing_out_of_many_changes(directory: Directory, begin: int) -> None:
    hearing = asyncio.create_task(first(directory, "k/", begin, 900))
    for number in range(30):
        await directory.commit([], [Put(f"k/{place:02}", bytes([number])) for place in range(30)])
    changes = await hearing
    assert [(change.key, change.value) for change in changes] == [
        (f"k/{place:02}", bytes([number])) for number in range(30) for place in range(30)
    ]


async def test_a_watch_from_before_the_kept_history_says_so(make: Make, tmp_path: Path) -> None:
    directory = make(tmp_path, 4)
    begin = (await directory.scan("")).revision
    for number in range(16):
        await directory.commit([], [Put("a", bytes([number]))])
    await forget(directory, begin + 12)
    with pytest.raises(HistoryGone):
        await first(directory, "", begin + 2, 1)
    assert (await first(directory, "", begin + 15, 1))[0].value == bytes([15])
    await directory.close()


async def test_a_watch_that_hears_nothing_does_not_fall_behind_the_history(make: Make, tmp_path: Path) -> None:
    directory = make(tmp_path, 4)
    begin = (await directory.scan("")).revision
    async with aclosing(_generator(directory, "quiet/", begin)) as watch:
        await directory.commit([], [Put("quiet/a", b"1")])
        assert (await anext(watch)).key == "quiet/a"
        hearing = asyncio.ensure_future(anext(watch))
        for number in range(16):
            await directory.commit([], [Put("loud", bytes([number]))])
            await asyncio.sleep(0)
        await forget(directory, begin + 12)
        await directory.commit([], [Put("quiet/b", b"1")])
        assert (await hearing).key == "quiet/b"
    await directory.close()


async def test_keys_of_a_lease_vanish_when_it_is_revoked_in_one_commit_that_watches_hear(directory: Directory) -> None:
    lease = await directory.grant(60)
    revision = await directory.commit([], [Put("b", b"1", lease), Put("a", b"1", lease), Put("c", b"1")])
    assert await directory.get("a") == Entry("a", b"1", cast("int", revision), lease)
    assert [entry.lease for entry in (await directory.scan("")).entries] == [lease, lease, 0]
    hearing = asyncio.create_task(first(directory, "", cast("int", revision), 2))
    await directory.revoke(lease)
    then = cast("int", revision) + 1
    assert await hearing == [Change("a", None, then), Change("b", None, then)]
    assert [entry.key for entry in (await directory.scan("")).entries] == ["c"]
    assert await directory.commit([Unchanged("a", 0)], [Put("a", b"2")]) == then + 1


async def test_a_lease_that_nobody_renews_runs_out_and_watches_hear_it(directory: Directory, shortest: float) -> None:
    lease = await directory.grant(shortest)
    revision = await directory.commit([], [Put("a", b"1", lease), Put("b", b"1")])
    assert await first(directory, "", cast("int", revision), 1) == [Change("a", None, cast("int", revision) + 1)]
    assert await directory.get("a") is None
    with pytest.raises(LeaseGone):
        await directory.keep_alive(lease)
    with pytest.raises(LeaseGone):
        await directory.commit([], [Put("c", b"1"), Put("a", b"2", lease)])
    assert [entry.key for entry in (await directory.scan("")).entries] == ["b"]


async def test_a_lease_that_is_renewed_stays(directory: Directory, shortest: float) -> None:
    kept, forgotten = await directory.grant(shortest), await directory.grant(shortest)
    revision = cast("int", await directory.commit([], [Put("kept", b"1", kept), Put("forgotten", b"1", forgotten)]))
    gone = asyncio.create_task(first(directory, "", revision, 1))
    while not gone.done():
        assert await directory.keep_alive(kept) >= shortest
        await asyncio.wait([gone], timeout=shortest / 4)
    assert [change.key for change in await gone] == ["forgotten"]
    assert await directory.get("kept") is not None
    await directory.revoke(kept)  # else it would run out in the middle of another test, whose revisions are counted


async def test_a_key_that_is_written_without_its_lease_outlives_it(directory: Directory) -> None:
    lease, other = await directory.grant(60), await directory.grant(60)
    await directory.commit([], [Put("freed", b"1", lease), Put("moved", b"1", lease)])
    await directory.commit([], [Put("freed", b"2"), Put("moved", b"2", other)])
    await directory.revoke(lease)
    assert [(entry.key, entry.lease) for entry in (await directory.scan("")).entries] == [
        ("freed", 0),
        ("moved", other),
    ]
    await directory.revoke(other)
    assert [entry.key for entry in (await directory.scan("")).entries] == ["freed"]


async def test_a_lease_that_never_was_can_be_revoked_but_not_used(directory: Directory) -> None:
    await directory.revoke(4711)
    with pytest.raises(LeaseGone):
        await directory.keep_alive(4711)
    with pytest.raises(LeaseGone):
        await directory.commit([], [Put("a", b"1", 4711)])
    assert (await directory.scan("")).entries == ()


async def test_revoking_an_empty_lease_is_no_change(directory: Directory) -> None:
    before = await directory.commit([], [Put("a", b"1")])
    lease = await directory.grant(60)
    await directory.revoke(lease)
    await directory.revoke(lease)
    assert (await directory.scan("")).revision == before


async def test_a_stale_read_shows_what_there_is(directory: Directory) -> None:
    await directory.commit([], [Put("a", b"1"), Put("b", b"1")])
    entry = await directory.get("a", stale=True)
    assert entry is not None
    assert entry == await directory.get("a")
    assert await directory.scan("", limit=1, stale=True) == await directory.scan("", limit=1)


async def test_closing_ends_watches_and_refuses_the_rest(directory: Directory, begin: int) -> None:
    hearing = asyncio.create_task(first(directory, "", begin, 1))
    await asyncio.sleep(0)
    await directory.close()
    await directory.close()
    assert await hearing == []
    with pytest.raises(DirectoryUnavailable):
        await directory.get("a")
    with pytest.raises(DirectoryUnavailable):
        await directory.scan("a")
    with pytest.raises(DirectoryUnavailable):
        await directory.commit([], [Put("a", b"")])


KEYS = st.sampled_from(["a", "a/", "a/b", "a/c", "b", "~"])
VALUES = st.binary(max_size=4)
WRITES = st.lists(st.builds(Put, KEYS, VALUES) | st.builds(Delete, KEYS), max_size=4, unique_by=lambda write: write.key)


class DirectoryMachine(RuleBasedStateMachine):
    """Random transactions against a plain dict; afterwards a watch must tell the same story."""

    make: Make

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.directory = self.loop.run_until_complete(self._open())
        self.model: dict[str, tuple[bytes, int]] = {}
        self.story: list[Change] = []
        self.begin = self.revision = self.loop.run_until_complete(self.directory.scan("")).revision

    async def _open(self) -> Directory:
        return type(self).make(Path(self.folder.name), 1000)

    def _commit(self, conditions: list[Unchanged], writes: list[Put | Delete]) -> int | None:
        return self.loop.run_until_complete(self.directory.commit(conditions, writes))

    @rule(keys=st.lists(KEYS, max_size=3), off=st.integers(0, 1), writes=WRITES)
    def commit(self, keys: list[str], off: int, writes: list[Put | Delete]) -> None:
        conditions = [Unchanged(key, self.model.get(key, (b"", 0))[1] + off) for key in keys]
        revision = self._commit(conditions, writes)
        if off and keys:
            assert revision is None
            return
        changes = [write for write in writes if isinstance(write, Put) or write.key in self.model]
        self.revision += bool(changes)
        assert revision == self.revision
        for write in changes:
            value = write.value if isinstance(write, Put) else None
            self.story.append(Change(write.key, value, self.revision))
            self.model.pop(write.key, None)
            if value is not None:
                self.model[write.key] = (value, self.revision)

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        entry = self.loop.run_until_complete(self.directory.get(key))
        assert (entry and (entry.value, entry.revision)) == self.model.get(key)

    @rule(prefix=KEYS, after=st.integers(0, 20))
    def watch(self, prefix: str, after: int) -> None:
        after += self.begin
        expected = [change for change in self.story if change.key.startswith(prefix) and change.revision > after]
        heard = self.loop.run_until_complete(first(self.directory, prefix, after, len(expected))) if expected else []
        assert heard == expected

    @invariant()
    def snapshot_is_the_model(self) -> None:
        snapshot = self.loop.run_until_complete(self.directory.scan(""))
        assert snapshot.revision == self.revision
        assert [(entry.key, entry.value, entry.revision) for entry in snapshot.entries] == [
            (key, *self.model[key]) for key in sorted(self.model)
        ]

    def teardown(self) -> None:
        self.loop.run_until_complete(self.directory.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()


class MemoryMachine(DirectoryMachine):
    make = staticmethod(KINDS["memory"])


class SqliteMachine(DirectoryMachine):
    make = staticmethod(KINDS["sqlite"])


class EtcdMachine(DirectoryMachine):
    make = staticmethod(KINDS["etcd"])


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestSqliteMachine = SqliteMachine.TestCase
TestSqliteMachine.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
TestEtcdMachine = pytest.mark.usefixtures("started")(EtcdMachine.TestCase)
TestEtcdMachine.settings = settings(max_examples=10, stateful_step_count=15, deadline=None)
