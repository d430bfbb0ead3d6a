"""What comes from another site is applied alike in every directory; etcd is a real one."""

import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from telegraph.directory import records
from telegraph.directory.etcd.client import EtcdClient
from telegraph.directory.etcd.directory import EtcdDirectory
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Directory, Put, Unchanged
from telegraph.directory.records import Account, Cursor, Session, decode, encode
from telegraph.directory.sqlite import SqliteDirectory
from telegraph.errors import Conflict
from telegraph.manager.home import Home
from telegraph.manager.moment import Moment
from telegraph.manager.sites.applying import Applier
from telegraph.manager.sites.consequences import Here, incorporate
from telegraph.testing.etcd import EtcdCluster
from telegraph.testing.sites_history import History

NOW = Moment(1000.0, 1_900_000_000.0)
LIFETIME = timedelta(days=30)
CURSOR = Cursor(12, "2030-01-01T00:00:00Z", "abc")
FENCE = "leader/jobs"

KINDS: dict[str, Callable[[Path, list[str]], Directory]] = {
    "memory": lambda _path, _addresses: MemoryDirectory(),
    "sqlite": lambda path, _addresses: SqliteDirectory(path / "directory.sqlite3"),
    "etcd": lambda _path, addresses: EtcdDirectory(EtcdClient(addresses), f"/{uuid.uuid4()}/"),
}


@pytest.fixture(params=KINDS)
async def directory(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Directory]:
    etcd: EtcdCluster | None = request.getfixturevalue("etcd") if request.param == "etcd" else None
    made = KINDS[request.param](tmp_path, etcd.addresses if etcd else [])
    yield made
    await made.close()


async def content(directory: Directory) -> dict[str, bytes]:
    return {entry.key: entry.value for entry in (await directory.scan("")).entries}


async def fence(directory: Directory) -> Unchanged:
    """The condition of a manager that leads."""
    await directory.commit([], [Put(FENCE, b"me")])
    entry = await directory.get(FENCE)
    assert entry is not None
    return Unchanged(FENCE, entry.revision)


@pytest.mark.parametrize("seed", [1, 3, 8])
async def test_a_batch_is_merged_with_what_it_concerns_and_its_cursor(directory: Directory, seed: int) -> None:
    history = History(Random(seed))
    history.live()
    here, there = history.sites[:2]
    leads = await fence(directory)
    for first in range(0, len(here.state), 100):
        some = list(here.state.items())[first : first + 100]
        await directory.commit([], [Put(key, value) for key, value in some])
    batch = there.since(0, len(there.log))
    await Applier(directory, Home(here.name), lambda: NOW, LIFETIME).apply(there.name, batch, CURSOR, [leads])
    expected = incorporate(here.state, batch, Here(here.name, NOW, LIFETIME))
    mark = {FENCE: b"me", records.cursor_key(there.name): encode(CURSOR)}
    assert await content(directory) == {**expected, **mark}


async def test_nothing_is_applied_by_a_manager_that_leads_no_more(directory: Directory) -> None:
    leads = await fence(directory)
    await directory.commit([], [Put(FENCE, b"another")])
    batch = {records.account_key("u1"): encode(Account("u1", "alice", "hash", "2030"))}
    with pytest.raises(Conflict):
        await Applier(directory, Home("lima"), lambda: NOW, LIFETIME).apply("quito", batch, CURSOR, [leads])
    assert await content(directory) == {FENCE: b"another"}


async def test_who_has_as_many_sessions_as_may_be_fits_into_one_commit(directory: Directory) -> None:
    account = Account("u1", "alice", "hash", "2030")
    session = encode(Session(device=False, created="2030"))
    for first in range(0, 260, 65):
        puts = [Put(records.session_key("u1", f"{index:064x}"), session) for index in range(first, first + 65)]
        await directory.commit([], [*puts, Put(records.account_key("u1"), encode(account))])
    changed = Account("u1", "alice", "other", "2030", password_version=(1, "quito"))
    batch = {records.account_key("u1"): encode(changed)}
    await Applier(directory, Home("lima"), lambda: NOW, LIFETIME).apply("quito", batch, CURSOR, ())
    left = await content(directory)
    assert decode(left[records.account_key("u1")], Account).password_hash == "other"
    assert not any(key.startswith(records.SESSIONS) for key in left)
    assert sum(key.startswith(records.ENDINGS) for key in left) == 260
