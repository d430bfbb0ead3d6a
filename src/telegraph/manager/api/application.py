"""The whole of what a manager answers, as one ASGI application."""

import asyncio
from functools import partial
from typing import Any, Final

from litestar import Litestar
from litestar.datastructures import State
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from telegraph.manager.api import account, care, cluster, service, users
from telegraph.manager.api.events import Events
from telegraph.manager.api.in_time import in_time
from telegraph.manager.api.openapi import DESCRIPTION
from telegraph.manager.api.quick import HEARTBEAT, REGISTER, USER_ROUTE, USERS, Quick
from telegraph.manager.api.session import dependencies, state_of
from telegraph.manager.core import Core
from telegraph.manager.metrics import Metrics
from telegraph.rest.bodies import require_json
from telegraph.rest.errors import MAX_BODY_BYTES, handlers, plain_answer


def rest_application(core: Core) -> Litestar:
    """The REST calls."""
    return Litestar(
        [*account.HANDLERS, *care.HANDLERS, *users.HANDLERS, *service.HANDLERS, *cluster.HANDLERS],
        dependencies=dependencies(),
        exception_handlers=handlers(),
        before_request=require_json,
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=DESCRIPTION.config(),
        state=State(state_of(core)),
        logging_config=None,
        debug=False,
    )


class Application:
    """REST calls to Litestar, the most frequent by a shorter way, WebSockets to the event stream; counts requests."""

    def __init__(self, core: Core) -> None:
        self._rest = in_time(rest_application(core), core.quorum)
        self._quick = Quick(core)
        self._events = Events(core)
        self._metrics = core.metrics

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One connection or request."""
        if scope["type"] == "websocket":
            await self._events(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Any, receive: Receive, send: Send) -> None:
        begun, body, route, status = now(), None, "", 200
        method, path = scope["method"], scope["path"]
        if method == "GET" and path.startswith(USERS):
            route, body = USER_ROUTE, await self._quick.look_up(scope)
        elif method == "POST" and path == HEARTBEAT:
            route = HEARTBEAT
            body, receive = await self._quick.heartbeat(scope, receive)
        elif method == "POST" and path == REGISTER:
            route, status = REGISTER, 201
            try:
                body, receive = await self._quick.register(scope, receive)
            except Exception as problem:  # noqa: BLE001 - whatever it was, the caller gets an answer
                language = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
                await self._answer(method, route, plain_answer(problem, language, route), send, begun)
                return
        if body is None:
            await _counted(partial(self._rest, begun), self._metrics, scope, receive, send, begun)
            return
        await self._answer(method, route, (status, _head(body), body), send, begun)

    async def _answer(
        self, method: str, route: str, said: tuple[int, list[tuple[bytes, bytes]], bytes], send: Any, begun: float
    ) -> None:
        status, headers, body = said
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})
        self._metrics.count_request(method, route, status, now() - begun)


def now() -> float:
    """Seconds by the event loop's clock."""
    return asyncio.get_running_loop().time()


def _head(body: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]


async def _counted(app: ASGIApp, metrics: Metrics, scope: Scope, receive: Receive, send: Send, begun: float) -> None:
    status = 500

    async def watching_send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        await send(message)

    try:
        await app(scope, receive, watching_send)
    finally:
        route = str(scope.get("path_template") or "none")
        method = str(scope["method"]) if scope["method"] in _METHODS else "other"  # type: ignore[typeddict-item]
        metrics.count_request(method, route, status, now() - begun)


_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))
