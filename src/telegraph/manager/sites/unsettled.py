"""The leader finishes what registrations left open: names that not all sites have confirmed yet (DESIGN.md 10.4)."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from telegraph.directory import records
from telegraph.directory.port import Directory
from telegraph.directory.records import Account, Claim, NameClaim
from telegraph.errors import Conflict, Unavailable
from telegraph.manager.following import Follower
from telegraph.manager.home import Home
from telegraph.manager.jobs import Fence
from telegraph.manager.moment import Clock
from telegraph.manager.naming import account_of
from telegraph.manager.sites.claims import Claims

log = structlog.get_logger(__name__)

LEFT_ALONE: Final = timedelta(seconds=30)
"""For so long a registration has itself to finish its claim; the manager that it came to may have died."""

EVERY: Final = 1.0
"""Seconds between two looks while there is something open."""


def is_due(claim: Claim, now: datetime, *, all_heard: bool) -> bool:
    """Whether a claim of the own site is to be asked about now. Pure."""
    if claim.state == "provisional":
        return all_heard
    return claim.state == "tentative" and datetime.fromisoformat(claim.since) + LEFT_ALONE <= now


def own_open_claims(record: NameClaim | None, home: str) -> list[Claim]:
    """The claims of a name that the own site has yet to decide: not those that have lost. Pure."""
    if record is None:
        return []
    own = [claim for claim in record.claims if claim.site == home]
    holds = (claim for claim in own if claim.state == "provisional" and claim.user_id == record.user_id)
    return [*holds, *(claim for claim in own if claim.state == "tentative")]


class Unsettled:
    """The leader's job."""

    def __init__(
        self, directory: Directory, home: Home, names: Claims, clock: Clock, all_heard: Callable[[], bool]
    ) -> None:
        """``all_heard``: whether no other site is known to be cut off."""
        self._directory = directory
        self._home = home
        self._names = names
        self._clock = clock
        self._all_heard = all_heard
        self._open: dict[str, list[Claim]] = {}
        self._news = asyncio.Event()

    async def run(self, fence: Fence) -> None:
        """Works endlessly."""
        self._open.clear()
        follower = Follower(self._directory, records.NAMES, self._take, lambda: list(self._open))
        await follower.load()
        async with asyncio.TaskGroup() as group:
            group.create_task(follower.follow())
            group.create_task(self._work(fence))

    def _take(self, name: str, value: bytes | None, _revision: int) -> None:
        self._open.pop(name, None)
        record = None if value is None else records.decode(value, NameClaim)
        claims = own_open_claims(record, self._home.name)
        if claims:
            self._open[name] = claims
            self._news.set()

    async def _work(self, fence: Fence) -> None:
        while True:
            self._news.clear()
            if not self._open:
                await self._news.wait()
            await self.once(fence)
            await asyncio.sleep(EVERY)

    async def once(self, fence: Fence) -> None:
        """Settles what is due."""
        now, heard = self._clock().utc, self._all_heard()
        due = [(name, each) for name, claims in self._open.items() for each in claims]
        for name, claim in due:
            if is_due(claim, now, all_heard=heard):
                await self._settle(records.NAMES + name, claim, fence)

    async def _settle(self, place: str, claim: Claim, fence: Fence) -> None:
        try:
            account: Account | None = await account_of(self._directory, claim.user_id)
            if account is not None:
                state = await self._names.settle(account, fence)
            else:  # as after the return of a backup that is older than it: nobody's claim must not block the name
                state = await self._names.give_up(place, claim, fence)
            log.info("name_settled", user_id=claim.user_id, state=state)
        except (Unavailable, Conflict) as problem:
            log.info("name_waits", code=problem.code)
