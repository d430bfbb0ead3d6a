"""Is the password right? Asked at every log-in, and again before what cannot be undone."""

from typing import Final

from telegraph.errors import WrongCredentials
from telegraph.manager.moment import Clock
from telegraph.manager.passwords import Passwords
from telegraph.manager.ratelimit import FailureLimit, Key
from telegraph.protocol.names import base_name, name_key

_MAX_KEY: Final = 128


class Gate:
    """Checks passwords, and limits how often that may fail for one name and address."""

    def __init__(self, passwords: Passwords, failures: FailureLimit, clock: Clock) -> None:
        self._passwords = passwords
        self._failures = failures
        self._clock = clock

    async def verify(self, username: str, password: bytes, stored: str | None, remote: str) -> None:
        """Returns if the password is the one of the stored hash. Without a hash the same work is done.

        Raises:
            WrongCredentials: it is not.
            RateLimited: it failed too often for this name from this address (``remote``).
            Busy: too many are waiting.
        """
        key: Key = (name_key(base_name(username))[:_MAX_KEY], remote)  # bob~lima's guesses count with bob's
        begun = self._clock()
        self._failures.begin(key, begun)
        try:
            right = await self._passwords.matches(password, stored)
        except BaseException:
            self._failures.forgive(key, begun)  # nobody learned anything
            raise
        if not right:
            raise WrongCredentials
        self._failures.forgive(key, begun)

    async def is_right(self, password: bytes, stored: str) -> bool:
        """Whether a password is that of a hash; for who was counted by :meth:`verify`, or cannot try much.

        Raises:
            Busy: too many are waiting.
        """
        return await self._passwords.matches(password, stored)
