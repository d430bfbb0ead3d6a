"""A group gets other secrets: the CA stays, nothing old opens anything, a start that was broken off repeats it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from telegraph.directory import cluster_records
from telegraph.directory.memory import MemoryDirectory
from telegraph.errors import CannotStart, DataInUse, NotInCluster, SealBroken, WrongToken
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.clock import read_clock
from telegraph.manager.cluster import rekeying
from telegraph.manager.cluster.organisation import Organisation, load_etcd_authority, read_organisation
from telegraph.manager.cluster.rekeying import (
    PENDING_FILE,
    adopt_secrets,
    draw_secrets,
    publish_secrets,
    take_secrets,
)
from telegraph.manager.cluster.secret import ClusterSecret
from telegraph.manager.cluster.state import ClusterState, save_state
from telegraph.manager.cluster.vault import (
    check_secret,
    load_authority,
    load_organisation,
    load_token,
    renew_token,
    store_organisation,
)
from telegraph.storage.datadir import DataDirectory


@pytest.fixture
async def data(
    tmp_path: Path, directory: MemoryDirectory, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The data directory of a member whose group has the organisation's secrets."""
    place = tmp_path / "manager"
    DataDirectory(place).release()
    organisation.save(place)
    save_state(place, ClusterState("member", "10.0.0.1", 2379, "https://127.0.0.1:2379"))
    await store_organisation(directory, organisation)

    @asynccontextmanager
    async def beside(_data: Path) -> AsyncIterator[Any]:
        yield SimpleNamespace(directory=directory)

    monkeypatch.setattr(rekeying, "group_beside", beside)
    return place


async def drawn(data: Path, tmp_path: Path) -> Path:
    await draw_secrets(data, tmp_path / "new")
    return tmp_path / "new"


async def test_new_secrets_open_the_old_ca_and_the_old_secret_opens_nothing(
    data: Path, tmp_path: Path, directory: MemoryDirectory, organisation: Organisation
) -> None:
    take_secrets(data, await drawn(data, tmp_path))
    adopt_secrets(data)
    await publish_secrets(data, directory)
    secret = ClusterSecret.load(data)
    assert (await load_authority(directory, secret)).pem == organisation.ca
    assert load_etcd_authority(data).pem != organisation.etcd_ca
    new = await load_organisation(directory, secret)
    assert (new.ca, new.etcd_ca) == (organisation.ca, load_etcd_authority(data).pem)
    for stale in (load_authority, load_token):
        with pytest.raises(SealBroken):
            await stale(directory, organisation.cluster_secret)
    with pytest.raises(WrongToken):
        await check_secret(directory, organisation.join_secret)
    await check_secret(directory, new.join_secret)


async def test_drawing_changes_nothing_and_the_file_is_for_its_owner_only(
    data: Path, tmp_path: Path, directory: MemoryDirectory, organisation: Organisation
) -> None:
    before = await directory.scan("")
    file = await drawn(data, tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert await directory.scan("") == before
    assert read_organisation(file).secret != organisation.secret
    with pytest.raises(CannotStart, match="never overwritten"):
        await draw_secrets(data, file)


async def test_a_start_that_was_broken_off_anywhere_does_it_again(
    data: Path, tmp_path: Path, directory: MemoryDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = await drawn(data, tmp_path)
    take_secrets(data, new)
    with monkeypatch.context() as patch:  # the power goes before the secret is written
        patch.setattr(ClusterSecret, "save", _crash)
        with pytest.raises(Crash):
            adopt_secrets(data)
    adopt_secrets(data)
    with monkeypatch.context() as patch:  # and then before it is known to be done
        patch.setattr(Path, "unlink", _crash)
        with pytest.raises(Crash):
            await publish_secrets(data, directory)
    adopt_secrets(data)
    await publish_secrets(data, directory)
    assert not (data / PENDING_FILE).exists()
    assert await load_organisation(directory, ClusterSecret.load(data)) == read_organisation(new)


class Crash(Exception):
    """The power."""


def _crash(*_: object, **__: object) -> None:
    raise Crash


async def test_a_manager_that_comes_late_keeps_the_token_that_was_made_since(
    data: Path, tmp_path: Path, directory: MemoryDirectory
) -> None:
    take_secrets(data, await drawn(data, tmp_path))
    adopt_secrets(data)
    await publish_secrets(data, directory)
    secret = ClusterSecret.load(data)
    token = await renew_token(directory, secret)
    take_secrets(data, tmp_path / "new")
    await publish_secrets(data, directory)
    assert await load_token(directory, secret) == token


async def test_another_manager_that_was_quicker_is_not_overwritten(
    data: Path, tmp_path: Path, directory: MemoryDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both read the old keys; the one that commits second finds them changed, and looks again."""
    take_secrets(data, await drawn(data, tmp_path))
    get, others = directory.get, [publish_secrets]

    async def overtaken(key: str, *, stale: bool = False) -> Any:
        found = await get(key, stale=stale)
        if key == cluster_records.TOKEN and others:
            other = tmp_path / "other"
            DataDirectory(other).release()
            (other / PENDING_FILE).write_bytes((data / PENDING_FILE).read_bytes())
            await others.pop()(other, directory)
        return found

    monkeypatch.setattr(directory, "get", overtaken)
    await publish_secrets(data, directory)
    assert not others
    stored = await load_organisation(directory, read_organisation(tmp_path / "new").cluster_secret)
    assert stored == read_organisation(tmp_path / "new")


async def test_nothing_is_taken_that_does_not_fit(data: Path, tmp_path: Path) -> None:
    file, now = await drawn(data, tmp_path), read_clock().utc
    claim = DataDirectory(data)
    with pytest.raises(DataInUse):
        take_secrets(data, file)
    claim.release()
    other = Organisation.create(CertificateAuthority.create("Other", now), now)
    (tmp_path / "other").write_bytes(msgspec.json.encode(other))
    with pytest.raises(CannotStart, match="another organisation than"):
        take_secrets(data, tmp_path / "other")
    with pytest.raises(CannotStart):
        take_secrets(data, tmp_path / "nothing")
    save_state(data, ClusterState("left", "10.0.0.1", 2379, "https://127.0.0.1:2379"))
    with pytest.raises(NotInCluster):
        take_secrets(data, file)
    assert not (data / PENDING_FILE).exists()
