"""How often something may happen: a few times at once, then at a steady pace (a token bucket). Pure."""


class Bucket:
    """Holds at most ``burst`` tokens and gets a new one every ``every`` seconds. Times are monotonic seconds."""

    def __init__(self, burst: int, every: float, now: float) -> None:
        self._burst = burst
        self._every = every
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Whether it may happen now; if so, it counts."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) / self._every)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
