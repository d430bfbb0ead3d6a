"""A relay between nodes that lies: frames come twice, are overtaken, or are lost.

Over TCP none of that can happen to a link, and mutual TLS lets nobody in between; so the test hands the relay the keys
of both ends (planted.py). Each node gives the relay's address as its own. The relay shows who dials the certificate of
the one they want, and to that one the certificate of who dials.
"""

import asyncio
import contextlib
import functools
import ssl
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Self

import aiohttp
import msgspec
from aiohttp import WSMsgType, web
from people import RELAY, Person, RealTown

from telegraph.peer.credentials import Credentials, client_context, server_context
from telegraph.protocol.frames import MAX_FRAME_BYTES
from telegraph.protocol.identity import Holder, holder_of

_MESSAGE = 2 * MAX_FRAME_BYTES

Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


class Lies(msgspec.Struct, frozen=True):
    """The chances of one frame; one that is lost takes its link with it ``dies_after`` seconds later."""

    repeat: float = 0.0
    overtake: float = 0.0
    lose: float = 0.0
    overtaken_by: float = 0.03
    dies_after: float = 0.3


class Relay:
    """Runs on the relay host of a town whose people all run."""

    def __init__(self, town: RealTown, lies: Lies, seed: int) -> None:
        self.lies = lies
        self.counts: Counter[str] = Counter()
        self._town = town
        self._host = town.network[RELAY]
        self._rng = Random(f"{seed} relay")
        self._runners: list[web.AppRunner] = []
        self._names: dict[bytes, str] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, socket_factory=self._host.socket))
        for person in self._town.people.values():
            await self._serve(person)
        return self

    async def __aexit__(self, *_: object) -> None:
        for runner in self._runners:
            await runner.cleanup()
        await self._session.close()

    async def _serve(self, person: Person) -> None:
        """Stands in for somebody."""
        credentials = read_identity(person.identity_file)
        holder = holder_of(ssl.PEM_cert_to_DER_cert(credentials.certificate_pem))
        self._names[holder.key] = person.name
        application = web.Application()
        application.router.add_get("/link", functools.partial(self._link, person))
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        self._runners.append(runner)
        listener = self._host.socket((2, 1, 0))
        listener.bind((self._host.address, person.relay_port))
        await web.SockSite(runner, listener, ssl_context=server_context(credentials)).start()

    async def _link(self, wanted: Person, request: web.Request) -> web.StreamResponse:
        dialler = self._town.people[self._names[_caller(request).key]]
        accepted = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=_MESSAGE, timeout=0.2)
        try:
            dialled = await self._session.ws_connect(
                f"https://{wanted.host.address}:8000/link",
                ssl=client_context(read_identity(dialler.identity_file)),
                autoping=False,
                max_msg_size=_MESSAGE,
                timeout=aiohttp.ClientWSTimeout(ws_close=0.2),
            )
        except (aiohttp.ClientError, OSError):
            raise web.HTTPBadGateway from None
        await accepted.prepare(request)
        await self._carry(accepted, dialled)
        return accepted

    async def _carry(self, one: Socket, other: Socket) -> None:
        """Both ways, until one end is gone or a lost frame's time is up."""
        doomed = asyncio.Event()
        ways = [
            asyncio.create_task(self._way(one, other, doomed.set)),
            asyncio.create_task(self._way(other, one, doomed.set)),
            asyncio.create_task(doomed.wait()),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        await asyncio.gather(one.close(), other.close(), return_exceptions=True)

    async def _way(self, source: Socket, target: Socket, doom: Callable[[], None]) -> None:
        async with asyncio.TaskGroup() as late:
            async for message in source:
                if message.type is WSMsgType.BINARY:
                    for frame in msgspec.msgpack.decode(message.data):
                        await self._pass(frame, target, late, doom)
                elif message.type is WSMsgType.PING:
                    await target.ping(message.data)
                elif message.type is WSMsgType.PONG:
                    await target.pong(message.data)

    async def _pass(self, frame: Any, target: Socket, late: asyncio.TaskGroup, doom: Callable[[], None]) -> None:
        self.counts["frames"] += 1
        data = msgspec.msgpack.encode([frame])
        if self._rng.random() < self.lies.lose:
            self.counts["lost"] += 1
            asyncio.get_running_loop().call_later(self.lies.dies_after, doom)
            return
        copies = 1
        if self._rng.random() < self.lies.repeat:
            self.counts["repeated"] += 1
            copies = 2
        overtaken = self._rng.random() < self.lies.overtake
        self.counts["overtaken"] += overtaken
        for copy in range(copies):
            if overtaken or copy:  # the second one comes later, when the first may be forgotten
                late.create_task(self._later(data, target))
            else:
                await target.send_bytes(data)

    async def _later(self, data: bytes, target: Socket) -> None:
        await asyncio.sleep(self._rng.uniform(0, 2 * self.lies.overtaken_by))
        with contextlib.suppress(ConnectionError, RuntimeError, aiohttp.ClientError):
            await target.send_bytes(data)


def read_identity(file: Path) -> Credentials:
    """What a node shows to others."""
    return msgspec.json.decode(file.read_bytes(), type=Credentials)


def _caller(request: web.Request) -> Holder:
    assert request.transport is not None
    der = request.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return holder_of(der)
