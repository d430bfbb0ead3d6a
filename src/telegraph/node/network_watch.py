"""Notices that this machine slept or that its network changed: the kernel tells, and a clock that goes on in sleep."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog

from telegraph.node.changes import ASLEEP, asleep

log = structlog.get_logger(__name__)

EVERY: Final = 1.0
"""Seconds between looks at the clock."""

_POLLED: Final = 2
"""At each so many looks the addresses are looked at too, where the kernel does not tell of changes."""

_TOGETHER: Final = 0.2
"""Seconds in which changes count as one: a new address brings its routes."""

_GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE and the same of IPv6 (linux/rtnetlink.h, rtnetlink(7))."""

OnChange = Callable[[float], Awaitable[None]]
"""Told how many seconds the machine slept; 0 if it is the network that may have changed."""


class News(Protocol):
    """Where word of changes of addresses and routes comes from."""

    async def wait(self, seconds: float) -> bool:
        """Whether something changed within so many seconds; returns as soon as it does."""
        ...

    def close(self) -> None:
        """No more of it."""
        ...


class Kernel:
    """Hears of changes over a netlink socket, which costs nothing while there are none."""

    def __init__(self) -> None:
        """Raises OSError where there is no netlink."""
        self._changed = asyncio.Event()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            self._socket.bind((0, _GROUPS))
            asyncio.get_running_loop().add_reader(self._socket, self._read)
        except OSError:
            self._socket.close()
            raise

    def _read(self) -> None:
        """What changed does not matter; that some of it got lost (ENOBUFS) is a change as well."""
        with contextlib.suppress(OSError):  # until there is nothing more to read
            while self._socket.recv(65536):
                pass
        self._changed.set()

    async def wait(self, seconds: float) -> bool:
        """See :class:`News`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        heard = self._changed.is_set()
        self._changed.clear()
        return heard

    def close(self) -> None:
        """See :class:`News`."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()


class Polling:
    """Where the kernel does not tell, there may always be news."""

    def __init__(self) -> None:
        self._looks = 0

    async def wait(self, seconds: float) -> bool:
        """See :class:`News`."""
        await asyncio.sleep(seconds)
        self._looks += 1
        return self._looks % _POLLED == 0

    def close(self) -> None:
        """See :class:`News`."""


def kernel_news() -> News:
    """The kernel's, where there is netlink."""
    try:
        return Kernel()
    except OSError:
        log.info("no_netlink")
        return Polling()


def since_boot() -> float:
    """Seconds since the machine's start, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class NetworkWatch:
    """Watches while :meth:`run` runs."""

    def __init__(
        self,
        on_change: OnChange,
        *,
        news: Callable[[], News] = kernel_news,
        clock: Callable[[], float] = since_boot,
        every: float = EVERY,
    ) -> None:
        self._on_change = on_change
        self._news = news
        self._clock = clock
        self._every = every

    async def run(self) -> None:
        """Works until cancelled."""
        news = self._news()
        try:
            while True:
                slept, heard = await self._look(news, self._every)
                if heard and slept < ASLEEP:
                    slept, _ = await self._look(news, _TOGETHER)
                while heard or slept >= ASLEEP:
                    slept, heard = await self._hand_on(slept), False
        finally:
            news.close()

    async def _look(self, news: News, seconds: float) -> tuple[float, bool]:
        """Waits for news: the seconds that the machine slept meanwhile, and whether there are any."""
        before = self._clock()
        heard = await news.wait(seconds)
        return asleep(before, self._clock(), seconds), heard

    async def _hand_on(self, slept: float) -> float:
        """Hands a change on; the longest that the machine slept while that was dealt with, which is another change."""
        if slept >= ASLEEP:
            log.info("woke_up", after=round(slept, 1))
        dealing = asyncio.ensure_future(self._on_change(slept if slept >= ASLEEP else 0.0))
        longest = 0.0
        try:
            while not dealing.done():
                before = self._clock()
                await asyncio.wait((dealing,), timeout=self._every)
                longest = max(longest, asleep(before, self._clock(), self._every))
        finally:
            dealing.cancel()
            await asyncio.wait((dealing,))
        dealing.result()
        return longest
