"""Looks at everything that a node needs, within a few seconds: the facts for :mod:`telegraph.node.doctor`."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from telegraph.errors import TelegraphError, TooMany
from telegraph.node.doctor import Manager
from telegraph.node.manager_client import ManagerClient
from telegraph.node.owner_calls import OwnerCalls

_MANAGERS: Final = 16
"""So many at most are looked at."""

_REACHED_WITHIN: Final = 6.0
_LATELY: Final = 90.0


async def managers(
    client: ManagerClient | None, ca_pem: str | None, urls: Sequence[str], *, unknown: bool
) -> list[Manager] | None:
    """How managers are, those that are used first in front; each has two seconds.

    ``client`` None: another one is made for the purpose. None if none are named but some may be ``unknown`` here.
    """
    if unknown and not urls:
        return None
    async with contextlib.AsyncExitStack() as made:
        if client is None:
            client = ManagerClient(ca_pem)
            made.push_async_callback(client.close)
        return list(await asyncio.gather(*(client.examine(url) for url in urls[:_MANAGERS])))


class OwnPort:
    """Whether others reach this node. Managers try it a few times a minute only; in between the last word counts."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` counts seconds."""
        self._clock = clock
        self._last: tuple[float, str | None, bool] | None = None

    async def reached(self, calls: OwnerCalls, address: str | None) -> bool | None:
        """Whether a manager reaches this node at ``address``, where it says that it is; None if none could try."""
        try:
            async with asyncio.timeout(_REACHED_WITHIN):
                said = await calls.reachable()
        except TooMany:
            return self._said_lately(address)
        except (TelegraphError, TimeoutError):
            return None
        self._last = self._clock(), address, said
        return said

    def _said_lately(self, address: str | None) -> bool | None:
        if self._last is None:
            return None
        at, where, said = self._last
        return said if where == address and self._clock() - at < _LATELY else None


async def free(folder: Path) -> int | None:
    """Bytes that are free on the disk of a folder; None if it does not say."""
    try:
        return (await asyncio.to_thread(shutil.disk_usage, folder)).free
    except OSError:
        return None
