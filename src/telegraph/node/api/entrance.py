"""How a browser comes in, and how a newcomer chooses their organisation: the calls before there is an account."""

from typing import Any

from litestar import Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from telegraph.errors import (
    BadInput,
    CaMismatch,
    ForeignOrigin,
    IllegalAddress,
    IllegalInvite,
    ManagerAway,
    NobodyThere,
    NoManagerFound,
    OtherAccount,
    WrongApiToken,
)
from telegraph.node.api import views
from telegraph.node.api.guard import Guard, LocalGuard
from telegraph.node.api.refusals import ALWAYS, BODY
from telegraph.node.app import Node
from telegraph.protocol import node_api as api
from telegraph.rest.bodies import StrictJson
from telegraph.rest.errors import answers


@post(
    "/browser",
    dto=StrictJson,
    return_dto=None,
    status_code=200,
    responses=answers(WrongApiToken, ForeignOrigin, *BODY),
)
async def browser(guard: NamedDependency[LocalGuard], data: JSONBody[api.BrowserRequest]) -> Response[api.Ok]:
    """Trades the token of the data directory, or the code of a link that works once, for a cookie."""
    if not (guard.token_fits(data.token) or guard.take_code(data.token)):
        raise WrongApiToken
    return Response(api.Ok("Welcome."), cookies=[guard.new_cookie()])


@get("/door", responses=answers(ForeignOrigin))
async def door(node: NamedDependency[Node], guard: NamedDependency[Guard], request: Request[Any, Any, Any]) -> api.Door:
    """Whether somebody has an account here, and whether this browser is let in. Needs no token: a page begins by it.

    Off this machine a stranger does not learn how things are here: they are told ``locked``, whatever is so.
    """
    known = guard.is_known(request)
    state = node.account_state if known or not guard.secure else "locked"
    return api.Door(state, known, elsewhere=guard.secure)


@post("/browser-link", status_code=200, responses=answers(*ALWAYS))
async def browser_link(guard: NamedDependency[LocalGuard], request: Request[Any, Any, Any]) -> api.BrowserLink:
    """A link that opens the page in a browser and lets it in, once, within ten minutes."""
    return api.BrowserLink(guard.link(str(request.base_url)))


@get("/organisation", responses=answers(*ALWAYS))
async def organisation(node: NamedDependency[Node]) -> api.Organisation:
    """The managers and the CA that this node knows so far."""
    return views.organisation(node.organisation, settled=node.account_state != "none")


@post(
    "/organisation/look",
    dto=StrictJson,
    return_dto=None,
    status_code=200,
    responses=answers(
        IllegalInvite, IllegalAddress, NobodyThere, NoManagerFound, ManagerAway, CaMismatch, *BODY, *ALWAYS
    ),
)
async def look(node: NamedDependency[Node], data: JSONBody[api.OrganisationRequest]) -> api.Organisation:
    """What stands behind a manager's address or an invite link, or what is found around; nothing is trusted by it."""
    return views.organisation(await node.look_at_organisation(data.address), settled=node.account_state != "none")


@put(
    "/organisation",
    dto=StrictJson,
    return_dto=None,
    responses=answers(
        BadInput, IllegalInvite, IllegalAddress, OtherAccount, NoManagerFound, ManagerAway, CaMismatch, *BODY, *ALWAYS
    ),
)
async def choose(node: NamedDependency[Node], data: JSONBody[api.OrganisationChoice]) -> api.Organisation:
    """Trusts the CA with this fingerprint; possible until there is an account here."""
    await node.choose_organisation(data.managers, data.fingerprint)
    return views.organisation(node.organisation, settled=False)


OPEN_CALLS = (door,)
"""Calls that need no token and no cookie."""

CALLS = (organisation, look, choose)

OPEN_CALLS_HERE = (browser,)
"""The same, on this machine only: what they take is printed on its terminal."""

CALLS_HERE = (browser_link,)
