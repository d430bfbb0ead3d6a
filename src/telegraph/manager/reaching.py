"""``POST /reachable``: tries to reach the caller's own node, so that people learn of a firewall in between.

Where a node is, its user said. So that nobody scans a network through a manager, it tries that one address only, a few
times a minute, and says no more than whether a device of the caller's answered: by its certificate.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from telegraph.errors import TooMany, UnknownUser
from telegraph.manager.moment import Clock
from telegraph.manager.people import People
from telegraph.manager.ratelimit import FailureLimit
from telegraph.manager.sessions import Caller
from telegraph.protocol.addresses import Address

PER_MINUTE: Final = 6

Try = Callable[[Address, str], Awaitable[bool]]


class Reaching:
    """Tries the nodes of callers."""

    def __init__(self, people: People, try_it: Try, clock: Clock) -> None:
        """``try_it`` says whether a device of a user answers at an address."""
        self._people = people
        self._try = try_it
        self._clock = clock
        self._limit = FailureLimit(PER_MINUTE, error=TooMany)

    async def reaches(self, caller: Caller) -> bool:
        """Whether the caller's node answers where it is registered.

        Raises:
            TooMany: they asked too often.
        """
        self._limit.begin((caller.user_id, ""), self._clock())
        user = await self._people.by_id(caller.user_id)
        if user is None:
            raise UnknownUser(username=caller.username)
        return await self._try(Address(user.ip, user.port), caller.user_id)
