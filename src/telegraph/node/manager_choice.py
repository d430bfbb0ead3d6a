"""Which manager to ask first, and when to try again one that failed. Pure.

One that failed rests, longer each time, with jitter; meanwhile the others are asked at once. Those that a node learns
of are put at random places behind the one in use, so that the nodes of a manager that dies do not all go to the same.
Managers of other sites come after all of the own site.
"""

import contextlib
from collections.abc import Iterable, Sequence
from random import Random
from typing import Final

from telegraph.errors import TelegraphError
from telegraph.protocol.invites import check_manager_url

FIRST_REST: Final = 0.3
LAST_REST: Final = 10.0
"""Seconds that a manager is left alone after a failure, at first and at most."""

_FRESH: Final = 1.0
"""So many seconds after it was heard a manager is taken to live."""


class ManagerChoice:
    """The managers that are known, and what is known of each.

    Attributes:
        given: those that the user named. They are never forgotten.
    """

    def __init__(
        self,
        given: Sequence[str],
        known: Iterable[str],
        rng: Random,
        *,
        first: float = FIRST_REST,
        last: float = LAST_REST,
    ) -> None:
        """``known`` are those of an earlier time; ``first`` and ``last`` bound a rest, in seconds."""
        self.given = tuple(dict.fromkeys(given))
        self._urls = list(dict.fromkeys((*self.given, *known)))
        self._rng = rng
        self._first, self._last = first, last
        self._far: list[str] = []
        self._bound: dict[str, float] = {}
        self._until: dict[str, float] = {}
        self._heard: dict[str, float] = {}

    @property
    def urls(self) -> list[str]:
        """All of them, the one in use first."""
        return list(self._urls)

    def order(self, now: float) -> list[str]:
        """All of them in the order to ask: those that rest come last, by when their rest ends."""
        return sorted(self._urls, key=lambda url: max(self._until.get(url, now), now))

    def ready(self, now: float) -> list[str]:
        """Those that do not rest, in the order to ask."""
        return [url for url in self._urls if self._until.get(url, now) <= now]

    def wait(self, now: float) -> float:
        """Seconds until one of them has rested; the first rest if none is known."""
        return max(0.0, min((self._until.get(url, now) for url in self._urls), default=now + self._first) - now)

    def fresh(self, url: str, now: float) -> bool:
        """Whether it was heard a moment ago."""
        return now - self._heard.get(url, float("-inf")) < _FRESH

    # --- what happened ---

    def failed(self, url: str, now: float) -> None:
        """It did not answer, or cannot do its work: it rests, between half of a bound and all of it, which doubles."""
        bound = self._bound.get(url, self._first)
        self._until[url] = now + self._rng.uniform(bound / 2, bound)
        self._bound[url] = min(bound * 2, self._last)
        self._heard.pop(url, None)

    def answered(self, url: str, now: float) -> None:
        """It answered: whatever was before is forgotten."""
        self._heard[url] = now
        self._until.pop(url, None)
        self._bound.pop(url, None)

    def is_far(self, url: str) -> bool:
        """Whether it is another site's, as the one in use tells."""
        return url in self._far

    def prefer(self, url: str) -> None:
        """It is the one in use from now on."""
        if url in self._urls and self._urls[0] != url:
            self._urls.remove(url)
            self._urls.insert(0, url)

    def hurry(self) -> None:
        """There is reason to believe that all of them can be reached again."""
        self._until.clear()
        self._bound.clear()

    # --- which there are ---

    def found(self, urls: Sequence[str]) -> list[str]:
        """Discovery found these, the quickest first: those of them that were not known."""
        new = [url for url in urls if url not in self._urls]
        self._urls = list(dict.fromkeys((*urls, *self._urls)))
        return new

    def told(self, urls: Iterable[str], by: str, far: Iterable[str] | None = None) -> bool:
        """A manager tells which there are; whether that changed anything.

        Those that it does not name are forgotten, unless the user gave them or it is the one that tells. Plain HTTP is
        taken from one that is spoken to in plain HTTP only: nobody can talk a node out of TLS.

        ``far`` are the managers of other sites; without it, those that were told before stay as they are.
        """
        plain, before = by.startswith("http://"), list(self._urls)
        named = _usable(urls, plain=plain)
        if not named:
            return False
        self._far = [url for url in (self._far if far is None else _usable(far, plain=plain)) if url not in named]
        keep = {*named, *self.given, by}
        near = [url for url in self._urls if url in keep and url not in self._far]
        for url in named:
            if url not in near:
                near.insert(self._rng.randint(min(1, len(near)), len(near)), url)
        in_use = [url for url in before[:1] if url in self._far]
        self._urls = list(dict.fromkeys((*in_use, *near, *self._spread_out(self._far))))
        return set(self._urls) != set(before)

    def _spread_out(self, urls: Sequence[str]) -> list[str]:
        """In the order of before, new ones at random places."""
        known = [url for url in self._urls if url in urls]
        new = [url for url in urls if url not in known]
        self._rng.shuffle(new)
        return [*known, *new]


def pause_after_break(rng: Random, spread: float) -> float:
    """Seconds to wait when a stream that was open broke: at random, over ``spread`` or else a moment."""
    return rng.uniform(0.0, max(spread, _MOMENT))


_MOMENT: Final = 0.2


def _usable(urls: Iterable[str], *, plain: bool) -> list[str]:
    found: dict[str, None] = {}
    for url in urls:
        with contextlib.suppress(TelegraphError):
            checked = check_manager_url(url)
            if plain or checked.startswith("https://"):
                found[checked] = None
    return list(found)
