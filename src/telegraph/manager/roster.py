"""What nodes are told on their event streams of the managers there are, and of how to come back."""

from collections.abc import Iterable
from typing import Final

from telegraph.manager.streams import Hub, Stream
from telegraph.protocol.manager_events import MAX_MANAGERS, MAX_SITES, SILENCE, Managers, SiteState

_FEW: Final = 64
"""Streams that may come back all at once."""

_COMING_BACK: Final = 500
"""Streams that come back in a second, if they wait as they are told; one core takes about twice as many."""

_LONGEST_SPREAD: Final = 20.0
"""Seconds: who comes later than that was already shown as offline (``offline_after`` is 30 s)."""

_ASKING: Final = 1000
"""Streams for which a second more of silence is allowed, so that few pings come when there are many."""

_LONGEST_SILENCE: Final = 10.0


class Roster:
    """The managers of the group, and whether this one can do its work.

    Attributes:
        urls: where nodes reach the managers; its own only, for a single one.
        ready: whether the directory can be read and written here.
        site, sites: the own site and the others, where there are several.
    """

    def __init__(self, hub: Hub, own: str) -> None:
        self._hub = hub
        self.urls = [own]
        self.ready = True
        self.site = ""
        self.sites: list[SiteState] = []
        self._many = _FEW

    def greet(self, stream: Stream) -> None:
        """Tells a stream that opens; all of them, if there are many more or less by now than they were told."""
        many = band(len(self._hub))
        if many > self._many or many * 4 <= self._many:
            self._many = many
            self._hub.publish_to_all(self._event())
        else:
            stream.tell(self._event())

    def managers_are(self, urls: Iterable[str]) -> None:
        """The group has these managers now; tells every stream if that is new."""
        named = list(dict.fromkeys(urls))[:MAX_MANAGERS]
        if named and named != self.urls:
            self.urls = named
            self._hub.publish_to_all(self._event())

    def sites_are(self, own: str, others: list[SiteState]) -> None:
        """The other sites are these now; tells every stream if that is new."""
        if (own, others) != (self.site, self.sites):
            self.site, self.sites = own, others[:MAX_SITES]
            self._hub.publish_to_all(self._event())

    def set_ready(self, ready: bool) -> None:
        """Whether this manager can do its work; tells every stream if that is new."""
        if ready != self.ready:
            self.ready = ready
            self._hub.publish_to_all(self._event())

    def _event(self) -> Managers:
        return Managers(
            self.urls,
            ready=self.ready,
            silence=silence_for(self._many),
            spread=spread_for(self._many),
            site=self.site,
            sites=self.sites,
        )


def band(count: int) -> int:
    """A number of streams, rounded up to a power of two times :data:`_FEW`."""
    many = _FEW
    while many < count:
        many *= 2
    return many


def spread_for(many: int) -> float:
    """Seconds over which so many streams are to come back, if all of them break."""
    return 0.0 if many <= _FEW else min(many / _COMING_BACK, _LONGEST_SPREAD)


def silence_for(many: int) -> float:
    """Seconds of silence after which a stream is dead, when there are so many."""
    return min(max(SILENCE, many / _ASKING), _LONGEST_SILENCE)
