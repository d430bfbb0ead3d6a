"""``/users``, ``/peers``: who there is and where; ``/heartbeat``, ``/users/reconnect``: I am here."""

from typing import Annotated

from litestar import get, post, put
from litestar.params import FromPath, JSONBody, QueryParameter

from telegraph.errors import (
    BadSignature,
    BodyTooLarge,
    Conflict,
    ForeignSession,
    IllegalAddress,
    IllegalQuery,
    MalformedBody,
    NotLoggedIn,
    StaleCounter,
    UnknownUser,
    UnsupportedMedia,
)
from telegraph.manager.api.language import sentence
from telegraph.manager.api.refusals import answers
from telegraph.manager.api.session import TheCaller, TheCore, TheLanguage, needs_session
from telegraph.manager.attendance import require_own
from telegraph.protocol.manager_api import (
    Answer,
    HeartbeatRequest,
    ReconnectRequest,
    UserAnswer,
    UsersAnswer,
)
from telegraph.rest.bodies import StrictJson

Beginning = Annotated[str, QueryParameter(name="query", max_length=256, description="how the name begins")]

_BODY = (MalformedBody, BodyTooLarge, UnsupportedMedia)


@get(
    "/users/{username:str}",
    guards=[needs_session],
    security=[{"session": []}],
    responses=answers(NotLoggedIn, UnknownUser, Conflict),
)
async def user(username: FromPath[str], core: TheCore, caller: TheCaller) -> UserAnswer:
    """A user: name, address, status, last seen, device key; never the password."""
    found = await core.people.find(username)
    await core.attendance.seen(caller)
    return UserAnswer(message=found)


@get(
    "/users",
    guards=[needs_session],
    security=[{"session": []}],
    responses=answers(IllegalQuery, NotLoggedIn, Conflict),
)
async def users(
    core: TheCore,
    caller: TheCaller,
    beginning: Beginning = "",
) -> UsersAnswer:
    """Users whose name begins like the query, 50 at most, in the order of names."""
    found = await core.people.search(beginning)
    await core.attendance.seen(caller)
    return UsersAnswer(message=found)


@get("/peers", guards=[needs_session], security=[{"session": []}], responses=answers(NotLoggedIn, Conflict))
async def peers(core: TheCore, caller: TheCaller) -> UsersAnswer:
    """The users who are online, the caller among them."""
    await core.attendance.seen(caller)
    return UsersAnswer(message=await core.people.online())


@post(
    "/heartbeat",
    status_code=200,
    dto=StrictJson,
    return_dto=None,
    guards=[needs_session],
    security=[{"session": []}],
    responses=answers(*_BODY, NotLoggedIn, ForeignSession, Conflict),
)
async def heartbeat(
    data: JSONBody[HeartbeatRequest], core: TheCore, caller: TheCaller, language: TheLanguage
) -> Answer:
    """The caller lives; a user who was marked offline is online again at once."""
    require_own(caller, data.username)
    await core.attendance.heard(caller)
    return Answer(message=sentence("heartbeat", language))


@put(
    "/users/reconnect/{ip:str}/{username:str}",
    dto=StrictJson,
    return_dto=None,
    guards=[needs_session],
    security=[{"session": []}],
    responses=answers(*_BODY, IllegalAddress, NotLoggedIn, ForeignSession, BadSignature, StaleCounter, Conflict),
)
async def reconnect(
    ip: FromPath[str],
    username: FromPath[str],
    core: TheCore,
    caller: TheCaller,
    language: TheLanguage,
    data: JSONBody[ReconnectRequest | None] = None,
) -> Answer:
    """The caller's node is at another address now. The body is optional; without a port the known one stays."""
    require_own(caller, username)
    await core.attendance.reconnect(caller, ip, data or ReconnectRequest())
    return Answer(message=sentence("moved", language))


HANDLERS = [user, users, peers, heartbeat, reconnect]
