from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from telegraph.errors import IllegalInvite, InviteNeeded, RegistrationClosed
from telegraph.manager.invites import Registration, create_invite, store_registration, stored_registration

if TYPE_CHECKING:
    from tests.unit.manager.conftest import House


@pytest.fixture
def by_invite(make_house: type[House]) -> House:
    return make_house(registration="invite")


async def invite(house: House, *, single_use: bool) -> str:
    return await create_invite(house.directory, house.clock(), single_use=single_use)


async def test_without_an_invite_nobody_registers(by_invite: House) -> None:
    for code in (None, ""):
        with pytest.raises(InviteNeeded):
            await by_invite.register("alice", invite=code)
    assert await by_invite.content() == {}


@pytest.mark.parametrize("code", ["made up", "\ud800", "x" * 100_000])
async def test_a_code_that_nobody_gave_out_is_refused(by_invite: House, code: str) -> None:
    await invite(by_invite, single_use=False)
    before = await by_invite.content()
    with pytest.raises(IllegalInvite):
        await by_invite.register("alice", invite=code)
    assert await by_invite.content() == before


async def test_an_invite_is_good_for_many(by_invite: House) -> None:
    code = await invite(by_invite, single_use=False)
    await by_invite.register("alice", invite=code)
    await by_invite.register("bob", invite=code)


async def test_a_single_use_invite_is_good_for_one(by_invite: House) -> None:
    code = await invite(by_invite, single_use=True)
    await by_invite.register("alice", invite=code)
    with pytest.raises(IllegalInvite):
        await by_invite.register("bob", invite=code)


async def test_of_many_who_use_a_single_use_invite_at_once_one_gets_in(by_invite: House) -> None:
    code = await invite(by_invite, single_use=True)
    results = await asyncio.gather(
        *(by_invite.register(name, invite=code) for name in ("alice", "bob", "carol", "dave")), return_exceptions=True
    )
    assert sum(isinstance(result, str) for result in results) == 1
    assert sum(isinstance(result, IllegalInvite) for result in results) == 3
    assert len((await by_invite.directory.scan("account/")).entries) == 1


async def test_a_registration_that_fails_does_not_use_up_the_invite(by_invite: House) -> None:
    await by_invite.register("alice", invite=await invite(by_invite, single_use=True))
    code = await invite(by_invite, single_use=True)
    with pytest.raises(Exception, match="taken"):
        await by_invite.register("Alice", invite=code)
    await by_invite.register("bob", invite=code)


async def test_a_repeated_registration_succeeds_though_its_invite_is_used_up(by_invite: House) -> None:
    code = await invite(by_invite, single_use=True)
    first = await by_invite.register("alice", invite=code, request_id="r" * 16)
    assert await by_invite.register("alice", invite=code, request_id="r" * 16) == first


async def test_codes_are_stored_as_hashes_only(by_invite: House) -> None:
    code = await invite(by_invite, single_use=True)
    assert not any(code in key or code.encode() in value for key, value in (await by_invite.content()).items())


async def test_closed_is_closed_even_with_an_invite(make_house: type[House]) -> None:
    house = make_house(registration="closed")
    with pytest.raises(RegistrationClosed):
        await house.register("alice", invite=await invite(house, single_use=False))


async def test_where_registration_is_open_a_code_is_not_looked_at(house: House) -> None:
    code = await invite(house, single_use=True)
    await house.register("alice", invite=code)
    await house.register("bob", invite="made up")


@pytest.mark.parametrize("registration", ["open", "invite", "closed"])
async def test_how_a_manager_registers_is_known_to_other_processes(house: House, registration: Registration) -> None:
    assert await stored_registration(house.directory) == "open"
    await store_registration(house.directory, registration)
    assert await stored_registration(house.directory) == registration


@pytest.mark.parametrize(("registration", "error"), [("closed", RegistrationClosed), ("invite", InviteNeeded)])
async def test_who_may_not_register_does_not_learn_which_names_are_taken(
    make_house: type[House], registration: Registration, error: type[Exception]
) -> None:
    open_house = make_house()
    await open_house.register("alice")
    house = make_house(directory=open_house.directory, registration=registration)
    for name in ("alice", "bob"):
        with pytest.raises(error):
            await house.register(name)
