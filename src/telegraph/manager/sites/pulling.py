"""The leader hears one other site: its changes as they come, or all that it has, merged into the own directory.

Where it goes on is a :class:`~telegraph.directory.records.Cursor`, written in the commit of what it stands for. So
whatever breaks, the next leader included, goes on from there, and what comes twice changes nothing.

One batch is applied at a time, with what has come meanwhile as the next; who is slow stops reading, then the other
side stops sending, and stops reading its own directory.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from telegraph.directory import cluster_records, records
from telegraph.directory.port import Directory, Put
from telegraph.directory.records import Cursor, Site
from telegraph.errors import Conflict, ManagerAway, TelegraphError, Unavailable
from telegraph.manager.jobs import Fence
from telegraph.manager.moment import Clock
from telegraph.manager.sites.calling import Caller
from telegraph.manager.sites.hearing import Hearing, pause_after
from telegraph.manager.sites.registering import Registration
from telegraph.protocol.sites import (
    MAX_BYTES,
    MAX_ENTRIES,
    PATH_CHANGES,
    PATH_REGISTER,
    PATH_SNAPSHOT,
    PATH_STATE,
    Batch,
    LinkState,
    SiteState,
    gathered,
)

log = structlog.get_logger(__name__)

Apply = Callable[[str, Mapping[str, bytes], Cursor | None, Fence], Awaitable[None]]
"""Merges another site's entries into the own directory, and notes the cursor with the last of it."""

_STREAM_SILENCE: Final = 1.5
"""Seconds without a frame after which another manager of the site is tried: before the site counts as cut off."""

_SNAPSHOT_SILENCE: Final = 30.0
"""Seconds; it is read as a whole before the first frame is sent."""

_QUEUED: Final = 16
_AGAIN_AFTER: Final = 0.2
_CURSOR_EVERY: Final = 60.0
"""Seconds between two writes of a cursor that moved over what is not exchanged; etcd keeps its history for an hour."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What every link works with; ``own`` is this site as others are to know it."""

    directory: Directory
    caller: Caller
    apply: Apply
    clock: Clock
    own: Callable[[], Site]


