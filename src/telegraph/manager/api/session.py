"""Who calls: the bearer token of a request, checked before its body is read."""

import asyncio
from typing import Any, Final

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler

from telegraph.errors import DirectoryUnavailable, Language, NotLoggedIn
from telegraph.manager.core import Core
from telegraph.manager.look_ups import FRESH_WITHIN
from telegraph.manager.sessions import Caller, find_caller
from telegraph.protocol.language import language_of

TheCore = NamedDependency[Core]
TheCaller = NamedDependency[Caller]
TheLanguage = NamedDependency[Language]
Stale = NamedDependency[bool]

_CALLER: Final = "telegraph_caller"
_STALE: Final = "telegraph_stale"
_CORE: Final = "telegraph_core"


def bearer(authorization: str) -> str:
    """The token in an Authorization header.

    Raises:
        NotLoggedIn: there is none.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotLoggedIn
    return token.strip()


async def who_lives(core: Core, token: str, within: float | None) -> Caller:
    """Who sends a heartbeat. Of whoever sent the last one that is known here, without a quorum too.

    ``within`` is how many seconds to wait for the directory's word, None for as long as it takes.

    Raises:
        NotLoggedIn: no session, or one that has ended.
        DirectoryUnavailable, TimeoutError: it cannot be said.
    """
    if core.look_ups.lost():
        known = core.attendance.last_caller(token)
        if known is not None:
            return known
    try:
        async with asyncio.timeout(within):
            return await find_caller(core.recent, token)
    except (DirectoryUnavailable, TimeoutError):
        known = core.attendance.last_caller(token)
        if known is None:
            raise
        return known


async def needs_session(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Litestar guard of calls that need a session.

    Raises:
        NotLoggedIn: no session, or one that has ended.
    """
    core: Core = connection.app.state[_CORE]
    token = bearer(connection.headers.get("authorization", ""))
    connection.state[_CALLER] = await find_caller(core.recent, token)


async def lives(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Litestar guard of heartbeats: as :func:`needs_session`, but also without a quorum, of whoever sent the last one.

    Raises:
        NotLoggedIn: no session, or one that has ended.
        DirectoryUnavailable: without a quorum, if the session is not known here.
    """
    core: Core = connection.app.state[_CORE]
    token = bearer(connection.headers.get("authorization", ""))
    within = None if core.attendance.last_caller(token) is None else FRESH_WITHIN
    connection.state[_CALLER] = await who_lives(core, token, within)


async def session_for_look_up(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Litestar guard of look-ups: as :func:`needs_session`, but also without a quorum; then what they find is stale.

    Raises:
        NotLoggedIn: no session, or one that has ended.
        DirectoryUnavailable: without a quorum, if the session is not known here.
    """
    core: Core = connection.app.state[_CORE]
    token = bearer(connection.headers.get("authorization", ""))
    connection.state[_CALLER], connection.state[_STALE] = await core.look_ups.caller(token)


def _stale(request: Request[Any, Any, Any]) -> bool:
    stale: bool = request.state[_STALE]
    return stale


def _caller(request: Request[Any, Any, Any]) -> Caller:
    caller: Caller = request.state[_CALLER]
    return caller


def _core(request: Request[Any, Any, Any]) -> Core:
    core: Core = request.app.state[_CORE]
    return core


def _language(request: Request[Any, Any, Any]) -> Language:
    return language_of(request.headers.get("accept-language", ""))


def remote_of(request: Request[Any, Any, Any]) -> str:
    """The caller's IP address."""
    return request.client.host if request.client else ""


def state_of(core: Core) -> dict[str, Any]:
    """The Litestar state that the dependencies read."""
    return {_CORE: core}


def dependencies() -> dict[str, Provide]:
    """What handlers can ask for: ``core``, ``language``; behind a guard ``caller``, in look-ups ``stale`` too."""
    return {
        "core": Provide(_core, sync_to_thread=False),
        "caller": Provide(_caller, sync_to_thread=False),
        "stale": Provide(_stale, sync_to_thread=False),
        "language": Provide(_language, sync_to_thread=False),
    }
