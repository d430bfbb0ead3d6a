"""Calls to the managers: which of them is asked, and what is tried elsewhere when one does not answer.

A question (GET) may be asked twice, so a second manager is asked as soon as the first has been silent for a moment.
What changes something goes to one that has just shown that it can do its work, and on to the next only if it was
certainly not done, or if doing it twice is as good as once (DESIGN.md 10.3).
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import structlog

from telegraph.errors import FateUnknown, ManagerAway, TelegraphError, Unavailable
from telegraph.node.manager_choice import ManagerChoice
from telegraph.node.manager_client import ManagerClient
from telegraph.node.racing import first_answer, more_telling

log = structlog.get_logger(__name__)

T = TypeVar("T")
Find = Callable[[], Awaitable[list[str]]]
"""Discovers managers: URLs, quickest first; raises NoManagerFound."""

PATIENCE: Final = 0.35
"""Seconds of silence after which another manager is asked as well: with three, two of them dead, an answer is there
within a second."""

_ANSWER_WITHIN: Final = 5.0
_READY_WITHIN: Final = 3.0
_REDISCOVER_AFTER: Final = 5.0


class Asking:
    """Asks the managers of a :class:`ManagerChoice`.

    Attributes:
        settled: whether a stream is open to the one in use; otherwise that is the one which answered last.
    """

    def __init__(self, client: ManagerClient, find: Find, choice: ManagerChoice) -> None:
        self._client = client
        self._find = find
        self.choice = choice
        self._found_at = float("-inf")
        self.settled = False

    async def call(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        body: object = None,
        token: str | None = None,
        repeatable: bool = False,
    ) -> T:
        """One call, to whichever manager answers; managers are discovered anew if none does.

        ``repeatable``: doing it twice is as good as once. Every GET is.

        Raises:
            Unavailable: none does it now, and why, as far as one said so; else ManagerAway.
            FateUnknown: one may have done it.
            TelegraphError: what the manager answered.
        """
        await self.settle()

        async def ask(url: str) -> T:
            return await self._client.call(url, method, path, answer, body=body, token=token, repeatable=repeatable)

        kind = _kind_of(path)
        if method == "GET":
            return await self._with_new_ones(partial(self._question, ask, kind))
        return await self._with_new_ones(partial(self._deed, ask, kind, repeatable=repeatable))

    async def settle(self) -> None:
        """Before the first call: with a choice of managers, or none known, finds out which is the quickest."""
        if self._found_at == float("-inf") and len(self.choice.urls) != 1:
            await self.rediscover()

    async def _with_new_ones(self, ask: Callable[[list[str]], Awaitable[T]]) -> T:
        """Asks those that are known, and then those that discovery finds besides."""
        try:
            return await ask(self.choice.order(_now()))
        except FateUnknown:
            raise
        except Unavailable as problem:
            new = await self.rediscover()
            if not new:
                raise _said(problem) from problem
        return await ask(new)

    async def _question(self, ask: Callable[[str], Awaitable[T]], kind: str, urls: list[str]) -> T:
        _, answer = await first_answer(
            urls, self._noting(ask), partial(self._failed, kind), patience=PATIENCE, within=_ANSWER_WITHIN
        )
        return answer

    async def _deed(self, ask: Callable[[str], Awaitable[T]], kind: str, urls: list[str], *, repeatable: bool) -> T:
        reason: Unavailable | None = None
        unknown: FateUnknown | None = None
        for url in await self.ready_first(urls):
            try:
                return await self._noting(ask)(url)
            except FateUnknown as problem:
                self._failed(kind, url, problem)
                if not repeatable:
                    raise
                unknown = problem
            except Unavailable as problem:
                self._failed(kind, url, problem)
                reason = more_telling(reason, problem)
        raise unknown or reason or ManagerAway()

    def _noting(self, ask: Callable[[str], Awaitable[T]]) -> Callable[[str], Awaitable[T]]:
        """Asks, and notes that the manager lives if it answers anything."""

        async def noting(url: str) -> T:
            try:
                answer = await ask(url)
            except Unavailable:
                raise
            except TelegraphError:
                self.choice.answered(url, _now())
                raise
            self.choice.answered(url, _now())
            if not self.settled:
                self.choice.prefer(url)
            return answer

        return noting

    def _failed(self, kind: str, url: str, problem: Unavailable) -> None:
        log.info("manager_away", url=url, call=kind, code=problem.code)
        self.choice.failed(url, _now())

    async def ready_first(self, urls: list[str]) -> list[str]:
        """The same managers, from the first on that shows that it can do its work.

        One that was heard a moment ago need not show it, and an only one is simply asked.

        Raises:
            Unavailable: none of them can.
        """
        if len(urls) < 2 or self.choice.fresh(urls[0], _now()):  # noqa: PLR2004 - there is no choice
            return urls
        url, _ = await first_answer(
            urls,
            self._noting(self._client.ready),
            partial(self._failed, "/readyz"),
            patience=PATIENCE,
            within=_READY_WITHIN,
        )
        return [url, *(other for other in urls if other != url)]

    async def rediscover(self) -> list[str]:
        """Looks for managers, but not all the time: those that it finds and that were not known."""
        now = _now()
        if now - self._found_at < _REDISCOVER_AFTER:
            return []
        self._found_at = now
        try:
            found = await self._find()
        except TelegraphError as error:
            log.info("no_manager_found", code=error.code)
            return []
        return self.choice.found(found)


def _said(problem: Unavailable) -> Unavailable:
    return problem if type(problem) is not Unavailable else ManagerAway()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _kind_of(path: str) -> str:
    """The first part of a path: what follows may name somebody, and logs do not say with whom people talk."""
    return "/" + path.split("?", maxsplit=1)[0].split("/")[1]