class Link:
    """One other site, as long as this manager leads. ``await run()`` in the background.

    Attributes:
        site: the other site; replaced when its managers come and go.
    """

    def __init__(self, site: Site, tools: Tools, fence: Fence) -> None:
        self.site = site
        self._tools = tools
        self._fence = fence
        self._hearing: Hearing | None = None
        self._turn = 0
        self._url = ""
        self._problem = ""
        self._lag: int | None = None
        self._cursor: Cursor | None = None
        self._noted = 0.0

    @property
    def state(self) -> LinkState:
        """How it stands."""
        up = self._hearing is not None and self._hearing.is_up(self._tools.clock())
        since = "" if self._hearing is None else self._hearing.since
        return LinkState(self.site.name, up, since, self._lag, self._url, "" if up else self._problem)

    async def run(self) -> None:
        """Hears it until it is cancelled."""
        told = await self._tools.directory.get(cluster_records.link_key(self.site.name))
        record = None if told is None else cluster_records.decode(told.value, cluster_records.LinkRecord)
        hearing = self._hearing = Hearing(record, self._tools.clock())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell(hearing))
            group.create_task(self._pull(hearing))

    # --- whether it is heard ---

    async def _tell(self, hearing: Hearing) -> None:
        """Writes whenever that changes."""
        while True:
            now = self._tools.clock()
            record = hearing.record(now)
            if record is not None:
                put = Put(cluster_records.link_key(self.site.name), records.encode(record))
                with contextlib.suppress(Unavailable):
                    if await self._tools.directory.commit(self._fence, [put]) is not None:
                        hearing.written(record)
                        state = "up" if record.up else "cut_off"
                        log.warning("site_link", site=self.site.name, state=state, problem=self._problem or "-")
            await asyncio.sleep(min(hearing.next_look(now), _AGAIN_AFTER))

    # --- what it says ---

    async def _pull(self, hearing: Hearing) -> None:
        failures = 0
        while True:
            before = hearing.last
            try:
                await self._at(self._next_url(), hearing)
            except TelegraphError as problem:
                if problem.code != self._problem or hearing.last is not before:  # not each try of a long cut
                    log.info("site_not_heard", site=self.site.name, url=self._url, problem=problem.code)
                self._problem = problem.code
            failures = failures + 1 if hearing.last is before else 0
            await asyncio.sleep(pause_after(failures, random.random()))  # noqa: S311 - no secret

    def _next_url(self) -> str:
        """The managers of the site in turn: the next one when one fails.

        Raises:
            ManagerAway: none is known.
        """
        if not self.site.exchange:
            raise ManagerAway
        self._url = self.site.exchange[self._turn % len(self.site.exchange)]
        self._turn += 1
        return self._url

    async def _at(self, url: str, hearing: Hearing) -> None:
        """Hears one manager of the site for as long as it goes."""
        state = await self._tools.caller.ask(url, PATH_STATE, SiteState)
        if state.site != self.site.name:
            raise ManagerAway  # the address is another site's by now
        await self._tools.caller.ask(url, PATH_REGISTER, SiteState, Registration(self._tools.own()))
        cursor = self._cursor or await stored_cursor(self._tools.directory, self.site.name)
        if cursor is None or cursor.directory_id != state.directory_id:
            cursor = await self._catch_up(url, state.directory_id, hearing)
        self._cursor = cursor
        await self._follow(url, cursor, hearing)

    async def _follow(self, url: str, cursor: Cursor, hearing: Hearing) -> None:
        queue: asyncio.Queue[Batch] = asyncio.Queue(_QUEUED)
        query = {"after": str(cursor.revision), "directory": cursor.directory_id}
        applying = asyncio.ensure_future(self._apply_all(queue, cursor.directory_id))
        try:
            batches = self._tools.caller.stream(url, PATH_CHANGES, query, _STREAM_SILENCE)
            async with contextlib.aclosing(batches):
                async for batch in batches:
                    hearing.heard(self._tools.clock())
                    if batch.gone:
                        log.warning("site_history_gone", site=self.site.name, after=cursor.revision)
                        self._cursor = await self._catch_up(url, cursor.directory_id, hearing)
                        return
                    await _put(queue, batch, applying)
        finally:
            applying.cancel()
            await asyncio.gather(applying, return_exceptions=True)

    async def _apply_all(self, queue: "asyncio.Queue[Batch]", directory_id: str) -> None:
        while True:
            batch = await _all_waiting(queue)
            cursor = Cursor(batch.revision, self._tools.clock().text, directory_id)
            if batch.entries:
                await self._apply(dict(batch.entries), cursor)
            else:
                await self._note(cursor)
            self._cursor = cursor
            self._lag = max(0, batch.head - batch.sent)

    async def _apply(self, entries: Mapping[str, bytes], cursor: Cursor | None) -> None:
        """Applies for as long as it takes; the own directory may be without a leader for a moment."""
        while True:
            try:
                await self._tools.apply(self.site.name, entries, cursor, self._fence)
            except (Unavailable, Conflict) as problem:
                log.info("site_changes_wait", site=self.site.name, code=problem.code)
                await asyncio.sleep(_AGAIN_AFTER)
            else:
                return

    async def _note(self, cursor: Cursor) -> None:
        """Writes down now and then how far it is, also where nothing that is exchanged has come."""
        now = self._tools.clock().mono
        if self._cursor is None or cursor.revision == self._cursor.revision or now - self._noted < _CURSOR_EVERY:
            return
        with contextlib.suppress(Unavailable):
            put = Put(records.cursor_key(self.site.name), records.encode(cursor))
            await self._tools.directory.commit(self._fence, [put])
        self._noted = now

    async def _catch_up(self, url: str, directory_id: str, hearing: Hearing) -> Cursor:
        """Takes all that the other site has: what is the same here already is not looked at twice."""
        log.info("site_catch_up", site=self.site.name, url=url)
        own = {entry.key: entry.value for entry in (await self._tools.directory.scan("")).entries}
        taken = 0
        batches = self._tools.caller.stream(url, PATH_SNAPSHOT, {}, _SNAPSHOT_SILENCE)
        async with contextlib.aclosing(batches):
            async for batch in batches:
                hearing.heard(self._tools.clock())
                news = {key: value for key, value in batch.entries if own.get(key) != value}
                taken += len(news)
                cursor = Cursor(batch.revision, self._tools.clock().text, directory_id) if batch.done else None
                if news or cursor is not None:
                    await self._apply(news, cursor)
                if cursor is not None:
                    log.info("site_caught_up", site=self.site.name, entries=taken, revision=batch.revision)
                    return cursor
        raise ManagerAway  # it ended before all was there


async def stored_cursor(directory: Directory, site: str) -> Cursor | None:
    """How far a site's changes are applied.

    Raises:
        DirectoryUnavailable: it cannot be read.
    """
    entry = await directory.get(records.cursor_key(site))
    return None if entry is None else records.decode(entry.value, Cursor)


async def _put(queue: "asyncio.Queue[Batch]", batch: Batch, applying: "asyncio.Future[None]") -> None:
    """Queues it; raises what ended the applying, if that is so."""
    putting = asyncio.ensure_future(queue.put(batch))
    try:
        await asyncio.wait((putting, applying), return_when=asyncio.FIRST_COMPLETED)
    finally:
        putting.cancel()
    if applying.done():
        applying.result()


async def _all_waiting(queue: "asyncio.Queue[Batch]") -> Batch:
    """What waits, up to a commit's size, as one batch."""
    found = [await queue.get()]
    count, size = len(found[0].entries), _size(found[0])
    while not queue.empty() and count < MAX_ENTRIES and size < MAX_BYTES:
        found.append(queue.get_nowait())
        count, size = count + len(found[-1].entries), size + _size(found[-1])
    return gathered(found)


def _size(batch: Batch) -> int:
    return sum(len(key) + len(value) for key, value in batch.entries)
