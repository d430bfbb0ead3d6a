"""``POST /reachable``: only the caller's own address is tried, seldom, and no more is said than whether it is they."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telegraph.errors import TooMany
from telegraph.manager.reaching import PER_MINUTE, Reaching

if TYPE_CHECKING:
    import httpx
    from tests.unit.manager.conftest import House


def reaching(house: House) -> Reaching:
    return Reaching(house.people, house.try_it, house.clock)


async def test_it_is_the_callers_registered_address_that_is_tried(house: House) -> None:
    alice = await house.join("alice")
    await house.join("bob")

    assert not await reaching(house).reaches(alice)
    house.answering.add("10.0.0.2:8001")
    assert await reaching(house).reaches(alice)
    assert set(house.tried) == {("10.0.0.2:8001", alice.user_id)}


async def test_nobody_scans_through_a_manager(house: House) -> None:
    alice, bob, asking = await house.join("alice"), await house.join("bob"), reaching(house)
    for _ in range(PER_MINUTE):
        await asking.reaches(alice)

    with pytest.raises(TooMany):
        await asking.reaches(alice)
    await asking.reaches(bob)
    house.clock.forward(61.0)
    await asking.reaches(alice)
    assert len(house.tried) == PER_MINUTE + 2


async def test_the_call_needs_a_session_and_takes_no_address(web: httpx.AsyncClient, house: House) -> None:
    body = {"username": "alice", "password": "correct horse", "ip": "10.0.0.7", "port": 8000}
    await web.post("/register", json=body)
    token = (await web.post("/login", json=body)).json()["token"]

    assert (await web.post("/reachable", json={"ip": "192.0.2.1", "port": 22})).status_code == 401
    answer = await web.post("/reachable", headers={"Authorization": f"Bearer {token}"})
    assert answer.json() == {"message": False, "status": 200}
    assert [address for address, _ in house.tried] == ["10.0.0.7:8000"]
