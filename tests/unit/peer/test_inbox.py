import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.peer.inbox import Inbox
from telegraph.peer.port import LinkClosed
from telegraph.testing.clock import settle


async def test_messages_come_out_as_they_went_in() -> None:
    inbox = Inbox(100)
    for message in (b"one", b"", b"two"):
        await inbox.put(message)
    assert [await inbox.get() for _ in range(3)] == [b"one", b"", b"two"]


async def test_who_gets_waits_for_who_puts() -> None:
    inbox = Inbox(100)
    waiting = asyncio.create_task(inbox.get())
    await settle()
    assert not waiting.done()
    await inbox.put(b"at last")
    assert await waiting == b"at last"


async def test_who_puts_waits_while_it_is_full() -> None:
    inbox = Inbox(10)
    await inbox.put(bytes(10))
    assert inbox.full
    waiting = asyncio.create_task(inbox.put(b"later"))
    await settle()
    assert not waiting.done()
    await inbox.get()
    await waiting
    assert await inbox.get() == b"later"


async def test_one_message_may_be_larger_than_the_inbox() -> None:
    inbox = Inbox(10)
    await inbox.put(bytes(1000))
    assert inbox.full
    assert len(await inbox.get()) == 1000
    assert not inbox.full


async def test_those_who_wait_for_room_get_it_one_after_the_other() -> None:
    inbox = Inbox(1)
    putting = [asyncio.create_task(inbox.put(b"%d" % number)) for number in range(5)]
    got: list[bytes] = []
    for _ in range(5):
        await settle()
        assert sum(task.done() for task in putting) <= len(got) + 1
        got.append(await inbox.get())
    assert sorted(got) == [b"0", b"1", b"2", b"3", b"4"]


async def test_what_came_before_the_close_can_be_received_and_nothing_after() -> None:
    inbox = Inbox(100)
    await inbox.put(b"before")
    inbox.close()
    with pytest.raises(LinkClosed):
        await inbox.put(b"after")
    with pytest.raises(LinkClosed):
        inbox.add(b"after")
    assert await inbox.get() == b"before"
    for _ in range(2):
        with pytest.raises(LinkClosed):
            await inbox.get()


async def test_a_close_wakes_everybody() -> None:
    full, empty = Inbox(1), Inbox(1)
    await full.put(b"x")
    waiting = [asyncio.create_task(full.put(b"y")), asyncio.create_task(empty.get()), asyncio.create_task(empty.get())]
    await settle()
    full.close()
    empty.close()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [LinkClosed] * 3


async def test_a_receiver_that_gives_up_loses_nothing() -> None:
    inbox = Inbox(10)
    impatient = asyncio.create_task(inbox.get())
    await settle()
    impatient.cancel()
    await inbox.put(b"kept")
    assert await inbox.get() == b"kept"


@given(sizes=st.lists(st.integers(0, 30), max_size=30), capacity=st.integers(1, 50))
def test_it_never_holds_more_than_its_capacity_and_one_message(sizes: list[int], capacity: int) -> None:
    async def story() -> None:
        inbox = Inbox(capacity)
        held, most = 0, 0

        async def put_all() -> None:
            nonlocal held, most
            for size in sizes:
                await inbox.put(bytes(size))
                held += size
                most = max(most, held)

        putting = asyncio.create_task(put_all())
        for size in sizes:
            assert len(await inbox.get()) == size
            held -= size
        await putting
        assert most < capacity + max(sizes, default=0) + 1

    asyncio.run(story())


async def test_what_is_there_can_be_taken_at_once_and_makes_room() -> None:
    inbox = Inbox(10)
    await inbox.put(b"one")
    await inbox.put(bytes(10))
    waiting = asyncio.create_task(inbox.put(b"later"))
    await settle()
    assert inbox.take_all() == [b"one", bytes(10)]
    assert inbox.take_all() == []
    await waiting
    assert await inbox.get() == b"later"
