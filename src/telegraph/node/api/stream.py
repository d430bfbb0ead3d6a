"""The event stream of the local API: ``WS /api/v1/events?cursor=``."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from litestar.params import FromQuery

from telegraph.node.api import views
from telegraph.node.app import Node
from telegraph.node.event_log import LoggedEvent

_encode = msgspec.json.Encoder().encode


@websocket("/events")
async def events(
    socket: WebSocket[Any, Any, Any], node: NamedDependency[Node], cursor: FromQuery[int | None] = None
) -> None:
    """Everybody's presence first, then every event from now on, or since a cursor; nothing is missed.

    While the node is locked only events of the account come; what is stored follows once it is unlocked.
    """
    await socket.accept()
    sending = asyncio.create_task(_send(socket, node, node.follow(cursor)))
    hearing = asyncio.create_task(_until_gone(socket))
    await asyncio.wait((sending, hearing), return_when=asyncio.FIRST_COMPLETED)
    for task in (sending, hearing):
        task.cancel()
    await asyncio.gather(sending, hearing, return_exceptions=True)


async def _send(socket: WebSocket[Any, Any, Any], node: Node, followed: AsyncIterator[LoggedEvent]) -> None:
    cursor = node.cursor
    for contact in node.contacts:
        presence = msgspec.structs.replace(views.presence(node, contact), cursor=cursor)
        await socket.send_text(_encode(presence).decode())
    async for number, happened in followed:
        await socket.send_text(_encode(views.event(number, happened)).decode())


async def _until_gone(socket: WebSocket[Any, Any, Any]) -> None:
    """Reads and ignores whatever the page says, until it leaves."""
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_data("text")
