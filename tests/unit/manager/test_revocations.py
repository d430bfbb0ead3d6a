from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory import records
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Change, Put
from telegraph.directory.records import Ending, Revocation
from telegraph.manager.moment import Moment
from telegraph.manager.revocations import RevokedKeys, directory_id
from telegraph.protocol.manager_events import MAX_EVENT_BYTES, REVOKED_AT_ONCE, Revoked, encode_event

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = Moment(mono=0.0, wall=1_900_000_000.0)
LATER, EARLIER = "2099-01-01T00:00:00.000000Z", "2001-01-01T00:00:00.000000Z"


async def revoke(directory: MemoryDirectory, name: str, until: str = LATER) -> Change:
    place, value = records.revocation_key("u" * 32, name), records.encode(Revocation(NOW.text, until))
    revision = await directory.commit([], [Put(place, value)])
    assert revision is not None
    return Change(place, value, revision)


async def loaded(directory: MemoryDirectory) -> RevokedKeys:
    keys = RevokedKeys(directory)
    await keys.load()
    return keys


def names(told: Iterable[Revoked]) -> list[str]:
    return [key.key for event in told for key in event.keys]


def cursor_of(told: list[Revoked]) -> str:
    assert [bool(event.cursor) for event in told] == [False] * (len(told) - 1) + [True]
    return told[-1].cursor


async def test_whoever_knows_nothing_is_told_everything_and_then_only_what_is_new() -> None:
    directory = MemoryDirectory()
    await revoke(directory, "a")
    await revoke(directory, "b")
    keys = await loaded(directory)
    told = keys.since("")
    assert names(told) == ["a", "b"]
    assert names(keys.since(cursor_of(told))) == []
    news = keys.take(await revoke(directory, "c"))
    assert news is not None
    assert (names([news]), news.keys[0].user_id, news.keys[0].until) == (["c"], "u" * 32, LATER)
    assert names(keys.since(cursor_of(told))) == ["c"]


async def test_a_change_that_is_known_already_is_told_once() -> None:
    directory = MemoryDirectory()
    known = await revoke(directory, "a")
    keys = await loaded(directory)
    assert keys.take(known) is None
    news = await revoke(directory, "b")
    assert keys.take(news) is not None
    assert keys.take(news) is None
    assert names(keys.since("")) == ["a", "b"]


async def test_that_an_old_revocation_is_forgotten_is_no_news() -> None:
    keys = await loaded(MemoryDirectory())
    assert keys.take(Change(records.revocation_key("u1", "a"), None, 7)) is None


@pytest.mark.parametrize("cursor", ["", ":", "1", "garbage:1", "x:1:2", "{id}:", "{id}:-1", "{id}:²", "{id}:99999999"])
async def test_a_cursor_that_is_not_known_here_gets_the_whole_list(cursor: str) -> None:
    directory = MemoryDirectory()
    await revoke(directory, "a")
    keys = await loaded(directory)
    assert names(keys.since(cursor.format(id=await directory_id(directory)))) == ["a"]


async def test_a_cursor_of_another_directory_gets_the_whole_list() -> None:
    first, second = MemoryDirectory(), MemoryDirectory()
    for directory in (first, second):
        await revoke(directory, "a")
    cursor = cursor_of((await loaded(first)).since(""))
    assert names((await loaded(second)).since(cursor)) == ["a"]
    assert names((await loaded(first)).since(cursor)) == []


@given(count=st.integers(0, 3 * REVOKED_AT_ONCE + 1))
def test_a_long_list_comes_in_pieces_of_which_only_the_last_carries_the_cursor(count: int) -> None:
    keys = RevokedKeys(MemoryDirectory())
    value = records.encode(Revocation(NOW.text, LATER))
    for number in range(1, count + 1):
        keys.take(Change(records.revocation_key("u" * 32, f"{number:064x}"), value, number))
    told = keys.since("")
    assert names(told) == [f"{number:064x}" for number in range(1, count + 1)]
    cursor_of(told)
    assert all(len(encode_event(event)) <= MAX_EVENT_BYTES for event in told)


async def test_a_stream_that_breaks_between_two_keys_of_one_commit_misses_neither() -> None:
    directory = MemoryDirectory()
    keys = await loaded(directory)
    value = records.encode(Revocation(NOW.text, LATER))
    places = [records.revocation_key("u1", name) for name in ("a", "b")]
    revision = await directory.commit([], [Put(place, value) for place in places])
    assert revision is not None
    first = keys.take(Change(places[0], value, revision))
    asked = cursor_of(keys.since(""))
    keys.take(Change(places[1], value, revision))
    assert first is not None
    for cursor in (first.cursor, asked):
        assert set(names(keys.since(cursor))) == {"a", "b"}


async def test_what_no_certificate_outlives_is_forgotten_and_the_rest_stays() -> None:
    directory = MemoryDirectory()
    await revoke(directory, "old", EARLIER)
    await revoke(directory, "new")
    for token_hash, until in (("old", EARLIER), ("new", LATER)):
        ending = Ending("removed", NOW.text, until)
        await directory.commit([], [Put(records.ending_key("u1", token_hash), records.encode(ending))])
    keys = await loaded(directory)
    assert await keys.forget_expired(NOW) == 2
    assert await keys.forget_expired(NOW) == 0
    assert names(keys.since("")) == ["new"]
    assert names((await loaded(directory)).since("")) == ["new"]
    (entry,) = (await directory.scan(records.ENDINGS)).entries
    assert entry.key == records.ending_key("u1", "new")


async def test_the_name_of_a_directory_is_given_once() -> None:
    directory = MemoryDirectory()
    assert await directory_id(directory) == await directory_id(directory) != await directory_id(MemoryDirectory())
