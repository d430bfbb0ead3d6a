"""Every call of the API is answered in time: one budget for all that it does, at one place.

The budget is :class:`telegraph.directory.quorum.Budget`; a single manager has none, since it waits for no others. What
the caller takes to send the body or to read the answer is not charged to it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from telegraph.directory.quorum import Budget, Quorum
from telegraph.errors import TelegraphError
from telegraph.manager.api.quick import QUICK_WITHIN
from telegraph.rest.errors import error_body

Timed = Callable[[float, Scope, Receive, Send], Awaitable[None]]
"""An ASGI application that is also told when the request came, by the event loop's clock."""


def in_time(app: ASGIApp, quorum: Quorum | None) -> Timed:
    """The application, with every request kept to the budget; what does not is answered with the error for it."""

    async def timed(begun: float, scope: Scope, receive: Receive, send: Send) -> None:
        if quorum is None:
            await app(scope, receive, send)
            return
        try:
            spent = asyncio.get_running_loop().time() - begun
            async with Budget(quorum, spent=min(spent, QUICK_WITHIN)) as budget:
                await app(scope, *_uncharged(budget, receive, send))
        except TelegraphError as error:
            await _answer(scope, send, error)

    return timed


def _uncharged(budget: Budget, receive: Receive, send: Send) -> tuple[Receive, Send]:
    async def receiving() -> Any:
        with budget.stopped():
            return await receive()

    async def sending(message: Message) -> None:
        budget.close()
        await send(message)

    return receiving, sending


async def _answer(scope: Any, send: Any, error: TelegraphError) -> None:
    languages = [value for name, value in scope["headers"] if name == b"accept-language"]
    body, headers = error_body(error, b"".join(languages[:1]).decode("latin-1"))
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    pairs.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": error.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body, "more_body": False})
