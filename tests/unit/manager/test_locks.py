import asyncio
import gc

from telegraph.manager.locks import UserLocks


async def test_what_concerns_one_user_happens_one_after_the_other() -> None:
    locks, story = UserLocks(), []

    async def work(user: str, name: str) -> None:
        async with locks.of(user):
            story.append(f"{name} begins")
            await asyncio.sleep(0)
            story.append(f"{name} ends")

    await asyncio.gather(work("alice", "first"), work("alice", "second"))
    assert story == ["first begins", "first ends", "second begins", "second ends"]


async def test_other_users_do_not_wait() -> None:
    locks = UserLocks()
    async with locks.of("alice"), asyncio.timeout(1), locks.of("bob"):
        assert len(locks) == 2


async def test_no_lock_is_kept_for_somebody_who_is_done() -> None:
    locks = UserLocks()
    for number in range(100):
        async with locks.of(f"user{number}"):
            pass
    gc.collect()
    assert len(locks) == 0
