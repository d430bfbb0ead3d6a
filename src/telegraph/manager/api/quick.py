"""A look-up, a heartbeat and a registration as nodes send them, answered without Litestar.

Most calls are one of the first two; registrations come in crowds when an organisation begins.

What is documented is Litestar's (:mod:`telegraph.manager.api.users`). This gives the same answers to the same requests
in the good case, which a test holds against Litestar's, and leaves all else to it: odd headers, long bodies, errors.
Nothing has changed by then that would not change there.
"""

import asyncio
from functools import lru_cache
from typing import Any, Final

import msgspec
from litestar.types import Receive

from telegraph.directory.quorum import bounded
from telegraph.errors import DirectoryUnavailable, Language, TelegraphError
from telegraph.manager.api.language import sentence
from telegraph.manager.api.registered import registered
from telegraph.manager.api.session import bearer, who_lives
from telegraph.manager.attendance import require_own
from telegraph.manager.core import Core
from telegraph.manager.look_ups import FRESH_WITHIN
from telegraph.manager.sessions import Caller, find_caller
from telegraph.protocol.language import language_of
from telegraph.protocol.manager_api import (
    Answer,
    HeartbeatRequest,
    RegisterRequest,
    User,
    UserAnswer,
)

USERS: Final = "/users/"
USER_ROUTE: Final = "/users/{username}"
HEARTBEAT: Final = "/heartbeat"
REGISTER: Final = "/register"

HERE_WITHIN: Final = 0.6
"""Seconds for what this manager's own member has, which takes it milliseconds; then Litestar says what is wrong."""

QUICK_WITHIN: Final = FRESH_WITHIN + HERE_WITHIN
"""Seconds that are spent here at most before a request is left to Litestar, but for waiting for its body."""

_MAX_BODY: Final = 1024
_MAX_LANGUAGE: Final = 200
_READ: Final = frozenset((b"authorization", b"accept-language", b"content-type", b"content-length"))
_UNUSUAL: Final = frozenset((b"transfer-encoding", b"expect"))
_JSON: Final = b"application/json"

Headers = dict[bytes, bytes]

_encode: Final = msgspec.json.Encoder().encode
_heartbeat: Final = msgspec.json.Decoder(HeartbeatRequest).decode
_registration: Final = msgspec.json.Decoder(RegisterRequest).decode


class Quick:
    """Answers as Litestar would, or not at all."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def look_up(self, scope: Any) -> bytes | None:
        """The body of the answer to ``GET /users/<name>``, None if Litestar is to give it."""
        headers = self._usual(scope["headers"])
        username = scope["path"][len(USERS) :]
        if headers is None or b"content-type" in headers or b"content-length" in headers:
            return None
        if not username or "/" in username:
            return None
        try:
            found = await self._find(headers, username)
        except (TelegraphError, TimeoutError):
            return None
        return _encode(UserAnswer(message=found))

    async def _find(self, headers: Headers, username: str) -> User:
        token = _token(headers)
        try:
            async with asyncio.timeout(FRESH_WITHIN):
                caller = await find_caller(self._core.recent, token)
                found = await self._core.people.find(username)
                await self._core.attendance.seen(caller)
        except (TimeoutError, DirectoryUnavailable):
            async with asyncio.timeout(HERE_WITHIN):
                return await self._core.look_ups.known_user(token, username)
        return found

    async def heartbeat(self, scope: Any, receive: Receive) -> tuple[bytes | None, Receive]:
        """The body of the answer to ``POST /heartbeat``, None if Litestar is to give it, by this ``receive``."""
        headers = self._usual(scope["headers"])
        if headers is None or headers.get(b"content-type") != _JSON or not _is_short(headers):
            return None, receive
        try:
            caller = await who_lives(self._core, _token(headers), FRESH_WITHIN)  # Litestar needs time as well then
        except (TelegraphError, TimeoutError):
            return None, receive
        if caller.user_id not in self._core.attendance.live:
            return None, receive  # it takes a write
        message: Any = await receive()
        return await self._beat(caller, headers, message), _replaying(message, receive)

    async def _beat(self, caller: Caller, headers: Headers, message: Any) -> bytes | None:
        if message["type"] != "http.request" or message.get("more_body", False):
            return None
        try:
            require_own(caller, _heartbeat(message["body"]).username)
            await self._core.attendance.heard(caller)
        except (TelegraphError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return _noted(headers.get(b"accept-language", b""))

    async def register(self, scope: Any, receive: Receive) -> tuple[bytes | None, Receive]:
        """The body of the answer to ``POST /register``, None if Litestar is to give it, by this ``receive``.

        Raises:
            TelegraphError: nobody was registered, as far as is known; Litestar must not try it again.
        """
        headers = self._usual(scope["headers"])
        if headers is None or headers.get(b"content-type") != _JSON or not _is_short(headers):
            return None, receive
        message: Any = await receive()
        if message["type"] != "http.request" or message.get("more_body", False):
            return None, _replaying(message, receive)
        try:
            wanted = _registration(message["body"])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None, _replaying(message, receive)
        async with bounded(self._core.quorum):
            account = await self._core.accounts.register(wanted)
        return _encode(registered(account, _language(headers.get(b"accept-language", b"")))), receive

    def _usual(self, headers: list[tuple[bytes, bytes]]) -> Headers | None:
        """As :func:`usual`; None also while there is no quorum, of which the longer way knows more."""
        return None if self._core.look_ups.lost() else usual(headers)


def usual(headers: list[tuple[bytes, bytes]]) -> Headers | None:
    """The headers that matter, None if some are not as nodes send them."""
    found: Headers = {}
    for name, value in headers:
        if name in _READ:
            if name in found:
                return None
            found[name] = value
        elif name in _UNUSUAL:
            return None
    return None if len(found.get(b"accept-language", b"")) > _MAX_LANGUAGE else found


def _token(headers: Headers) -> str:
    return bearer(headers.get(b"authorization", b"").decode("latin-1"))


def _is_short(headers: Headers) -> bool:
    length = headers.get(b"content-length", b"")
    return length.isdigit() and 0 < int(length) <= _MAX_BODY


def _replaying(message: Any, receive: Receive) -> Receive:
    """Receives a message that was taken already, and then the rest."""
    taken = [message]

    async def again() -> Any:
        return taken.pop() if taken else await receive()

    return again


@lru_cache(maxsize=64)
def _language(accept_language: bytes) -> Language:
    return language_of(accept_language.decode("latin-1"))


@lru_cache(maxsize=64)
def _noted(accept_language: bytes) -> bytes:
    return _encode(Answer(message=sentence("heartbeat", _language(accept_language))))
