"""``/register``, ``/login``, ``/password``, ``/logout``, ``/certificate``."""

from typing import Any

from litestar import Request, post
from litestar.params import JSONBody

from telegraph.errors import (
    BadSignature,
    BodyTooLarge,
    Busy,
    Conflict,
    IllegalAddress,
    IllegalCsr,
    IllegalInvite,
    IllegalName,
    IllegalPassword,
    InviteNeeded,
    MalformedBody,
    NameTaken,
    NotLoggedIn,
    RateLimited,
    RegistrationClosed,
    Renamed,
    RevokedKey,
    StaleCounter,
    TooManyDevices,
    UnsupportedMedia,
    WrongCredentials,
)
from telegraph.manager.api.language import sentence
from telegraph.manager.api.refusals import answers
from telegraph.manager.api.registered import registered
from telegraph.manager.api.session import TheCaller, TheCore, TheLanguage, needs_session, remote_of
from telegraph.protocol.manager_api import (
    Answer,
    CertificateAnswer,
    CertificateRequest,
    LoggedIn,
    LoginRequest,
    PasswordRequest,
    Registered,
    RegisterRequest,
)
from telegraph.rest.bodies import StrictJson

_BODY = (MalformedBody, BodyTooLarge, UnsupportedMedia)


@post(
    "/register",
    dto=StrictJson,
    return_dto=None,
    responses=answers(
        *_BODY,
        IllegalName,
        IllegalPassword,
        IllegalAddress,
        RegistrationClosed,
        InviteNeeded,
        IllegalInvite,
        NameTaken,
        Conflict,
        Busy,
    ),
)
async def register(data: JSONBody[RegisterRequest], core: TheCore, language: TheLanguage) -> Registered:
    """Makes an account. It is offline until its first log-in."""
    account = await core.accounts.register(data)
    return registered(account, language)


@post(
    "/login",
    status_code=200,
    dto=StrictJson,
    return_dto=None,
    responses=answers(
        *_BODY,
        IllegalPassword,
        IllegalAddress,
        IllegalCsr,
        WrongCredentials,
        BadSignature,
        RevokedKey,
        StaleCounter,
        Renamed,
        Conflict,
        RateLimited,
        TooManyDevices,
        Busy,
    ),
)
async def login(
    data: JSONBody[LoginRequest], core: TheCore, language: TheLanguage, request: Request[Any, Any, Any]
) -> LoggedIn:
    """Starts a session; the user is online at the given address.

    With a certificate signing request the session belongs to that device, gets it a certificate, and ends the session
    of the device before, whose key is revoked if it is another one. A revoked key is refused: come with a new one.
    """
    done = await core.accounts.log_in(data, remote_of(request))
    return LoggedIn(
        message=sentence("logged_in", language),
        token=done.token,
        user_id=done.account.user_id,
        username=done.account.username,
        ca=core.ca_pem,
        heartbeat_interval=core.settings.heartbeat_interval,
        offline_after=core.settings.offline_after,
        site=core.settings.site,
        counter=done.counter,
        certificate=done.certificate,
        managers=core.roster.urls,
        replaced=done.replaced,
        provisional=done.account.name_state == "provisional",
    )


@post(
    "/password",
    status_code=200,
    dto=StrictJson,
    return_dto=None,
    guards=[needs_session],
    security=[{"session": []}],
    responses=answers(*_BODY, IllegalPassword, WrongCredentials, NotLoggedIn, Conflict, RateLimited, Busy),
)
async def password(
    data: JSONBody[PasswordRequest],
    core: TheCore,
    caller: TheCaller,
    language: TheLanguage,
    request: Request[Any, Any, Any],
) -> Answer:
    """Changes the caller's password; all other sessions of the user end, and a device among them loses its key."""
    await core.attendance.seen(caller)  # first: what is done must not be answered as if it had failed
    await core.accounts.change_password(caller, data.old, data.new, remote_of(request))
    return Answer(message=sentence("password", language))


@post(
    "/logout",
    status_code=200,
    guards=[needs_session],
    security=[{"session": []}],
    responses=answers(NotLoggedIn, Conflict),
)
async def logout(core: TheCore, caller: TheCaller, language: TheLanguage) -> Answer:
    """Ends the session; the user is offline at once."""
    await core.accounts.log_out(caller)
    return Answer(message=sentence("logged_out", language))


@post(
    "/certificate",
    status_code=200,
    dto=StrictJson,
    return_dto=None,
    guards=[needs_session],
    security=[{"session": []}],
    responses=answers(*_BODY, IllegalCsr, NotLoggedIn, Conflict),
)
async def certificate(
    data: JSONBody[CertificateRequest], core: TheCore, caller: TheCaller, language: TheLanguage
) -> CertificateAnswer:
    """Gives the caller's device a new certificate for the same key, before the old one runs out."""
    await core.attendance.seen(caller)
    renewed = await core.accounts.renew_certificate(caller, data.csr)
    return CertificateAnswer(message=sentence("certificate", language), certificate=renewed)


HANDLERS = [register, login, password, logout, certificate]
