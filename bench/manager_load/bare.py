"""The baseline: a Litestar handler that returns a constant, over HTTPS, on uvicorn. ``python bare.py SERVER``.

``stock`` is uvicorn with its httptools and nothing of ours, ``ours`` the same application on telegraph.rest.server. It
answers a look-up and a heartbeat in as many bytes as a manager does, and heartbeats on an event stream.
"""

import socket
import sys
from typing import Any

import msgspec
import uvicorn
import uvloop
from litestar import Litestar, WebSocket, get, post, websocket

from telegraph.cli.running import allow_many_connections
from telegraph.manager.server import server_context
from telegraph.protocol.manager_api import Answer, User, UserAnswer
from telegraph.protocol.manager_events import HeartbeatReceived, encode_event
from telegraph.rest.server import Server
from telegraph.testing.certificates import Organisation

_USER = UserAnswer(
    User(
        username="user00001",
        user_id="0" * 32,
        ip="10.0.0.1",
        port=8000,
        status="online",
        last_seen="2026-11-24T17:50:45.123456Z",
        device_key=None,
        counter=1764000000000,
        signature=None,
    )
)


@get("/users/{username:str}")
async def user(username: str) -> UserAnswer:  # noqa: ARG001 - a constant
    """Always the same user."""
    return _USER


@post("/heartbeat", status_code=200)
async def heartbeat() -> Answer:
    """Always the same sentence."""
    return Answer("heartbeat recibido")


@websocket("/events")
async def events(socket: WebSocket[Any, Any, Any]) -> None:
    """Answers heartbeats."""
    await socket.accept()
    answer = encode_event(HeartbeatReceived()).decode()
    while (await socket.receive())["type"] == "websocket.receive":
        await socket.send_text(answer)


async def _serve(kind: str) -> None:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(2048)
    context = server_context(Organisation().manager())
    application = Litestar([user, heartbeat, events], openapi_config=None, logging_config=None)
    server: uvicorn.Server = Server(application, context) if kind == "ours" else _stock(application, context)
    print(f"Bare ready: https://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    await server.serve([listening])


def _stock(application: Any, context: Any) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            application,
            http="httptools",
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ssl_context_factory=lambda _config, _default: context,
        )
    )


if __name__ == "__main__":
    allow_many_connections()
    msgspec.json.encode(_USER)
    uvloop.run(_serve(sys.argv[-1]))
