"""The report's calls on a node: ``/receive_message``, ``/notify_read`` from nodes, ``/disconnect`` from a manager.

Who calls is known by certificate; what the body claims must fit it.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Protocol, TypeVar
from uuid import uuid4

import msgspec

from telegraph.errors import ForgedFrame, IllegalText, MalformedBody, TelegraphError, UnknownPath, WrongRole
from telegraph.node import streams
from telegraph.node.database import Database
from telegraph.node.model import Contact, id_bytes, id_text
from telegraph.peer.port import Call, Reply
from telegraph.protocol.frames import MAX_TEXT_BYTES, Marked, NotifyReadRequest, Received, ReceiveRequest
from telegraph.protocol.identity import Holder
from telegraph.protocol.language import language_of
from telegraph.protocol.manager_api import Answer, DisconnectRequest, ErrorAnswer
from telegraph.protocol.names import may_be_same

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class Receiver(Protocol):
    """What the calls need of the node around them."""

    user_id: str
    username: str
    database: Database

    async def identify(self, holder: Holder, username: str) -> Contact:
        """The contact behind a certificate."""
        ...

    def happened(self, contact_id: int) -> None:
        """Something about a contact's messages changed."""
        ...


class CallHandler:
    """Answers calls; every error becomes the documented error answer."""

    def __init__(self, node: Receiver, on_marked_offline: Callable[[str], Awaitable[None]]) -> None:
        """``on_marked_offline`` is told the reason that a manager gives."""
        self._node = node
        self._on_marked_offline = on_marked_offline
        self._paths: dict[str, Callable[[Call], Awaitable[object]]] = {
            "/receive_message": self._receive_message,
            "/notify_read": self._notify_read,
            "/disconnect": self._disconnect,
        }

    async def answer(self, call: Call) -> Reply:
        """Carries out one call."""
        try:
            handler = self._paths.get(call.path)
            if handler is None:
                raise UnknownPath
            return Reply(200, msgspec.json.encode(await handler(call)))
        except TelegraphError as error:
            body = ErrorAnswer(
                message=error.sentence(language_of(call.accept_language)), status=error.status, error=error.code
            )
            return Reply(error.status, msgspec.json.encode(body))

    async def _receive_message(self, call: Call) -> Received:
        _require(call.remote, "user")
        request = _decode(call.body, ReceiveRequest)
        contact = await self._parties(call.remote, request.sender, request.to)
        if not request.text or len(request.text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
            raise IllegalText
        uuid = uuid4().bytes if request.id is None else id_bytes(request.id)
        if uuid is None:
            raise MalformedBody(detail="id is not a UUID")
        sent_at, now = _sent_at(request.timestamp), time.time_ns() // 1000
        new = await self._node.database.write(
            lambda connection: streams.receive_outside(
                connection, contact.id, uuid, request.text, sent_us=sent_at, now_us=now
            )
        )
        if new:
            self._node.happened(contact.id)
        return Received(status="ok", id=id_text(uuid))

    async def _notify_read(self, call: Call) -> Marked:
        _require(call.remote, "user")
        request = _decode(call.body, NotifyReadRequest)
        contact = await self._parties(call.remote, request.sender, request.to)
        marked = await self._node.database.write(lambda connection: streams.read_by_peer(connection, contact.id, None))
        self._node.happened(contact.id)
        return Marked(marked=marked)

    async def _disconnect(self, call: Call) -> Answer:
        _require(call.remote, "manager")
        request = _decode(call.body, DisconnectRequest)
        if request.user_id != self._node.user_id:
            raise ForgedFrame(detail="another user lives here")
        await self._on_marked_offline(request.reason)
        return Answer(message="noted" if language_of(call.accept_language) == "en" else "anotado")

    async def _parties(self, remote: Holder, sender: str, recipient: str) -> Contact:
        """The caller as a contact, if the body names the two who are really there; either may have been renamed."""
        contact = await self._node.identify(remote, sender)
        if not may_be_same(sender, contact.username):
            raise ForgedFrame(detail="the message names another sender")
        if not may_be_same(recipient, self._node.username):
            raise ForgedFrame(detail="the message names another recipient")
        return contact


def _require(remote: Holder, role: str) -> None:
    if remote.role != role:
        raise WrongRole


def _sent_at(timestamp: str | None) -> int:
    """The sender's clock, for show only: microseconds since 1970; ours if the sender does not tell."""
    if timestamp is None:
        return time.time_ns() // 1000
    try:
        moment = msgspec.convert(timestamp, _Time)
    except msgspec.ValidationError:
        raise MalformedBody(detail="timestamp is not RFC 3339") from None
    if moment < _EPOCH:
        raise MalformedBody(detail="timestamp is before 1970")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _decode(body: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise MalformedBody(detail=str(problem)) from None
