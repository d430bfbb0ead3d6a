from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import msgspec
import pytest

from telegraph.errors import UnknownUser
from telegraph.manager.people import MAX_FOUND
from telegraph.node.keys import DeviceKey

if TYPE_CHECKING:
    from tests.unit.manager.conftest import House


async def names(house: House, query: str) -> list[str]:
    return [user.username for user in await house.people.search(query)]


async def test_a_user_is_found_by_every_way_to_write_the_name(house: House) -> None:
    await house.register("Ñandú")
    for name in ("ñandú", "ÑANDÚ", "N\u0303andu\u0301"):
        assert (await house.people.find(name)).username == "Ñandú"


@pytest.mark.parametrize("name", ["bob", "", "alic", "alice2", "../account", "\0", "\ud800", "x" * 5000])
async def test_nobody_else_is_found_and_the_answer_can_be_shown(house: House, name: str) -> None:
    await house.register("alice")
    with pytest.raises(UnknownUser) as refused:
        await house.people.find(name)
    sentence = str(refused.value)
    assert sentence.encode()
    assert sentence.isprintable()
    assert len(sentence) < 200


async def test_the_password_is_in_no_answer(house: House) -> None:
    await house.register("alice")
    shown = msgspec.json.encode(await house.people.find("alice"))
    assert b"$2b$" not in shown
    assert b"password" not in shown


async def test_search_finds_who_begins_so_in_the_order_of_names(house: House) -> None:
    for name in ("carol", "Alicia", "alice", "bob", "ali", "álvaro"):
        await house.register(name)
    assert await names(house, "ALI") == ["ali", "alice", "Alicia"]
    assert await names(house, "al") == ["ali", "alice", "Alicia"]
    assert await names(house, "á") == ["álvaro"]
    assert await names(house, "zoe") == []
    assert set(await names(house, "")) == {"carol", "Alicia", "alice", "bob", "ali", "álvaro"}
    assert await names(house, "\ud800%_*") == []


async def test_search_gives_so_many_at_most(house: House) -> None:
    for number in range(MAX_FOUND + 5):
        await house.register(f"user{number:03}")
    assert await names(house, "user") == [f"user{number:03}" for number in range(MAX_FOUND)]


async def test_online_are_those_who_logged_in_and_did_not_leave(house: House) -> None:
    await house.register("dave")
    for name in ("carol", "Alice", "bob"):
        await house.join(name)
    bob = await house.caller((await house.log_in("bob")).token)
    await house.accounts.log_out(bob)
    assert [user.username for user in await house.people.online()] == ["Alice", "carol"]
    assert {user.status for user in await house.people.online()} == {"online"}


async def test_keys_and_signatures_are_shown_in_base64(house: House) -> None:
    key = DeviceKey.create()
    await house.join("alice", key=key)
    alice = await house.people.find("alice")
    assert alice.device_key == b64encode(key.public).decode()
    assert alice.signature is None


async def test_an_id_that_nobody_has_is_nobodys(house: House) -> None:
    assert await house.people.by_id("0" * 32) is None
