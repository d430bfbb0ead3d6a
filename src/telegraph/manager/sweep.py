"""The inactivity sweep: users who have been silent for too long are marked offline, and their nodes are told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from telegraph.directory.records import Presence
from telegraph.manager.attendance import Attendance
from telegraph.manager.moment import Clock

OnExpired = Callable[[str, Presence], Awaitable[None]]

_SHORTEST: Final = 0.01
"""Seconds between two looks at least, should a clock stand still."""


async def sweep_once(attendance: Attendance, clock: Clock, on_expired: OnExpired) -> int:
    """Marks everybody offline whose time is up, and tells of each with where they were: how many."""
    count = 0
    for user_id in attendance.live.due(clock()):
        known = await attendance.expire(user_id)
        if known is not None:
            await on_expired(user_id, known)
            count += 1
    return count


async def sweep(attendance: Attendance, clock: Clock, on_expired: OnExpired) -> None:
    """Sweeps for ever; sleeps exactly until somebody can be due, so it costs nothing while nobody is."""
    while True:
        await sweep_once(attendance, clock, on_expired)
        await asyncio.sleep(max(_SHORTEST, attendance.live.next_look(clock())))
