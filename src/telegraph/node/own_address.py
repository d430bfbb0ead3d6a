"""Where this node is: its present address, signed by its device, whether any manager hears of it or not."""

import asyncio
import time
from collections.abc import Callable

import msgspec
import structlog

from telegraph.node.address_rules import HIGHEST_REPORT, next_counter
from telegraph.node.database import Database
from telegraph.node.keys import DeviceKey
from telegraph.protocol.addresses import Address
from telegraph.protocol.frames import SignedAddress

log = structlog.get_logger(__name__)

_SETTING = "own_address"

OnMoved = Callable[[SignedAddress], None]


def last_address(database: Database) -> SignedAddress | None:
    """What was signed last, in this run or one before; None if nothing ever was."""
    stored = database.setting(_SETTING)
    return None if stored is None else msgspec.msgpack.decode(stored, type=SignedAddress)


class OwnAddress:
    """The own address and its counter, which rises above everything known, so that a restored backup freezes nobody."""

    def __init__(
        self, database: Database, key: DeviceKey, user_id: str, where: Callable[[], Address], counter: int = 0
    ) -> None:
        """``where`` finds out where this node is; it runs in a thread. ``counter`` is one that a manager knows."""
        self._database = database
        self._key = key
        self._user_id = user_id
        self._where = where
        self._last = max(counter, last.counter if (last := last_address(database)) else 0)
        self._reported = 0
        self._signed: SignedAddress | None = None
        self._signing = asyncio.Lock()
        self.on_moved: OnMoved = lambda _signed: None

    @property
    def signed(self) -> SignedAddress | None:
        """Where this node is; None before the first :meth:`refresh`."""
        return self._signed

    async def refresh(self) -> bool:
        """Finds out where this node is, and signs that if it is news; whether it is."""
        async with self._signing:
            here = await asyncio.to_thread(self._where)
            if self._signed is not None and (self._signed.host, self._signed.port) == (here.host, here.port):
                return False
            await self._sign(here)
            return True

    async def renew(self) -> None:
        """Signs the same address anew, so that it is news to whoever hears of it."""
        async with self._signing:
            if self._signed is not None:
                await self._sign(Address(self._signed.host, self._signed.port))

    async def overtaken(self, counter: int) -> bool:
        """Somebody knows an address of ours under this counter; if it is above ours, ours is signed anew above it."""
        async with self._signing:
            signed = self._signed
            if signed is None:
                self._reported = max(self._reported, counter if counter <= HIGHEST_REPORT else 0)
                return False
            if not signed.counter < counter <= HIGHEST_REPORT:
                return False
            self._reported = counter
            await self._sign(Address(signed.host, signed.port))
            return True

    async def _sign(self, here: Address) -> None:
        """On disk before anybody hears of it: a counter that was used is never used again."""
        counter = next_counter(self._last, self._reported, time.time_ns() // 1_000_000)
        signed = self._key.sign_address(self._user_id, here.host, here.port, counter)
        await self._database.set(own_address=msgspec.msgpack.encode(signed))
        self._last, self._signed = counter, signed
        log.info("address_signed")
        self.on_moved(signed)
