"""Whether the far end of a stream lives, judged by when something was heard of it. Pure."""

from typing import Final, Literal

import msgspec

_ASK_AFTER: Final = 2 / 3
"""Part of the allowed silence after which a ping is sent; its answer has the rest of it."""


class Look(msgspec.Struct, frozen=True):
    """What to do now, and after how many seconds to look again."""

    verdict: Literal["wait", "ping", "dead"]
    again: float


class Pulse:
    """One stream. Whatever comes is a sign of life; after silence it is asked for one, and then it is dead.

    ``silence``: seconds without a sign after which it is dead. It is never dead without having been asked: a machine
    that was busy or stopped itself finds what came meanwhile before it judges.
    """

    def __init__(self, now: float, silence: float) -> None:
        self.silence = silence
        self._heard = now
        self._asked: float | None = None

    def heard(self, now: float) -> None:
        """Something came."""
        self._heard = now
        self._asked = None

    def quiet(self, now: float) -> float:
        """Seconds since something came."""
        return now - self._heard

    def look(self, now: float) -> Look:
        """What to do now; after ``ping`` one is to be sent."""
        answer_within = self.silence * (1 - _ASK_AFTER)
        if self._asked is not None:
            left = self._asked + answer_within - now
            return Look("wait", left) if left > 0 else Look("dead", 0.0)
        left = self._heard + self.silence * _ASK_AFTER - now
        if left > 0:
            return Look("wait", left)
        self._asked = now
        return Look("ping", answer_within)
