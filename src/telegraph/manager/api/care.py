"""``/sessions``, ``/settings``, ``/account``: what an account's owner can do with it."""

from typing import Any

from litestar import Request, delete, get, put
from litestar.params import FromPath, JSONBody

from telegraph.errors import (
    BodyTooLarge,
    Busy,
    Conflict,
    IllegalPassword,
    MalformedBody,
    NotLoggedIn,
    RateLimited,
    UnknownSession,
    UnsupportedMedia,
    WrongCredentials,
)
from telegraph.manager.api.language import sentence
from telegraph.manager.api.refusals import answers
from telegraph.manager.api.session import TheCaller, TheCore, TheLanguage, needs_session, remote_of
from telegraph.manager.care import SESSION_ID_LENGTH
from telegraph.protocol.manager_api import (
    Answer,
    PasswordProof,
    SessionsAnswer,
    SettingsAnswer,
    SettingsChange,
)
from telegraph.rest.bodies import StrictJson

_BODY = (MalformedBody, BodyTooLarge, UnsupportedMedia)


@get("/sessions", guards=[needs_session], security=[{"session": []}], responses=answers(NotLoggedIn, Conflict))
async def sessions(core: TheCore, caller: TheCaller) -> SessionsAnswer:
    """The caller's sessions, the newest first; no tokens."""
    await core.attendance.seen(caller)
    return SessionsAnswer(message=await core.care.sessions(caller))


@delete(
    "/sessions/{session:str}",
    status_code=200,
    guards=[needs_session],
    security=[{"session": []}],
    responses=answers(NotLoggedIn, UnknownSession, Conflict),
)
async def end_session(session: FromPath[str], core: TheCore, caller: TheCaller, language: TheLanguage) -> Answer:
    """Ends one of the caller's sessions. Another device is told at once and its key revoked; one's own is a log-out."""
    if caller.token_hash.startswith(session) and len(session) == SESSION_ID_LENGTH:
        await core.accounts.log_out(caller)
    else:
        await core.attendance.seen(caller)  # first: what is done must not be answered as if it had failed
        await core.care.end_session(caller, session)
    return Answer(message=sentence("session_ended", language))


@get("/settings", guards=[needs_session], security=[{"session": []}], responses=answers(NotLoggedIn, Conflict))
async def settings(core: TheCore, caller: TheCaller) -> SettingsAnswer:
    """What of the caller's account others may see."""
    await core.attendance.seen(caller)
    return SettingsAnswer(message=await core.care.settings(caller))


@put(
    "/settings",
    dto=StrictJson,
    return_dto=None,
    guards=[needs_session],
    security=[{"session": []}],
    responses=answers(*_BODY, NotLoggedIn, Conflict),
)
async def change_settings(data: JSONBody[SettingsChange], core: TheCore, caller: TheCaller) -> SettingsAnswer:
    """Changes what is given, leaves the rest, and answers what holds now."""
    await core.attendance.seen(caller)
    return SettingsAnswer(message=await core.care.change_settings(caller, data))


@delete(
    "/account",
    status_code=200,
    dto=StrictJson,
    return_dto=None,
    guards=[needs_session],
    security=[{"session": []}],
    responses=answers(*_BODY, IllegalPassword, WrongCredentials, NotLoggedIn, Conflict, RateLimited, Busy),
)
async def delete_account(
    data: JSONBody[PasswordProof],
    core: TheCore,
    caller: TheCaller,
    language: TheLanguage,
    request: Request[Any, Any, Any],
) -> Answer:
    """Deletes the caller's account for good; it takes the password again. Nobody ever gets its name."""
    await core.care.delete_account(caller, data.password, remote_of(request))
    return Answer(message=sentence("deleted", language))


HANDLERS = [sessions, end_session, settings, change_settings, delete_account]
