"""The directory on three real members with mutual TLS, while they are killed, stopped and exchanged."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest

from telegraph.directory.election import Election, Leadership
from telegraph.directory.etcd.channels import EtcdTls
from telegraph.directory.etcd.client import EtcdClient, Patience
from telegraph.directory.etcd.directory import EtcdDirectory
from telegraph.directory.etcd.members import Members
from telegraph.directory.port import Change, Put, Unchanged
from telegraph.errors import (
    DirectoryRefused,
    DirectoryUnavailable,
    DirectoryUnreachable,
    FateUnknown,
    LearnerBehind,
    MemberExists,
    MembersUnsettled,
    NoQuorum,
    UnknownMember,
)
from telegraph.testing.etcd import EtcdCa, EtcdCluster, EtcdMember

BRIEF = Patience(budget=0.4)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdCluster]:
    with EtcdCluster(tmp_path_factory.mktemp("cluster"), 3, secure=True) as cluster:
        yield cluster


@pytest.fixture
def cluster(running: EtcdCluster) -> Iterator[EtcdCluster]:
    """Three members; whatever a test does to them, the next finds them well."""
    yield running
    for member in running.members:
        if member.running:
            member.signal(signal.SIGCONT)
    running.start()


def open_directory(cluster: EtcdCluster, name: str, first: EtcdMember | None = None) -> EtcdDirectory:
    """A directory with keys of its own, that asks one member before the others."""
    addresses = sorted(cluster.addresses, key=lambda address: first is None or address != first.address)
    return EtcdDirectory(EtcdClient(addresses, cluster.tls), f"/{name}/")


async def leader_of(cluster: EtcdCluster, directory: EtcdDirectory) -> EtcdMember:
    members = Members(directory.client)
    statuses = {member.name: await members.status(member.address) for member in cluster.members}
    (leader,) = (member for member in cluster.members if statuses[member.name].member_id == statuses["m0"].leader)
    return leader


class Writer:
    """Creates one key after the other, and remembers what it was told of each."""

    def __init__(self, directory: EtcdDirectory, name: str) -> None:
        self.directory, self.name = directory, name
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()
        self.unknown: set[str] = set()
        self.task = asyncio.ensure_future(self._write())

    async def _write(self) -> None:
        for number in range(1_000_000):
            key = f"{self.name}/{number}"
            try:
                assert await self.directory.commit([Unchanged(key, 0)], [Put(key, b"1")]) is not None
            except FateUnknown:
                self.unknown.add(key)
            except DirectoryUnavailable:
                self.refused.add(key)
            else:
                self.acknowledged.add(key)

    async def until(self, more: int) -> None:
        """Until so many more were acknowledged."""
        wanted = len(self.acknowledged) + more
        while len(self.acknowledged) < wanted:
            await self.directory.get("x", stale=True)


async def test_no_acknowledged_commit_is_lost_when_the_leader_is_killed(cluster: EtcdCluster) -> None:
    directory = open_directory(cluster, "kill")
    leader = await leader_of(cluster, directory)
    writers = [Writer(directory, f"w{number}") for number in range(8)]
    clock = asyncio.get_running_loop().time
    await writers[0].until(20)
    leader.kill()
    killed = clock()
    await asyncio.gather(*(writer.until(20) for writer in writers))
    assert clock() - killed < 8
    for writer in writers:
        writer.task.cancel()
    await asyncio.wait([writer.task for writer in writers])
    stored = {entry.key for entry in (await directory.scan("")).entries}
    for writer in writers:
        mine = {key for key in stored if key.startswith(f"{writer.name}/")}
        assert writer.acknowledged <= mine
        assert writer.refused & mine == set()
        assert len(mine - writer.acknowledged - writer.unknown) <= 1  # the one that was under way at the end
    assert len(stored) > 300
    await directory.close()


@pytest.mark.parametrize("stale", [False, True])
async def test_reads_go_on_within_a_second_while_a_member_hangs(cluster: EtcdCluster, stale: bool) -> None:
    looking = open_directory(cluster, "hang")
    leader = await leader_of(cluster, looking)
    victim = leader if stale else next(member for member in cluster.members if member is not leader)
    await looking.close()
    directory = open_directory(cluster, "hang", first=victim)
    await directory.commit([], [Put("a", b"1")])
    clock = asyncio.get_running_loop().time
    victim.signal(signal.SIGSTOP)
    stopped = last = clock()
    longest = 0.0
    while clock() - stopped < 1.5:
        assert await directory.get("a", stale=stale) is not None
        longest, last = max(longest, clock() - last), clock()
    assert longest < 1
    victim.signal(signal.SIGCONT)
    await directory.close()


async def heard(directory: EtcdDirectory, after: int, count: int, begun: asyncio.Event) -> list[Change]:
    changes: list[Change] = []
    async with aclosing(directory.watch("w/", after=after)) as watch:
        async for change in watch:
            begun.set()
            changes.append(change)
            if len(changes) == count:
                break
    return changes


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_watch_goes_on_at_another_member_with_nothing_left_out_or_repeated(
    cluster: EtcdCluster, how: signal.Signals
) -> None:
    looking = open_directory(cluster, f"watch-{how.name}")
    leader = await leader_of(cluster, looking)
    victim, other = [member for member in cluster.members if member is not leader]
    watching = open_directory(cluster, f"watch-{how.name}", first=victim)
    writing = open_directory(cluster, f"watch-{how.name}", first=other)
    begin, begun = (await writing.scan("")).revision, asyncio.Event()
    hearing = asyncio.ensure_future(heard(watching, begin, 1200, begun))
    for number in range(60):
        if number == 20:
            await begun.wait()
            if how is signal.SIGKILL:
                victim.kill()
            else:
                victim.signal(how)
        await writing.commit([], [Put(f"w/{place}", bytes([number])) for place in range(20)])
    last, clock = asyncio.get_running_loop().time(), asyncio.get_running_loop().time
    changes = await hearing
    assert clock() - last < 3
    assert [(change.key, change.value) for change in changes] == [
        (f"w/{place}", bytes([number])) for number in range(60) for place in range(20)
    ]
    for directory in (looking, watching, writing):
        await directory.close()


async def test_without_a_majority_each_call_says_so_in_time_and_stale_reads_go_on(cluster: EtcdCluster) -> None:
    directory = EtcdDirectory(EtcdClient(cluster.addresses, cluster.tls, BRIEF), "/quorum/")
    begin, clock = await directory.commit([], [Put("a", b"1")]), asyncio.get_running_loop().time
    hearing = asyncio.ensure_future(anext(directory.watch("well", after=cast("int", begin))))
    for member in cluster.members[1:]:
        member.signal(signal.SIGSTOP)
    told: list[type[Exception]] = []
    for number in range(30):
        began = clock()
        with pytest.raises((DirectoryUnavailable, FateUnknown)) as caught:
            await directory.commit([], [Put(f"b{number}", b"1")])
        told.append(caught.type)
        assert clock() - began < BRIEF.budget + 0.5
        if caught.type is NoQuorum:
            break
    assert told[-1] is NoQuorum
    with pytest.raises(NoQuorum):
        await directory.get("a")
    entry = await directory.get("a", stale=True)
    assert entry is not None
    assert entry.value == b"1"
    assert clock() - directory.heard > 0.9  # longer than between two pulses: the watch knows that it may miss something
    for member in cluster.members[1:]:
        member.signal(signal.SIGCONT)
    await until_well(directory)
    assert (await hearing).key == "well"
    written = {entry.key for entry in (await directory.scan("b")).entries}
    assert written <= {f"b{number}" for number, kind in enumerate(told) if kind is FateUnknown}
    await directory.close()


async def until_well(directory: EtcdDirectory) -> None:
    while True:
        try:
            await directory.commit([], [Put("well", b"1")])
        except (DirectoryUnavailable, FateUnknown):
            continue
        return


async def test_a_certificate_of_another_ca_is_refused_and_that_is_said(cluster: EtcdCluster) -> None:
    tls, foreign = cast("EtcdTls", cluster.tls), EtcdCa().issue("mallory")
    for shown in (EtcdTls(tls.ca, foreign.certificate, foreign.key), foreign):
        directory = EtcdDirectory(EtcdClient(cluster.addresses, shown, BRIEF))
        with pytest.raises(DirectoryRefused, match="certificate"):
            await directory.get("a")
        await directory.close()


async def test_members_that_all_are_away_are_named(cluster: EtcdCluster) -> None:
    client = EtcdClient(["127.0.0.1:9", "127.0.0.1:1"], cluster.tls, BRIEF)
    with pytest.raises(DirectoryUnreachable) as caught:
        await EtcdDirectory(client).commit([], [Put("a", b"1")])
    assert caught.value.details["members"] == "127.0.0.1:9, 127.0.0.1:1"
    assert "127" not in str(caught.value)
    await client.use(cluster.addresses)
    await EtcdDirectory(client, "/moved/").commit([], [Put("a", b"1")])
    await client.close()


async def patiently(change: Callable[[], Awaitable[object]]) -> None:
    """Tries a change of members again for as long as the cluster is not settled."""
    while True:
        try:
            await change()
        except (MembersUnsettled, LearnerBehind) as error:
            await asyncio.sleep((error.retry_after or 1) / 5)
        else:
            return


async def test_a_member_joins_as_a_learner_votes_and_leaves(cluster: EtcdCluster, tmp_path: Path) -> None:
    directory = open_directory(cluster, "members")
    members = Members(directory.client)
    newcomer = EtcdMember("m3", tmp_path, cluster.ca.issue("m3"))
    added: list[int] = []

    async def add() -> None:
        member, everybody = await members.add_learner([newcomer.peer_url])
        assert member.learner
        assert not member.started
        assert len(everybody) == 4
        added.append(member.id)

    await patiently(add)
    with pytest.raises(MemberExists):
        await members.add_learner([newcomer.peer_url])
    try:
        await asyncio.to_thread(newcomer.start, [*cluster.members, newcomer], state="existing")
        status = await members.status(newcomer.address)
        assert status.learner
        assert status.member_id == added[0]
        asking_learner = EtcdDirectory(EtcdClient([newcomer.address, *cluster.addresses], cluster.tls), "/members/")
        await asking_learner.commit([], [Put("a", b"1")])
        assert await asking_learner.get("a") is not None
        await asking_learner.close()
        await patiently(lambda: members.promote(added[0]))
        async with asyncio.timeout(5):
            while any(member.learner for member in await members.list()):  # noqa: ASYNC110 - the asked one trails
                await asyncio.sleep(0.02)
        with pytest.raises(ValueError, match="learner"):
            await members.promote(added[0])
    finally:
        await patiently(lambda: members.remove(added[0]))
        newcomer.kill()
    with pytest.raises(UnknownMember):
        await members.remove(added[0])
    assert await members.revision() == (await directory.scan("")).revision
    await directory.close()


async def test_a_leader_that_is_cut_off_stops_before_the_next_one_begins(cluster: EtcdCluster) -> None:
    story: list[tuple[str, float]] = []
    conditions: list[Unchanged] = []
    clock = asyncio.get_running_loop().time
    began = {name: asyncio.Event() for name in ("alice", "bob")}

    def stand(directory: EtcdDirectory, name: str) -> "asyncio.Task[None]":
        async def work(leadership: Leadership) -> None:
            conditions.append(leadership.condition)
            story.append((f"{name} leads", clock()))
            began[name].set()
            try:
                await asyncio.Event().wait()
            finally:
                story.append((f"{name} stops", clock()))

        return asyncio.ensure_future(Election(directory, "leader", name, ttl=2).run(work))

    alices, bobs = open_directory(cluster, "election"), open_directory(cluster, "election")
    alice = stand(alices, "alice")
    await began["alice"].wait()
    bob = stand(bobs, "bob")
    await alices.close()  # nothing of hers reaches the directory any more
    await began["bob"].wait()
    assert [what for what, _ in story] == ["alice leads", "alice stops", "bob leads"]
    assert await bobs.commit([conditions[0]], [Put("swept", b"1")]) is None
    assert await bobs.commit([conditions[1]], [Put("swept", b"1")]) is not None
    for task in (alice, bob):
        task.cancel()
    await asyncio.wait([alice, bob])
    assert await bobs.get("leader") is None
    await bobs.close()
