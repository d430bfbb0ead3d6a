"""The calls of the local API. Each is a thin shell around one method of the node."""

from typing import Annotated, Any

from litestar import Request, Response, Router, delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream

from telegraph.errors import (
    Busy,
    DataUnreadable,
    DiskFailed,
    ForeignOrigin,
    IllegalInvite,
    IllegalName,
    IllegalPassword,
    IllegalQuery,
    IllegalText,
    InviteNeeded,
    ManagerAway,
    NameTaken,
    OtherAccount,
    RateLimited,
    RegistrationClosed,
    RequestIdUsed,
    UnknownMessage,
    WrongCredentials,
    WrongPassword,
)
from telegraph.node.api import account_calls, doctor_calls, entrance, message_calls, settings_calls, views
from telegraph.node.api.download import pieces_of, taken
from telegraph.node.api.guard import Guard, LocalGuard
from telegraph.node.api.log_in import LogIn, on_this_machine
from telegraph.node.api.people import PEOPLE_ROUTES
from telegraph.node.api.refusals import ABOUT_SOMEBODY, ALWAYS, BODY, MEMBER
from telegraph.node.api.stream import events
from telegraph.node.app import Node
from telegraph.node.backup import unsent
from telegraph.node.model import as_api_message
from telegraph.protocol import node_api as api
from telegraph.rest.bodies import StrictJson
from telegraph.rest.errors import answers

MAX_PAGE = 1000
Before = Annotated[str | None, QueryParameter(max_length=36, description="id of a message")]
After = Annotated[str | None, QueryParameter(max_length=36, description="id of a message, instead of before")]
Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE, description="messages at most")]
Query = Annotated[
    str, QueryParameter(name="query", max_length=256, description="how the name begins; empty: who is online")
]


@post(
    "/account",
    dto=StrictJson,
    return_dto=None,
    responses=answers(
        IllegalName,
        IllegalPassword,
        IllegalInvite,
        NameTaken,
        OtherAccount,
        RegistrationClosed,
        InviteNeeded,
        WrongPassword,
        RateLimited,
        Busy,
        DataUnreadable,
        DiskFailed,
        ManagerAway,
        *BODY,
        *ALWAYS,
    ),
)
async def register(node: NamedDependency[Node], data: JSONBody[api.AccountRequest]) -> api.Account:
    """Makes an account with a manager and logs in on this node."""
    return views.account(node, await node.register(data.username, data.password, data.invite))


@post(
    "/session",
    dto=StrictJson,
    return_dto=None,
    status_code=200,
    responses=answers(
        WrongCredentials, WrongPassword, OtherAccount, RateLimited, Busy, ManagerAway, *BODY, ForeignOrigin
    ),
)
async def log_in(
    node: NamedDependency[Node],
    guard: NamedDependency[Guard],
    take: NamedDependency[LogIn],
    data: JSONBody[api.SessionRequest],
    request: Request[Any, Any, Any],
) -> Response[api.Account]:
    """Unlocks the messages on this machine, for which no manager is needed, and logs in, at once or once one answers.

    Needs no token: who knows the password gets a cookie. From elsewhere (over HTTPS) it is only compared with the one
    that opens the messages here, seldom, and nothing can be set aside.
    """
    address = request.client.host if request.client else ""
    account = await take(node, data, address, known=guard.is_known(request))
    return Response(views.account(node, account), cookies=[guard.new_cookie()])


@delete("/session", status_code=200, responses=answers(*MEMBER))
async def log_out(node: NamedDependency[Node], guard: NamedDependency[Guard]) -> api.Ok:
    """Ends the session and locks the messages: this node is offline at once. Every browser must log in again."""
    await node.logout()
    guard.forget_cookies()
    return api.Ok("You are logged out.")


@post(
    "/password",
    dto=StrictJson,
    return_dto=None,
    status_code=200,
    responses=answers(IllegalPassword, WrongCredentials, RateLimited, Busy, ManagerAway, *BODY, *MEMBER),
)
async def change_password(node: NamedDependency[Node], data: JSONBody[api.PasswordChange]) -> api.Ok:
    """Changes the account's password, and what unlocks the messages on this machine."""
    await node.change_password(data.old, data.new)
    return api.Ok("The password is changed.")


