"""How often a wrong join token is listened to: whoever guesses, or only keeps a manager busy, has to wait."""

import contextlib
from collections.abc import Iterator
from typing import Final

from telegraph.errors import TooManyJoins, WrongToken
from telegraph.manager.moment import Clock
from telegraph.manager.ratelimit import FailureLimit, Key

WRONG_TOKENS_PER_MINUTE: Final = 20
"""For one address; right ones do not count, so managers that form a group may ask as often as they like."""


class Doorkeeper:
    """Counts the wrong tokens of each address."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wrong = FailureLimit(WRONG_TOKENS_PER_MINUTE, error=TooManyJoins)

    @contextlib.contextmanager
    def knock(self, remote: str) -> Iterator[None]:
        """Surrounds the check of a token from an IP address. A check that could not be made is no wrong token.

        Raises:
            TooManyJoins: there were too many from there; the token was not looked at.
        """
        key: Key = ("join", remote)
        begun = self._clock()
        self._wrong.begin(key, begun)
        try:
            yield
        except WrongToken:
            raise
        except BaseException:
            self._wrong.forgive(key, begun)
            raise
        self._wrong.forgive(key, begun)
