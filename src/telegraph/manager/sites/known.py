"""The sites that there are and whether they are heard, as every manager of a site knows it, always up to date."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from telegraph.directory import cluster_records, records
from telegraph.directory.cluster_records import LinkRecord
from telegraph.directory.port import Directory
from telegraph.directory.records import Site
from telegraph.manager.following import Follower


class Sites:
    """Follows the records. ``await load()`` once, then the ``tasks`` in the background.

    Attributes:
        own: the name of this manager's own site.
        on_change: is told that a site came, changed, went, is heard or is not any more: its name.
    """

    def __init__(self, directory: Directory, own: str) -> None:
        self.own = own
        self._sites: dict[str, Site] = {}
        self._links: dict[str, LinkRecord] = {}
        self._changed = asyncio.Event()
        self.on_change: Callable[[str], None] = lambda _name: None
        self._following = (
            Follower(directory, records.SITES, self._take_site, lambda: list(self._sites)),
            Follower(directory, cluster_records.LINKS, self._take_link, lambda: list(self._links)),
        )

    @property
    def others(self) -> list[Site]:
        """Every other site of the organisation, in the order of their names."""
        return [self._sites[name] for name in sorted(self._sites) if name != self.own]

    @property
    def heard(self) -> list[Site]:
        """Those of the others that are not known to be cut off: these are worth asking."""
        return [site for site in self.others if self.is_heard(site.name)]

    def of(self, name: str) -> Site | None:
        """A site, None if there is none of this name."""
        return self._sites.get(name)

    def is_heard(self, name: str) -> bool:
        """Whether a site is heard, or is this one; one of which the leader has not said anything yet is not."""
        return name == self.own or (name in self._links and self._links[name].up)

    def all_heard(self) -> bool:
        """Whether no other site is cut off, as far as is known."""
        return len(self.heard) == len(self.others)

    def last_heard(self, name: str) -> str | None:
        """When a site that is cut off was last heard, RFC 3339; None if it is heard, empty if it never was."""
        if self.is_heard(name):
            return None
        return self._links[name].since if name in self._links else ""

    async def load(self) -> None:
        """Reads all records.

        Raises:
            DirectoryUnavailable: they cannot be read.
        """
        for follower in self._following:
            await follower.load()

    def tasks(self) -> Iterable[tuple[str, Callable[[], Awaitable[None]]]]:
        """What runs endlessly, by name; each may be called again after an error."""
        return [("sites", self._following[0].follow), ("site-links", self._following[1].follow)]

    async def changed(self) -> None:
        """Waits until a site comes, changes or goes."""
        changed = self._changed
        await changed.wait()

    def _take_site(self, name: str, value: bytes | None, _revision: int) -> None:
        before = self._sites.pop(name, None)
        if value is not None:
            self._sites[name] = records.decode(value, Site)
        if before != self._sites.get(name):
            self._changed.set()
            self._changed = asyncio.Event()
            self.on_change(name)

    def _take_link(self, name: str, value: bytes | None, _revision: int) -> None:
        before = self.is_heard(name)
        if value is None:
            self._links.pop(name, None)
        else:
            self._links[name] = msgspec.json.decode(value, type=LinkRecord)
        if before != self.is_heard(name):
            self.on_change(name)
