"""How a password is taken: on this machine, and from elsewhere, where a stranger may be asking."""

import asyncio
import time
from typing import Final, Protocol, runtime_checkable

from telegraph.errors import Busy, RateLimited, WrongCredentials, WrongPassword
from telegraph.node.account import Account
from telegraph.node.api.strangers import Strangers, network
from telegraph.node.app import Node
from telegraph.protocol.node_api import SessionRequest

_WAITING: Final = 8


@runtime_checkable
class LogIn(Protocol):
    """One way to log in by ``POST /api/v1/session``."""

    async def __call__(self, node: Node, data: SessionRequest, address: str, *, known: bool) -> Account:
        """Logs in; ``address`` is the caller's, ``known`` whether they were let in before.

        Raises:
            TelegraphError: they are not let in.
        """
        ...


async def on_this_machine(node: Node, data: SessionRequest, address: str, *, known: bool) -> Account:  # noqa: ARG001 - see LogIn
    """Unlocks what is stored and logs in with the managers."""
    return await node.login(data.username, data.password, unlock=data.unlock, set_aside=data.set_aside)


class FromElsewhere:
    """Who was never let in has to open what is stored here, which no manager has a part in; one at a time.

    So a stranger cannot have the managers asked, lock the owner out with them, move messages aside, or take a node
    that nobody has an account on. Every refusal is the same.
    """

    def __init__(self) -> None:
        self._strangers = Strangers(time.monotonic())
        self._turn = asyncio.Lock()
        self._waiting: set[str] = set()

    async def __call__(self, node: Node, data: SessionRequest, address: str, *, known: bool) -> Account:
        """See :class:`LogIn`.

        Raises:
            WrongCredentials: they do not fit.
            RateLimited, Busy: later, perhaps.
        """
        if known:
            return await on_this_machine(node, data, address, known=True)
        await self._prove(node, data, address)
        account = node.account
        if account is None:
            account = await node.login(data.username, data.password, unlock=data.unlock)
        self._strangers.right(address)
        return account

    async def _prove(self, node: Node, data: SessionRequest, address: str) -> None:
        key = network(address)
        if key in self._waiting or len(self._waiting) >= _WAITING:
            raise Busy(retry_after=1)
        self._waiting.add(key)
        try:
            async with self._turn:
                wait = self._strangers.ask(address, time.monotonic())
                if wait > 0:
                    raise RateLimited(retry_after=wait)
                await node.prove(data.username, data.unlock or data.password)
        except WrongPassword:
            self._strangers.wrong(address, time.monotonic())
            raise WrongCredentials from None
        finally:
            self._waiting.discard(key)