@post(
    "/recovery-code",
    dto=StrictJson,
    return_dto=None,
    status_code=200,
    responses=answers(WrongPassword, RateLimited, Busy, *BODY, *MEMBER),
)
async def recovery_code(node: NamedDependency[Node], data: JSONBody[api.RecoveryRequest]) -> api.RecoveryCode:
    """Makes a new recovery code for the messages on this machine; the one before is worth nothing any more."""
    return api.RecoveryCode(await node.renew_recovery_code(data.password))


@get("/backup", media_type="application/x-tar", responses=answers(DataUnreadable, Busy, *MEMBER))
async def backup(node: NamedDependency[Node]) -> Stream:
    """A copy of this node as a tar file, still encrypted: the password of today or the recovery code opens it."""
    file = unsent(node.settings.data)
    await node.back_up(file)
    return Stream(pieces_of(taken(file)), media_type="application/x-tar")


@get("/status", responses=answers(*ALWAYS))
async def status(node: NamedDependency[Node], request: Request[Any, Any, Any]) -> api.NodeStatus:
    """How this node is: account, managers, what waits."""
    return views.status(node, str(request.base_url).rstrip("/"))


@get("/people", responses=answers(IllegalQuery, ManagerAway, *MEMBER))
async def people(node: NamedDependency[Node], wanted: Query = "") -> api.People:
    """Looks in the directory for users whose name begins like this."""
    return api.People([views.person(user) for user in await node.people(wanted)])


@get("/conversations", responses=answers(*MEMBER))
async def conversations(node: NamedDependency[Node]) -> api.Conversations:
    """Everybody with whom there is a message, the latest first."""
    return api.Conversations([views.conversation(node, contact) for contact in node.conversations()])


@get("/conversations/{user:str}/messages", responses=answers(IllegalQuery, UnknownMessage, *ABOUT_SOMEBODY))
async def messages(
    node: NamedDependency[Node], user: FromPath[str], before: Before = None, after: After = None, limit: Limit = 50
) -> api.MessagesPage:
    """A page of a conversation, oldest first: the latest messages, those before a message's id, or those after one.

    ``more`` is about the direction that was asked for.
    """
    found, more = await node.history(user, before=before, after=after, limit=limit)
    return api.MessagesPage([as_api_message(message) for message in found], more)


@post("/conversations/{user:str}/read", status_code=200, responses=answers(*ABOUT_SOMEBODY))
async def read(node: NamedDependency[Node], user: FromPath[str]) -> api.ReadMarked:
    """Marks everything from somebody as read, and tells them."""
    return api.ReadMarked(await node.read(user))


@get("/inbox", responses=answers(*MEMBER))
async def inbox(node: NamedDependency[Node]) -> api.Inbox:
    """Every unread message, in the order of arrival; marks nothing."""
    return api.Inbox([as_api_message(message) for message in node.inbox()])


@post(
    "/messages",
    dto=StrictJson,
    return_dto=None,
    responses=answers(IllegalText, UnknownMessage, RequestIdUsed, *BODY, *ABOUT_SOMEBODY),
)
async def send(node: NamedDependency[Node], data: JSONBody[api.SendRequest]) -> api.Message:
    """Sends a message: 201 once it is on this machine's disk; it goes out by itself."""
    sent = await node.send(
        data.to, data.text, reply_to=data.reply_to, expires_in=data.expires_in, request_id=data.request_id
    )
    return as_api_message(sent)


def rest_router(node: Node, guard: Guard, take: LogIn = on_this_machine) -> Router:
    """All calls under ``/api/v1``; ``take`` is how a password is taken."""
    here = isinstance(guard, LocalGuard)
    guarded = Router(
        "/",
        guards=[guard.access],
        route_handlers=[
            register,
            log_out,
            change_password,
            recovery_code,
            backup,
            events,
            status,
            people,
            *PEOPLE_ROUTES,
            conversations,
            messages,
            read,
            inbox,
            send,
            *message_calls.CALLS,
            *settings_calls.CALLS,
            *account_calls.CALLS,
            *doctor_calls.CALLS,
            *entrance.CALLS,
            *(entrance.CALLS_HERE if here else ()),
        ],
    )
    unguarded = Router(
        "/",
        guards=[guard.origin],
        route_handlers=[log_in, *entrance.OPEN_CALLS, *(entrance.OPEN_CALLS_HERE if here else ())],
        security=[{}],
    )
    return Router(
        api.API_PREFIX,
        route_handlers=[guarded, unguarded],
        dependencies={
            "node": Provide(lambda: node, sync_to_thread=False),
            "guard": Provide(lambda: guard, sync_to_thread=False),
            "take": Provide(lambda: take, sync_to_thread=False),
        },
    )
