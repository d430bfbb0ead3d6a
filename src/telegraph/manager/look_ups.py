"""Look-ups of people, which go on without a quorum: then from what this manager's own member has, marked as stale.

What such a read does not know is never answered as if it did not exist: a session or a name that is not found is the
matter of managers with a quorum. A session that was ended elsewhere a moment ago may still look somebody up.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec
import structlog

from telegraph.directory.port import Directory, Entry, Reads, Snapshot
from telegraph.errors import DirectoryUnavailable, NoQuorum, NotLoggedIn, UnknownUser
from telegraph.manager.people import People
from telegraph.manager.sessions import Caller, find_caller
from telegraph.protocol.manager_api import User

log = structlog.get_logger(__name__)

T = TypeVar("T")

FRESH_WITHIN: Final = 0.4
"""Seconds for an exact answer: a stale one now is of more use than an exact one after a change of leader."""


class StaleReads:
    """A directory's reads that may trail and need no quorum, as :class:`telegraph.directory.port.Reads`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def get(self, key: str) -> Entry | None:
        """See the port."""
        return await self._directory.get(key, stale=True)

    async def scan(self, prefix: str, *, limit: int = 0) -> Snapshot:
        """See the port."""
        return await self._directory.scan(prefix, limit=limit, stale=True)


class LookUps:
    """Exact while the directory answers in time, stale otherwise."""

    def __init__(
        self,
        directory: Directory,
        people_of: Callable[[Reads], People],
        exact: Reads | None = None,
        lost: Callable[[], bool] = lambda: False,
    ) -> None:
        """Two views of the directory: an exact one, and what is here.

        Args:
            directory: gives the stale reads.
            people_of: makes the view of people over reads.
            exact: the reads to try first, if not the directory's.
            lost: whether it is known that there is no quorum; then nobody waits for an exact answer.
        """
        self._reads: Reads = exact or directory
        self._stale_reads = StaleReads(directory)
        self._people, self._stale_people = people_of(self._reads), people_of(self._stale_reads)
        self.lost = lost
        """Whether it is known that there is no quorum."""

    async def caller(self, token: str) -> tuple[Caller, bool]:
        """Whose session a token is, and whether that is stale.

        Raises:
            NotLoggedIn: nobody's, or it has ended.
            DirectoryUnavailable: without a quorum, if it is not known here.
        """
        return await self._either(
            lambda: find_caller(self._reads, token), lambda: find_caller(self._stale_reads, token), stale=False
        )

    async def ask(self, question: Callable[[People], Awaitable[T]], *, stale: bool) -> tuple[T, bool]:
        """What is found, and whether it is stale. ``stale``: do not even try for an exact answer.

        Raises:
            UnknownUser, AccountDeleted: as the question.
            DirectoryUnavailable: without a quorum, if it is not known here.
        """
        return await self._either(lambda: question(self._people), lambda: question(self._stale_people), stale=stale)

    async def note(self, sign_of_life: Callable[[], Awaitable[None]], *, stale: bool) -> None:
        """Notes that the caller lives, if that can be noted: it is no reason to refuse the look-up.

        Raises:
            NotLoggedIn: the session has ended meanwhile.
        """
        if stale:
            return
        try:
            async with asyncio.timeout(FRESH_WITHIN):
                await sign_of_life()
        except (DirectoryUnavailable, TimeoutError) as problem:
            log.info("sign_of_life_not_noted", kind=type(problem).__name__)

    async def known_user(self, token: str, username: str) -> User:
        """A user as this manager's own member has them, for the holder of a session that it has.

        Raises:
            AccountDeleted: there was such a user.
            DirectoryUnavailable: either of them is not known here.
        """
        await _from_what_is_here(lambda: find_caller(self._stale_reads, token))
        found = await _from_what_is_here(lambda: self._stale_people.find(username))
        return marked(found, stale=True)

    async def _either(
        self, exact: Callable[[], Awaitable[T]], here: Callable[[], Awaitable[T]], *, stale: bool
    ) -> tuple[T, bool]:
        if not stale and not self.lost():
            try:
                async with asyncio.timeout(FRESH_WITHIN):
                    return await exact(), False
            except (DirectoryUnavailable, TimeoutError) as problem:
                log.info("answered_stale", kind=type(problem).__name__)
        return await _from_what_is_here(here), True


async def _from_what_is_here(stale: Callable[[], Awaitable[T]]) -> T:
    try:
        return await stale()
    except (NotLoggedIn, UnknownUser) as unknown:
        raise NoQuorum from unknown


def marked(user: User, *, stale: bool) -> User:
    """The user, as an answer shows them that may be stale."""
    return msgspec.structs.replace(user, stale=True) if stale else user
