"""A manager's part in the exchange between sites: it serves the others, and while it leads, it hears them.

::

    changes   GET   a directory's changes after a revision, endlessly        serving.py
    snapshot  GET   all of it as of one revision                             serving.py
    state     GET   how the site stands                                      here
    register  POST  a new site                                               registering.py
    reserve   POST  a name that somebody registers elsewhere                 whoever calls serve()
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

import structlog

from telegraph.directory import records
from telegraph.directory.cluster_records import ManagerRecord, OwnSite
from telegraph.directory.port import Directory, Put, Unchanged
from telegraph.directory.records import Site
from telegraph.directory.state_hash import state_hash
from telegraph.errors import ManagerAway, Unavailable
from telegraph.manager.background import keep_running
from telegraph.manager.cluster.members import Members
from telegraph.manager.jobs import Fence
from telegraph.manager.moment import Clock
from telegraph.manager.revocations import directory_id
from telegraph.manager.sites.calling import Caller
from telegraph.manager.sites.known import Sites
from telegraph.manager.sites.listener import Asked, Call, Listener
from telegraph.manager.sites.pulling import Apply, Link, Tools
from telegraph.manager.sites.registering import register
from telegraph.manager.sites.serving import Feed, head_of, snapshot
from telegraph.peer.credentials import Credentials
from telegraph.protocol.sites import (
    PATH_CHANGES,
    PATH_REGISTER,
    PATH_SNAPSHOT,
    PATH_STATE,
    SILENCE,
    Batch,
    LinkState,
    SiteState,
)

log = structlog.get_logger(__name__)

T = TypeVar("T")

_AGAIN_AFTER: Final = 0.5


class Exchange:
    """One manager's: ``await sites.load()``, then ``start()``, its ``tasks``, and :meth:`lead` as a leader's job.

    Attributes:
        own: the site of this manager.
        sites: all that there are, and whether they are heard.
    """

    def __init__(
        self,
        directory: Directory,
        own: OwnSite,
        members: Members,
        credentials: Credentials,
        apply: Apply | None,
        clock: Clock,
    ) -> None:
        """``apply`` merges what is heard; without it nobody is heard."""
        self.own = own
        self.sites = Sites(directory, own.name)
        self._directory = directory
        self._members = members
        self._caller = Caller(credentials)
        self._tools = None if apply is None else Tools(directory, self._caller, apply, clock, self._site)
        self._links: dict[str, Link] = {}
        self._calls: dict[str, Call] = {
            f"GET {PATH_STATE}": self._state,
            f"POST {PATH_REGISTER}": lambda asked: register(directory, own.name, asked),
        }
        streams = {f"GET {PATH_CHANGES}": self._changes, f"GET {PATH_SNAPSHOT}": self._snapshot}
        self._listener = Listener(credentials, self._calls, streams)

    def _site(self) -> Site:
        return site_of(self.own, self._members.all)

    # --- life ---

    async def start(self, sock: socket.socket) -> None:
        """Serves other sites on a bound socket from now on; ``sites`` were loaded."""
        await self._listener.start(sock)

    async def close(self) -> None:
        """Ends everything that others ask, and what is asked of them."""
        await self._listener.close()
        await self._caller.close()

    def serve(self, path: str, call: Call) -> None:
        """Answers POSTs of other sites at a further path from now on."""
        self._calls[f"POST {path}"] = call

    def replace_credentials(self, credentials: Credentials) -> None:
        """Shows another certificate from the next connection on."""
        self._caller.replace_credentials(credentials)
        self._listener.replace_credentials(credentials)

    def tasks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What every manager runs endlessly, by name."""
        return dict(self.sites.tasks())

    # --- asking ---

    async def ask(self, site: str, path: str, answer: type[T], body: object, *, within: float = SILENCE) -> T:
        """Asks another site: the first of its managers that answers; so it must bear repetition.

        Raises:
            ManagerAway: none answers in ``within`` seconds, or there is no such site.
            TelegraphError: what it answered.
        """
        known = self.sites.of(site)
        if known is None or not known.exchange:
            raise ManagerAway
        return await self._caller.ask_any(known.exchange, path, answer, body, within=within)

    # --- serving ---

    async def _state(self, asked: Asked) -> SiteState:
        name = await directory_id(self._directory)
        if "hash" not in asked.query:
            revision, whole = await head_of(self._directory), ""
        else:
            found = await self._directory.scan("")
            revision, whole = found.revision, await asyncio.to_thread(state_hash, found.entries)
        return SiteState(self.own.name, name, revision, whole, bool(self._links), self.links)

    async def _changes(self, asked: Asked) -> AsyncIterator[Batch]:
        after = asked.number("after")
        if asked.query.get("directory") != await directory_id(self._directory):
            head = await head_of(self._directory)
            yield Batch(head, head, head, gone=True)
            return
        async with contextlib.aclosing(Feed(self._directory, after).batches()) as batches:
            async for batch in batches:
                yield batch

    def _snapshot(self, _asked: Asked) -> AsyncIterator[Batch]:
        return snapshot(self._directory)

    # --- leading ---

    @property
    def links(self) -> tuple[LinkState, ...]:
        """How other sites are heard, while this manager leads."""
        return tuple(self._links[name].state for name in sorted(self._links))

    async def lead(self, fence: Fence) -> None:
        """Hears every other site, and keeps the record of the own one, until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(keep_running("own-site", lambda: self._keep_own(fence)))
                if self._tools is not None:
                    await self._hear_all(self._tools, group, fence)
        finally:
            self._links.clear()

    async def _hear_all(self, tools: Tools, group: asyncio.TaskGroup, fence: Fence) -> None:
        hearing: dict[str, asyncio.Task[None]] = {}
        while True:
            changed = asyncio.ensure_future(self.sites.changed())
            others = {site.name: site for site in self.sites.others}
            for name in hearing.keys() - others.keys():
                hearing.pop(name).cancel()
                del self._links[name]
            for name, site in others.items():
                if name in self._links:
                    self._links[name].site = site
                else:
                    link = self._links[name] = Link(site, tools, fence)
                    hearing[name] = group.create_task(keep_running(f"site-{name}", link.run))
            try:
                await changed
            finally:
                changed.cancel()

    async def _keep_own(self, fence: Fence) -> None:
        """Writes where the managers of this site are, whenever that changes."""
        changed = asyncio.Event()
        self._members.listen(lambda _managers: changed.set())
        while True:
            changed.clear()
            try:
                await put_own_site(self._directory, self.own, self._members.all, fence)
            except Unavailable:
                await asyncio.sleep(_AGAIN_AFTER)
            else:
                await changed.wait()


async def put_own_site(
    directory: Directory, own: OwnSite, managers: Sequence[ManagerRecord], fence: Fence = ()
) -> Site | None:
    """Tells other sites where this one's managers are: the record as it is now; None if the name is another site's.

    Raises:
        DirectoryUnavailable: it cannot be written.
    """
    while True:
        entry = await directory.get(records.site_key(own.name))
        known = None if entry is None else records.decode(entry.value, Site)
        if known is not None and known.id not in ("", own.id):
            log.error("site_name_taken", site=own.name)
            return None
        wanted = site_of(own, managers, version=known.version if known else 0)
        if wanted == known:
            return known
        wanted = site_of(own, managers, version=wanted.version + 1)
        conditions = [*fence, Unchanged(records.site_key(own.name), entry.revision if entry else 0)]
        if await directory.commit(conditions, [Put(records.site_key(own.name), records.encode(wanted))]) is not None:
            return wanted
        if fence and await _is_over(directory, fence):
            return known


async def _is_over(directory: Directory, fence: Fence) -> bool:
    """Whether a fence does not hold any more."""
    return await directory.commit(fence, []) is None


def site_of(own: OwnSite, managers: Sequence[ManagerRecord], version: int = 1) -> Site:
    """The site's record as its managers' records have it. Pure."""
    return Site(
        name=own.name,
        urls=tuple(dict.fromkeys(record.url for record in managers)),
        exchange=tuple(dict.fromkeys(record.exchange for record in managers if record.exchange)),
        version=version,
        id=own.id,
    )
