"""A node notices that its machine slept or moved: with a fake clock, and news made up or the kernel's own."""

import asyncio
import socket
import struct
from collections.abc import Callable

import pytest

from telegraph.node.network_watch import Kernel, NetworkWatch, Polling, kernel_news, since_boot

WHICH_LINKS = struct.pack("=IHHIIB15x", 32, 18, 0x301, 1, 0, 0)
"""RTM_GETLINK (rtnetlink(7)): a question. To change links needs root; its answers come the same way as changes do."""


class Machine:
    """A clock that goes on as told at each look, and what the kernel tells at it."""

    def __init__(self, *looks: tuple[float, bool]) -> None:
        """``looks``: the seconds that pass, and whether there is news."""
        self.now = 1000.0
        self.looks = list(looks)
        self.told: list[float] = []
        self.over = asyncio.Event()
        self.closed = False

    async def wait(self, seconds: float) -> bool:
        if seconds < 1:  # only to let changes come together
            return False
        if not self.looks:
            self.over.set()
            await asyncio.Event().wait()
        passed, news = self.looks.pop(0)
        self.now += passed
        return news

    def close(self) -> None:
        self.closed = True

    async def changed(self, slept: float) -> None:
        self.told.append(slept)

    async def live(self) -> list[float]:
        watch = NetworkWatch(self.changed, news=lambda: self, clock=lambda: self.now, every=1.0)
        watching = asyncio.create_task(watch.run())
        await asyncio.wait_for(self.over.wait(), 5)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        assert self.closed
        return self.told


async def test_an_ordinary_day_is_no_news() -> None:
    assert await Machine((1.0, False), (0.9, False), (2.5, False)).live() == []


async def test_a_sleep_is_noticed_at_the_first_look_after_it() -> None:
    assert await Machine((1.0, False), (601.0, False), (1.0, False)).live() == [600.0]


async def test_word_of_the_kernel_is_handed_on() -> None:
    assert await Machine((0.3, True), (1.0, False)).live() == [0.0]


async def test_after_a_sleep_that_brought_another_network_the_sleep_counts() -> None:
    assert await Machine((61.0, True)).live() == [60.0]


class Busy(Machine):
    """One that sleeps while a change is dealt with, each time as told."""

    def __init__(self, *looks: tuple[float, bool], naps: list[float]) -> None:
        super().__init__(*looks)
        self.naps = naps

    async def changed(self, slept: float) -> None:
        await super().changed(slept)
        self.now += self.naps.pop(0)


async def test_a_sleep_while_an_earlier_change_is_dealt_with_is_a_change_of_its_own() -> None:
    machine = Busy((0.3, True), (1.0, False), naps=[61.0, 31.0, 0.5])
    assert await machine.live() == [0.0, 60.0, 30.0]


async def test_a_sleep_while_changes_come_together_is_noticed() -> None:
    class Napping(Machine):
        async def wait(self, seconds: float) -> bool:
            if seconds < 1:
                self.now += 61.2
            return await super().wait(seconds)

    assert await Napping((0.3, True), (1.0, False)).live() == [pytest.approx(61.0)]


async def test_what_goes_wrong_while_a_change_is_dealt_with_is_not_hidden() -> None:
    async def changed(_slept: float) -> None:
        raise OSError("no network")

    machine = Machine((0.3, True))
    with pytest.raises(OSError, match="no network"):
        await NetworkWatch(changed, news=lambda: machine, clock=lambda: machine.now, every=1.0).run()
    assert machine.closed


async def test_who_ends_the_watch_ends_what_deals_with_a_change() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def changed(_slept: float) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    machine = Machine((0.3, True))
    watching = asyncio.create_task(
        NetworkWatch(changed, news=lambda: machine, clock=lambda: machine.now, every=1.0).run()
    )
    await asyncio.wait_for(begun.wait(), 5)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert ended.is_set()


async def test_the_kernel_tells_of_changes_as_they_come() -> None:
    kernel = Kernel()
    try:
        assert not await kernel.wait(0.01)
        kernel._socket.send(WHICH_LINKS)
        assert await kernel.wait(5)
        assert not await kernel.wait(0.01)
    finally:
        kernel.close()


async def test_where_the_kernel_does_not_tell_there_may_be_news_at_every_second_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> Callable[..., None]:
        raise OSError("no netlink here")

    monkeypatch.setattr(socket, "socket", refuse)
    news = kernel_news()
    assert isinstance(news, Polling)
    assert [await news.wait(0) for _ in range(4)] == [False, True, False, True]
    news.close()


def test_the_clock_since_boot_goes_on() -> None:
    assert since_boot() <= since_boot()
