import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory import records
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Delete, Put
from telegraph.directory.records import Account, Session
from telegraph.errors import NotLoggedIn
from telegraph.manager.sessions import find_caller, is_user_id, new_token, new_user_id


async def directory_of(user_id: str, token: str, *, device: bool = True) -> MemoryDirectory:
    directory = MemoryDirectory()
    await directory.commit(
        [],
        [
            Put(records.account_key(user_id), records.encode(Account(user_id, "Alice", "hash", "now"))),
            Put(records.session_key(user_id, records.secret_hash(token)), records.encode(Session(device, "now"))),
        ],
    )
    return directory


async def test_a_token_finds_its_user() -> None:
    user_id = new_user_id()
    token = new_token(user_id)
    caller = await find_caller(await directory_of(user_id, token), token)
    assert (caller.user_id, caller.username, caller.device, caller.revision) == (user_id, "Alice", True, 1)
    assert caller.alive.key == records.session_key(user_id, records.secret_hash(token))


async def test_a_session_that_ended_is_nobodys() -> None:
    user_id = new_user_id()
    token = new_token(user_id)
    directory = await directory_of(user_id, token)
    await directory.commit([], [Delete(records.session_key(user_id, records.secret_hash(token)))])
    with pytest.raises(NotLoggedIn):
        await find_caller(directory, token)


async def test_another_token_of_the_same_user_is_nobodys() -> None:
    user_id = new_user_id()
    directory = await directory_of(user_id, new_token(user_id))
    with pytest.raises(NotLoggedIn):
        await find_caller(directory, new_token(user_id))


@given(st.text(max_size=100))
async def test_no_text_that_is_no_token_reaches_the_directory(text: str) -> None:
    with pytest.raises(NotLoggedIn):
        await find_caller(MemoryDirectory(), text)


async def test_a_token_cannot_reach_other_keys_of_the_directory() -> None:
    user_id = new_user_id()
    token = new_token(user_id)
    directory = await directory_of(user_id, token)
    for wrong in (f"../{token}", token + "\n", f"{user_id}/{token}", token.upper(), " " + token):
        with pytest.raises(NotLoggedIn):
            await find_caller(directory, wrong)


def test_tokens_and_ids_are_random_and_of_the_documented_shape() -> None:
    ids = {new_user_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(is_user_id(user_id) for user_id in ids)
    tokens = {new_token("u" * 32) for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"u{32}\.[A-Za-z0-9_-]{43}", token) for token in tokens)


@pytest.mark.parametrize("text", ["", "alice", "A" * 32, "a" * 31, "a" * 33, "a" * 31 + "\n"])
def test_what_is_no_user_id_is_told_apart(text: str) -> None:
    assert not is_user_id(text)
