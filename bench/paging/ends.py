"""The two ends that a page watches: a node that notes its commits, and a baseline that only passes texts on."""

import time
from collections.abc import Sequence
from typing import Any

from aiohttp import WSMsgType, web
from messaging.nodes import NodeEnd

from telegraph.node import streams
from telegraph.node.broker import Broker
from telegraph.protocol.frames import MessageFrame
from telegraph.storage.engine import sqlite3


class WatchedNode(NodeEnd):
    """A node that notes when which text was on its disk."""

    def __init__(self, *arguments: str) -> None:
        super().__init__(*arguments)
        self._under_way: list[str] = []
        self._committed: dict[str, int] = {}
        self._watch_commits()

    def _watch_commits(self) -> None:
        receive, wake = streams.receive, Broker.wake

        def noted(connection: sqlite3.Connection, contact: int, frames: Sequence[MessageFrame]) -> Any:
            self._under_way += [frame.text for frame in frames]
            return receive(connection, contact, frames)

        def woken(broker: Broker) -> None:  # the first thing after a commit
            now = time.time_ns()
            self._committed |= dict.fromkeys(self._under_way, now)
            self._under_way.clear()
            wake(broker)

        streams.receive = noted
        Broker.wake = woken  # type: ignore[method-assign,assignment]

    async def say(self, to: str, text: str) -> None:
        """Sends one text."""
        await self.node.send(to, text)

    async def read(self, user: str) -> None:
        """Marks everything from somebody as read."""
        await self.node.read(user)

    async def moments(self) -> dict[str, int]:
        """When each text that came was committed, in nanoseconds since 1970."""
        return self._committed


PAGE = """<!doctype html><title>bare</title><ol></ol><script>
const list = document.querySelector('ol');
const show = text => {
  const li = document.createElement('li');
  li.className = 'text';
  li.textContent = text;
  list.append(li);
};
new WebSocket(`ws://${location.host}/stream`).onmessage = ({ data }) => show(JSON.parse(data).text);
</script>"""


class BareServer:
    """A page with a list, and a WebSocket on which texts come as JSON: no store, no encryption, no order."""

    def __init__(self) -> None:
        self._streams: list[web.WebSocketResponse] = []
        self._sent: dict[str, int] = {}

    async def start(self) -> int:
        """Serves the page: on which port."""
        application = web.Application()
        application.router.add_get("/", self._page)
        application.router.add_get("/stream", self._stream)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port: int = runner.addresses[0][1]
        return port

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        stream = web.WebSocketResponse()
        await stream.prepare(request)
        self._streams.append(stream)
        async for message in stream:
            if message.type is WSMsgType.CLOSE:
                break
        return stream

    async def say(self, text: str) -> None:
        """Passes a text on."""
        self._sent[text] = time.time_ns()
        for stream in self._streams:
            await stream.send_json({"text": text})

    async def moments(self) -> dict[str, int]:
        """When each text was handed over, in nanoseconds since 1970."""
        return self._sent
