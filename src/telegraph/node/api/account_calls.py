"""The calls about the account itself: its sessions, and its end."""

from litestar import delete, get
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from telegraph.errors import (
    Busy,
    Conflict,
    IllegalPassword,
    ManagerAway,
    RateLimited,
    UnknownSession,
    WrongCredentials,
)
from telegraph.node.api.refusals import BODY, MEMBER
from telegraph.node.app import Node
from telegraph.protocol import node_api as api
from telegraph.rest.bodies import StrictJson
from telegraph.rest.errors import answers


@get("/sessions", responses=answers(ManagerAway, *MEMBER))
async def sessions(node: NamedDependency[Node]) -> api.Sessions:
    """All sessions of the account, the newest first: this node's, and those of other programs."""
    return api.Sessions(await node.sessions())


@delete("/sessions/{session:str}", status_code=200, responses=answers(UnknownSession, Conflict, ManagerAway, *MEMBER))
async def end_session(node: NamedDependency[Node], session: FromPath[str]) -> api.Ok:
    """Ends one of the account's sessions."""
    await node.end_session(session)
    return api.Ok("The session has ended.")


@delete(
    "/account",
    dto=StrictJson,
    return_dto=None,
    status_code=200,
    responses=answers(IllegalPassword, WrongCredentials, RateLimited, Busy, Conflict, *BODY, ManagerAway, *MEMBER),
)
async def delete_account(node: NamedDependency[Node], data: JSONBody[api.AccountDeletion]) -> api.Ok:
    """Deletes the account for good; nobody ever gets its name. What is stored here stays, unless ``erase``."""
    await node.delete_account(data.password, erase=data.erase)
    return api.Ok("The account is deleted." + (" What was stored here is erased." if data.erase else ""))


CALLS = (sessions, end_session, delete_account)
