import asyncio
import threading

import pytest

from telegraph.errors import Busy, IllegalPassword, TestingOnly
from telegraph.manager.passwords import Passwords, check_cost, login_bytes


async def test_the_right_password_matches_and_a_wrong_one_does_not() -> None:
    box = Passwords(4)
    stored = await box.hash(b"correct horse")
    assert stored.startswith("$2b$04$")
    assert await box.matches(b"correct horse", stored)
    assert not await box.matches(b"battery staple", stored)
    box.close()


async def test_nobody_has_no_password_not_even_the_one_that_is_compared() -> None:
    box = Passwords(4)
    assert not await box.matches(b"nobody", None)
    box.close()


async def test_an_unknown_user_costs_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Passwords(4)
    checked: list[bytes] = []

    def check(_password: bytes, stored: bytes) -> bool:
        checked.append(stored)
        return True

    monkeypatch.setattr("bcrypt.checkpw", check)
    assert not await box.matches(b"x", None)
    assert await box.matches(b"x", "$2b$04$" + "a" * 53)
    assert [stored[:7] for stored in checked] == [b"$2b$04$", b"$2b$04$"]
    box.close()


async def test_more_than_the_queue_holds_is_refused_at_once_and_there_is_room_again_later() -> None:
    box = Passwords(4, threads=1, max_waiting=1)
    gate, begun = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        gate.wait(10)

    first, second = asyncio.create_task(box._run(work)), asyncio.create_task(box._run(work))
    await begun.wait()
    with pytest.raises(Busy) as refused:
        await box.hash(b"x")
    assert refused.value.retry_after
    gate.set()
    await asyncio.gather(first, second)
    assert await box.matches(b"x", await box.hash(b"x"))
    box.close()


async def test_a_caller_that_gives_up_does_not_make_room() -> None:
    box = Passwords(4, threads=1, max_waiting=0)
    gate, begun = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(begun.set)
        gate.wait(10)

    caller = asyncio.create_task(box._run(work))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    with pytest.raises(Busy):
        await box.hash(b"x")
    gate.set()
    box.close()


@pytest.mark.parametrize("password", ["x" * 73, "ñ" * 37, "with\0nul", "\ud800" * 9])
def test_what_bcrypt_would_cut_or_refuse_is_refused(password: str) -> None:
    with pytest.raises(IllegalPassword):
        login_bytes(password)


def test_a_short_password_is_simply_a_wrong_one() -> None:
    assert login_bytes("x") == b"x"
    assert login_bytes("") == b""
    assert len(login_bytes("ñ" * 36)) == 72


def test_a_weaker_cost_is_for_tests_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELEGRAPH_TESTING", raising=False)
    assert check_cost(12) == 12
    with pytest.raises(TestingOnly):
        check_cost(4)
    monkeypatch.setenv("TELEGRAPH_TESTING", "1")
    assert check_cost(4) == 4
