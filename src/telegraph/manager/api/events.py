"""The event stream ``/events`` (:mod:`telegraph.protocol.manager_events`), as a plain ASGI application.

Litestar could only close an unwelcome WebSocket; here it gets the documented error answer with its status, so that a
node can tell an ended session from a manager that is out of order.
"""

import asyncio
import contextlib
from typing import Any, Final

import msgspec
import structlog
from litestar.types import Receive, Scope, Send

from telegraph.directory.quorum import bounded
from telegraph.errors import NotLoggedIn, TelegraphError, TooMany, UnknownPath
from telegraph.manager.api.session import bearer
from telegraph.manager.core import Core
from telegraph.manager.sessions import Caller, ending_of, find_caller, is_user_id, stored_ending
from telegraph.manager.streams import Stream
from telegraph.protocol.language import language_of
from telegraph.protocol.manager_events import (
    FromNode,
    Heartbeat,
    HeartbeatReceived,
    Leaving,
    Revocations,
    SessionEnded,
    StreamError,
    Unwatch,
    UserChanged,
    UserGone,
    Watch,
    decode_from_node,
    encode_event,
)
from telegraph.rest.errors import error_body, malformed
from telegraph.tracing import code_path

log = structlog.get_logger(__name__)

PATH: Final = "/events"
_NORMAL, _TRY_AGAIN = 1000, 1013  # RFC 6455, section 7.4.1, and IANA's registry


class Events:
    """Serves event streams."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One WebSocket connection."""
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        language = headers.get(b"accept-language", "")
        await receive()  # websocket.connect
        try:
            caller = await self._welcome(scope["path"], headers)
        except TelegraphError as error:
            if isinstance(error, NotLoggedIn) and await self._explain(headers, send):
                return
            await _refuse(send, error, language)
            return
        stream = self._core.hub.open(caller)
        self._core.roster.greet(stream)
        try:
            await _accept(send)
            await _Conversation(self._core, stream, language).hold(receive, send)
        finally:
            self._core.hub.discard(stream)

    async def _welcome(self, path: str, headers: dict[bytes, str]) -> Caller:
        if path != PATH:
            raise UnknownPath
        async with bounded(self._core.quorum):
            caller = await find_caller(self._core.recent, bearer(headers.get(b"authorization", "")))
            await self._core.attendance.heard(caller)
        return caller

    async def _explain(self, headers: dict[bytes, str], send: Send) -> bool:
        """Tells a device that was away why its session ended; False if that is not known."""
        try:
            ending = await ending_of(self._core.directory, bearer(headers.get(b"authorization", "")))
        except TelegraphError:
            return False
        if ending is None:
            return False
        with contextlib.suppress(ConnectionResetError):
            await _accept(send)
            await _say(send, _text(encode_event(SessionEnded(ending.reason, ending.at)).decode()))
            await _say(send, {"type": "websocket.close", "code": _NORMAL, "reason": ""})
        return True


async def _say(send: Send, message: Any) -> None:
    """Sends on a stream.

    Raises:
        ConnectionResetError: it is over. uvicorn, which closes a stream itself if what came on it is no WebSocket
            frame, says so by a RuntimeError.
    """
    try:
        await send(message)
    except RuntimeError as problem:
        raise ConnectionResetError from problem


class _Conversation:
    """What is said on one stream."""

    def __init__(self, core: Core, stream: Stream, accept_language: str) -> None:
        self._core = core
        self._stream = stream
        self._language = language_of(accept_language)

    async def hold(self, receive: Receive, send: Send) -> None:
        """Listens and speaks until either end is done."""
        hearing, speaking = asyncio.ensure_future(self._hear(receive)), asyncio.ensure_future(self._speak(send))
        try:
            await asyncio.wait((hearing, speaking), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (hearing, speaking):
                task.cancel()
            for outcome in await asyncio.gather(hearing, speaking, return_exceptions=True):
                if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
                    log.error("stream_failed", kind=type(outcome).__name__, at=code_path(outcome))

    async def _speak(self, send: Send) -> None:
        while (event := await self._stream.next()) is not None:
            await _say(send, _text(encode_event(event).decode()))
        code = _TRY_AGAIN if self._stream.too_slow else _NORMAL
        await _say(send, {"type": "websocket.close", "code": code, "reason": ""})

    async def _hear(self, receive: Receive) -> None:
        while True:
            message: Any = await receive()
            if message["type"] == "websocket.disconnect":
                return
            if self._stream.closing:  # a heartbeat of an ended session is no sign of life
                continue
            try:
                await self._take(_decode(message))
            except NotLoggedIn:
                self._stream.close(await self._farewell())
                await asyncio.Event().wait()  # the other half says it, closes, and ends this one
            except TelegraphError as error:
                await self._stream.answer(StreamError(error.code, error.sentence(self._language)))

    async def _farewell(self) -> SessionEnded:
        caller = self._stream.caller
        with contextlib.suppress(TelegraphError):
            ending = await stored_ending(self._core.directory, caller.user_id, caller.token_hash)
            if ending is not None:
                return SessionEnded(ending.reason, ending.at)
        return SessionEnded("logged_out")

    async def _take(self, event: FromNode) -> None:
        match event:
            case Heartbeat():
                async with bounded(self._core.quorum):
                    await self._core.attendance.heard(self._stream.caller)
                await self._stream.answer(HeartbeatReceived())
            case Leaving():
                async with bounded(self._core.quorum):
                    await self._core.attendance.leave(self._stream.caller)
                self._stream.close()
            case Watch():
                for user_id in event.users:
                    await self._watch(user_id)
            case Unwatch():
                self._core.hub.unwatch(self._stream, event.users)
            case Revocations():
                await self._stream.room()
                self._core.hub.tell_of_revocations(self._stream, self._core.revoked.since(event.after))

    async def _watch(self, user_id: str) -> None:
        """Watches first and reads then, so that no change falls in between; nothing waits after the read."""
        await self._stream.room()
        if not is_user_id(user_id):
            self._stream.tell(UserGone(user_id))
            return
        if not self._core.hub.watch(self._stream, user_id):
            raise TooMany
        user = await self._core.people.by_id(user_id)
        deleted = user is None and await self._core.people.is_deleted(user_id)
        self._stream.tell(UserGone(user_id, deleted=deleted) if user is None else UserChanged(user))


def _decode(message: dict[str, Any]) -> FromNode:
    text = message.get("text")
    try:
        event: FromNode = decode_from_node(message.get("bytes") or b"" if text is None else text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise malformed(problem) from None
    return event


async def _accept(send: Send) -> None:
    await send({"type": "websocket.accept", "subprotocol": None, "headers": []})


def _text(text: str) -> Any:
    return {"type": "websocket.send", "text": text, "bytes": None}


async def _refuse(send: Any, error: TelegraphError, accept_language: str) -> None:
    """Answers the upgrade request with an error (the ASGI extension websocket.http.response, which uvicorn has)."""
    body, headers = error_body(error, accept_language)
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": pairs})
    await send({"type": "websocket.http.response.body", "body": body})
