"""The managers of a group, as each of them knows them; the keys and the token that they share."""

import asyncio

import pytest

from telegraph.directory import cluster_records
from telegraph.directory.cluster_records import ManagerRecord
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Delete
from telegraph.errors import CannotStart, SealBroken, WrongToken
from telegraph.manager.cluster.members import Members, put_record
from telegraph.manager.cluster.organisation import Organisation
from telegraph.manager.cluster.secret import ClusterSecret
from telegraph.manager.cluster.vault import (
    check_secret,
    load_authority,
    load_organisation,
    load_token,
    renew_token,
    store_organisation,
)


def record(name: str, port: int = 8000) -> ManagerRecord:
    return ManagerRecord(name, f"https://{name}:{port}", "main", f"https://{name}:2379", f"https://{name}:2380")


async def test_whoever_comes_moves_or_goes_is_known_at_once(directory: MemoryDirectory) -> None:
    await put_record(directory, record("a"))
    members = Members(directory)
    told: list[list[str]] = []
    news = asyncio.Event()

    def hear(managers: list[ManagerRecord]) -> None:
        told.append([each.url for each in managers])
        news.set()

    members.listen(hear)
    await members.load()
    following = asyncio.create_task(members.follow())
    for change in (record("b"), record("a", 9000)):
        news.clear()
        await put_record(directory, change)
        await asyncio.wait_for(news.wait(), 1)
    assert members.urls == ["https://a:9000", "https://b:8000"]
    assert members.of("b") == record("b")
    news.clear()
    await directory.commit([], [cluster_delete("b")])
    await asyncio.wait_for(news.wait(), 1)
    assert (members.urls, members.of("b")) == (["https://a:9000"], None)
    await directory.close()
    await following
    assert told[0] == ["https://a:8000"]


def cluster_delete(name: str) -> Delete:
    return Delete(cluster_records.manager_key(name))


async def test_who_was_away_too_long_reads_all_anew() -> None:
    directory = MemoryDirectory(kept_changes=1)
    members = Members(directory)
    await members.load()
    await put_record(directory, record("a"))
    await put_record(directory, record("b"))
    await members.follow()
    assert [each.id for each in members.all] == ["a", "b"]


async def test_the_keys_come_out_as_they_went_in(directory: MemoryDirectory, organisation: Organisation) -> None:
    secret = organisation.cluster_secret
    await store_organisation(directory, organisation)
    assert await load_organisation(directory, secret) == organisation
    assert (await load_authority(directory, secret)).pem == organisation.ca
    stored = b"".join(entry.value for entry in (await directory.scan("")).entries)
    assert organisation.join_secret.encode() not in stored
    with pytest.raises(SealBroken):
        await load_authority(directory, ClusterSecret.create())


async def test_what_is_there_is_not_overwritten(directory: MemoryDirectory, organisation: Organisation) -> None:
    await store_organisation(directory, organisation)
    token = await renew_token(directory, organisation.cluster_secret)
    await store_organisation(directory, organisation)
    assert await load_token(directory, organisation.cluster_secret) == token


async def test_a_renewed_token_is_the_only_one(directory: MemoryDirectory, organisation: Organisation) -> None:
    await store_organisation(directory, organisation)
    await check_secret(directory, organisation.join_secret)
    token = await renew_token(directory, organisation.cluster_secret)
    await check_secret(directory, token.secret)
    with pytest.raises(WrongToken):
        await check_secret(directory, organisation.join_secret)


async def test_an_empty_directory_has_no_keys_and_lets_nobody_in(directory: MemoryDirectory) -> None:
    with pytest.raises(CannotStart, match="cluster/ca"):
        await load_authority(directory, ClusterSecret.create())
    with pytest.raises(CannotStart, match="token"):
        await load_token(directory, ClusterSecret.create())
    with pytest.raises(WrongToken):
        await check_secret(directory, "")
