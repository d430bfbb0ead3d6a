"""bcrypt in a few threads behind a short queue, so that log-ins never hold up the rest (DESIGN.md 10.12)."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import bcrypt

from telegraph.directory.quorum import busy_elsewhere
from telegraph.errors import Busy, IllegalPassword, TestingOnly
from telegraph.protocol.names import MAX_PASSWORD_BYTES

T = TypeVar("T")

DEFAULT_COST: Final = 12
MAX_WAITING: Final = 32
"""Jobs that may wait for a thread; at cost 12 the last of them waits some seconds."""

_RETRY_AFTER: Final = 2.0


def check_cost(cost: int) -> int:
    """The bcrypt cost, if it may be used.

    Raises:
        TestingOnly: it is not the default, and this is no test.
    """
    if cost != DEFAULT_COST and os.environ.get("TELEGRAPH_TESTING") != "1":
        raise TestingOnly(option="--bcrypt-cost")
    return cost


def login_bytes(password: str) -> bytes:
    """A password that somebody wants to log in with. A short one is simply wrong; it needs no error of its own.

    Raises:
        IllegalPassword: bcrypt would not take it: over 72 bytes, a NUL, or no Unicode text.
    """
    try:
        encoded = password.encode()
    except UnicodeEncodeError:
        raise IllegalPassword from None
    if len(encoded) > MAX_PASSWORD_BYTES or b"\0" in encoded:
        raise IllegalPassword
    return encoded


class Passwords:
    """Hashes and checks passwords."""

    def __init__(self, cost: int, *, threads: int | None = None, max_waiting: int = MAX_WAITING) -> None:
        """``cost`` is bcrypt's: each step doubles the work."""
        self._cost = cost
        self._threads = threads or min(4, os.cpu_count() or 1)
        self._limit = self._threads + max_waiting
        self._pending = 0
        self._pool = ThreadPoolExecutor(self._threads, "bcrypt")
        self._nobody = bcrypt.hashpw(b"nobody", bcrypt.gensalt(cost)).decode()

    async def hash(self, password: bytes) -> str:
        """The hash to store, in bcrypt's own text form.

        Raises:
            Busy: too many are waiting.
        """
        return await self._run(lambda: bcrypt.hashpw(password, bcrypt.gensalt(self._cost)).decode())

    async def matches(self, password: bytes, stored: str | None) -> bool:
        """Whether a password is the right one. Without a stored hash the same work is done, and the answer is no.

        Raises:
            Busy: too many are waiting.
        """
        right = await self._run(lambda: bcrypt.checkpw(password, (stored or self._nobody).encode()))
        return right and stored is not None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._pending >= self._limit:
            raise Busy(retry_after=_RETRY_AFTER)
        with busy_elsewhere():
            self._pending += 1
            job = asyncio.get_running_loop().run_in_executor(self._pool, work)
            job.add_done_callback(self._finished)
            return await asyncio.shield(job)  # a caller that gives up does not make room: its job still takes a thread

    def _finished(self, job: asyncio.Future[T]) -> None:
        self._pending -= 1
        if not job.cancelled():
            job.exception()

    def close(self) -> None:
        """Lets go of the threads; jobs that did not begin are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
