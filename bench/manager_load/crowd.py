"""Thousands of simulated nodes in one process, over real sockets: ``python crowd.py``, driven by lines of JSON.

Each holds one event stream over TLS, sends a heartbeat each interval (from a random moment on), answers pings, and
pings after two thirds of the silence that the manager allows, as telegraph.node.pulse has it. A stream that broke is
opened again by the rules of telegraph.node.manager_choice.
"""

import asyncio
import gc
import json
import ssl
import sys
import time
from random import Random
from typing import Any

import uvloop

from telegraph.cli.running import allow_many_connections
from telegraph.node.backoff import Backoff
from telegraph.node.manager_choice import FIRST_REST, LAST_REST, pause_after_break
from telegraph.protocol.manager_events import SILENCE

_AT_ONCE = 64
_MASK = bytes(4)  # masked by zeros is masked; the server undoes it all the same


def _frame(opcode: int, payload: bytes = b"") -> bytes:
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + _MASK + payload


_HEARTBEAT = _frame(1, b'{"type":"heartbeat"}')
_PING = _frame(9)


class Simulated(asyncio.Protocol):
    """One connection of one node."""

    def __init__(self, crowd: "Crowd", number: int) -> None:
        self._crowd, self._number = crowd, number
        self._buffer = b""
        self._open = False
        self._heard = 0.0
        self._quiet = SILENCE * 2 / 3
        self._spread = 0.0
        self._timers: list[asyncio.TimerHandle | None] = [None, None]
        self.opened: asyncio.Future[None] = crowd.loop.create_future()

    def connection_made(self, transport: Any) -> None:
        """Asks for the stream."""
        self._transport = transport
        token = self._crowd.tokens[self._number]
        self._transport.write(
            b"GET /events HTTP/1.1\r\nHost: identity-manager\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        """The answer to that, then frames."""
        self._buffer += data
        self._heard = self._crowd.loop.time()
        if not self._open:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                self._transport.abort()
                return
            self._open, self._buffer = True, rest
            self._begin()
        self._frames()

    def _begin(self) -> None:
        crowd = self._crowd
        if self.opened.done():  # whoever waited has given up
            self._transport.abort()
            return
        crowd.came.append(time.monotonic())
        self.opened.set_result(None)
        watched = crowd.watching.get(self._number)
        if watched:
            self._transport.write(_frame(1, json.dumps({"type": "watch", "users": [watched]}).encode()))
        self._timers[0] = crowd.loop.call_later(crowd.rng.uniform(0, crowd.interval), self._beat)
        self._timers[1] = crowd.loop.call_later(self._quiet, self._ping)

    def _beat(self) -> None:
        self._transport.write(_HEARTBEAT)
        self._timers[0] = self._crowd.loop.call_later(self._crowd.interval, self._beat)

    def _ping(self) -> None:
        left = self._heard + self._quiet - self._crowd.loop.time()
        if left <= 0:
            self._transport.write(_PING)
        self._timers[1] = self._crowd.loop.call_later(left if left > 0 else self._quiet, self._ping)

    def _frames(self) -> None:
        while len(self._buffer) >= 2:
            opcode, length, start = self._buffer[0] & 15, self._buffer[1] & 127, 2
            if length == 126:
                length, start = int.from_bytes(self._buffer[2:4], "big"), 4
            if len(self._buffer) < start + length:
                return
            payload, self._buffer = self._buffer[start : start + length], self._buffer[start + length :]
            if opcode == 9:
                self._transport.write(_frame(10, payload))
            elif opcode == 1 and payload.startswith(b'{"type":"user"'):
                self._crowd.told.append((json.loads(payload)["user"]["port"], time.monotonic()))
            elif opcode == 1 and payload.startswith(b'{"type":"managers"'):
                told = json.loads(payload)
                self._quiet = told.get("silence", SILENCE) * 2 / 3
                self._spread = told.get("spread", 0.0)
            elif opcode == 1:
                self._crowd.answered += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """It is to be opened again."""
        del exc
        for timer in self._timers:
            if timer is not None:
                timer.cancel()
        if not self.opened.done():
            self.opened.set_exception(ConnectionResetError())
            self.opened.exception()
        if self._open:
            self._crowd.lost(self._number, self._spread)


class Crowd:
    """All of them."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.rng = Random()  # noqa: S311 - a moment is no secret
        self.tokens: list[str] = []
        self.watching: dict[int, str] = {}
        self.interval = 10.0
        self.came: list[float] = []
        self.told: list[tuple[int, float]] = []
        self.answered = 0
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE  # its CPU is not what is measured
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int, tokens: list[str], watching: dict[str, str], interval: float) -> int:
        """Connects all, some at once: how many."""
        self._port, self.tokens, self.interval = port, tokens, interval
        self.watching = {int(number): user for number, user in watching.items()}
        waiting = iter(range(len(tokens)))

        async def caller() -> None:
            for number in waiting:
                await self._connect(number)

        await asyncio.gather(*(caller() for _ in range(_AT_ONCE)))
        gc.collect()
        gc.disable()  # pauses of thousands of clients in one process are none of the manager's
        return len(self.came)

    async def _connect(self, number: int) -> None:
        transport, node = await self.loop.create_connection(
            lambda: Simulated(self, number), "127.0.0.1", self._port, ssl=self._tls
        )
        try:
            await node.opened
        except BaseException:
            transport.abort()
            raise

    def lost(self, number: int, spread: float) -> None:
        """A stream has ended: it is opened again, as a node would."""
        task = self.loop.create_task(self._come_back(number, spread))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _come_back(self, number: int, spread: float) -> None:
        backoff = Backoff(FIRST_REST, LAST_REST, self.rng)
        await asyncio.sleep(pause_after_break(self.rng, spread))
        while True:
            try:
                async with asyncio.timeout(5):
                    return await self._connect(number)
            except (OSError, TimeoutError, ssl.SSLError):
                await asyncio.sleep(backoff.next())

    async def take(self) -> dict[str, Any]:
        """What happened since this was asked last."""
        taken = {"came": self.came, "told": self.told, "answered": self.answered}
        self.came, self.told, self.answered = [], [], 0
        return taken


async def _main() -> None:
    crowd = Crowd()
    reader = asyncio.StreamReader(limit=2**26)
    await crowd.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        asked = json.loads(line)
        answer = await getattr(crowd, asked.pop("do"))(**asked)
        print(json.dumps({"answer": answer}), flush=True)


if __name__ == "__main__":
    allow_many_connections()
    uvloop.run(_main())
