"""``POST /disconnect`` from this manager to a node, over mutual TLS.

It is a courtesy: a node that does not hear it finds out at its next heartbeat. So failures are only logged, and much of
it at once is cut short. Where a node is, its user said; so before anything is sent, whoever answers there must show a
certificate of that very user.
"""

import asyncio
from typing import Any, Final, Literal

import aiohttp
import msgspec
import structlog
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from yarl import URL

from telegraph.errors import WrongRole
from telegraph.peer.credentials import Credentials, client_context
from telegraph.peer.dialler import read_holder
from telegraph.protocol.addresses import Address
from telegraph.protocol.manager_api import DisconnectRequest

log = structlog.get_logger(__name__)

Reason = Literal["inactive", "session_ended"]

MAX_AT_ONCE: Final = 16
MAX_WAITING: Final = 512
_REACHED_WITHIN: Final = 3.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=3.0)


class Notifier:
    """Tells nodes, in tasks of its own."""

    def __init__(self, credentials: Credentials) -> None:
        """``credentials`` are the manager's own."""
        self._context = client_context(credentials)
        self._room = asyncio.Semaphore(MAX_AT_ONCE)
        self._trying = asyncio.Semaphore(MAX_AT_ONCE)
        self._tasks: set[asyncio.Task[bool]] = set()

    def replace_credentials(self, credentials: Credentials) -> None:
        """Shows another certificate from now on."""
        self._context = client_context(credentials)

    def tell(self, address: Address, user_id: str, username: str, reason: Reason) -> "asyncio.Task[bool] | None":
        """Begins to tell a user's node; the task gives whether the node heard. None: too many are waiting."""
        if len(self._tasks) >= MAX_WAITING:
            log.warning("disconnect_dropped", user_id=user_id)
            return None
        request = DisconnectRequest(username=username, user_id=user_id, reason=reason)
        task = asyncio.create_task(self._tell(address, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def reaches(self, address: Address, user_id: str) -> bool:
        """Whether a device of this user answers at an address; whoever else is there learns and tells nothing."""
        async with self._trying:
            try:
                async with asyncio.timeout(_REACHED_WITHIN):
                    return await self._is_there(address, user_id)
            except (OSError, TimeoutError, ValueError, WrongRole):
                return False

    async def _is_there(self, address: Address, user_id: str) -> bool:
        _, writer = await asyncio.open_connection(address.host, address.port, ssl=self._context, server_hostname="")
        try:
            holder = read_holder(writer.get_extra_info("ssl_object"))
        finally:
            writer.transport.abort()
        return holder.role == "user" and holder.id == user_id

    async def close(self) -> None:
        """Gives up what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell(self, address: Address, request: DisconnectRequest) -> bool:
        async with self._room:
            try:
                status = await self._post(address, request)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError, WrongRole) as problem:
                log.info("disconnect_not_heard", user_id=request.user_id, problem=type(problem).__name__)
                return False
        return status == 200  # noqa: PLR2004 - HTTP OK

    async def _post(self, address: Address, request: DisconnectRequest) -> int:
        connector = _Expecting(request.user_id, ssl=self._context, force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as session,
            session.post(
                URL.build(scheme="https", host=address.host, port=address.port, path="/disconnect"),
                data=msgspec.json.encode(request),
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response,
        ):
            return response.status


class _Expecting(aiohttp.TCPConnector):
    """Hands out only connections whose other end is a device of one user."""

    def __init__(self, user_id: str, **options: Any) -> None:
        super().__init__(**options)
        self._user_id = user_id

    async def connect(self, req: ClientRequest, traces: Any, timeout: Any) -> Connection:  # noqa: ASYNC109 - aiohttp's signature
        connection = await super().connect(req, traces, timeout)
        transport = connection.transport
        holder = read_holder(transport.get_extra_info("ssl_object") if transport else None)
        if holder.role != "user" or holder.id != self._user_id:
            connection.close()
            raise WrongRole
        return connection
