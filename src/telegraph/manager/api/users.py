"""``/users``, ``/peers``: who there is and where; ``/heartbeat``, ``/users/reconnect``: I am here."""

from typing import Annotated

from litestar import get, post, put
from litestar.params import FromPath, JSONBody, QueryParameter

from telegraph.errors import (
    AccountDeleted,
    BadSignature,
    BodyTooLarge,
    Conflict,
    ForeignSession,
    IllegalAddress,
    IllegalQuery,
    MalformedBody,
    NotLoggedIn,
    StaleCounter,
    TooMany,
    UnknownUser,
    UnsupportedMedia,
)
from telegraph.manager.api.language import sentence
from telegraph.manager.api.refusals import answers
from telegraph.manager.api.session import (
    Stale,
    TheCaller,
    TheCore,
    TheLanguage,
    lives,
    needs_session,
    session_for_look_up,
)
from telegraph.manager.attendance import require_own
from telegraph.manager.look_ups import marked
from telegraph.protocol.manager_api import (
    Answer,
    HeartbeatRequest,
    ReachableAnswer,
    ReconnectRequest,
    UserAnswer,
    UsersAnswer,
)
from telegraph.rest.bodies import StrictJson

Beginning = Annotated[str, QueryParameter(name="query", max_length=256, description="how the name begins")]

_BODY = (MalformedBody, BodyTooLarge, UnsupportedMedia)


@get(
    "/users/{username:str}",
    guards=[session_for_look_up],
    security=[{"session": []}],
    responses=answers(NotLoggedIn, UnknownUser, AccountDeleted, Conflict),
)
async def user(username: FromPath[str], core: TheCore, caller: TheCaller, stale: Stale) -> UserAnswer:
    """A user: name, address, status, last seen, device key; never the password.

    Without a quorum the answer is what this manager has, marked as stale.
    """
    found, stale = await core.look_ups.ask(lambda people: people.find(username), stale=stale)
    await core.look_ups.note(lambda: core.attendance.seen(caller), stale=stale)
    return UserAnswer(message=marked(found, stale=stale))


@get(
    "/users",
    guards=[session_for_look_up],
    security=[{"session": []}],
    responses=answers(IllegalQuery, NotLoggedIn, Conflict),
)
async def users(
    core: TheCore,
    caller: TheCaller,
    stale: Stale,
    beginning: Beginning = "",
) -> UsersAnswer:
    """Users whose name begins like the query, 50 at most, in the order of names; without a quorum as a look-up."""
    found, stale = await core.look_ups.ask(lambda people: people.search(beginning), stale=stale)
    await core.look_ups.note(lambda: core.attendance.seen(caller), stale=stale)
    return UsersAnswer(message=[marked(each, stale=stale) for each in found])


@get("/peers", guards=[session_for_look_up], security=[{"session": []}], responses=answers(NotLoggedIn, Conflict))
async def peers(core: TheCore, caller: TheCaller, stale: Stale) -> UsersAnswer:
    """The users who are online, the caller among them; without a quorum as a look-up."""
    await core.look_ups.note(lambda: core.attendance.seen(caller), stale=stale)
    found, stale = await core.look_ups.ask(lambda people: people.online(), stale=stale)
    return UsersAnswer(message=[marked(each, stale=stale) for each in found])


@post(
    "/heartbeat",
    status_code=200,
    dto=StrictJson,
    return_dto=None,
    guards=[lives],
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


@post(
    "/reachable",
    status_code=200,
    guards=[needs_session],
    security=[{"session": []}],
    responses=answers(NotLoggedIn, Conflict, TooMany),
)
async def reachable(core: TheCore, caller: TheCaller) -> ReachableAnswer:
    """Whether this manager reaches the caller's node where it is registered; a few times a minute at most."""
    await core.attendance.seen(caller)
    return ReachableAnswer(message=await core.reaching.reaches(caller))


HANDLERS = [user, users, peers, heartbeat, reconnect, reachable]
