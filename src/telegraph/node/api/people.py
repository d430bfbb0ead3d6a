"""The calls of the local API about people: safety numbers, what the user decides on keys, blocking."""

from typing import Any, Final

from litestar import Request, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from telegraph.errors import (
    BadInput,
    IllegalSafetyNumber,
    KeyChanged,
    NoDeviceKey,
    SafetyNumberDiffers,
)
from telegraph.node.api import views
from telegraph.node.api.doctor_calls import language
from telegraph.node.api.refusals import ABOUT_SOMEBODY, BODY, MEMBER
from telegraph.node.app import Node
from telegraph.protocol import node_api as api
from telegraph.protocol.doctor_api import Reach
from telegraph.rest.bodies import StrictJson
from telegraph.rest.errors import answers

_COMPARED = (NoDeviceKey, IllegalSafetyNumber, SafetyNumberDiffers, KeyChanged)


@get("/people/{user:str}/safety-number", responses=answers(NoDeviceKey, *ABOUT_SOMEBODY))
async def safety_number(node: NamedDependency[Node], user: FromPath[str]) -> api.SafetyNumber:
    """The 60 digits that two people compare, and what a QR code of them holds."""
    return views.safety_number(await node.safety_number(user))


@get("/people/{user:str}/trust", responses=answers(*ABOUT_SOMEBODY))
async def trust(node: NamedDependency[Node], user: FromPath[str]) -> api.Trust:
    """What this user has said of somebody, and what waits for their word."""
    return views.trust(await node.contact(user))


@put(
    "/people/{user:str}/verified",
    dto=StrictJson,
    return_dto=None,
    responses=answers(*_COMPARED, *BODY, *ABOUT_SOMEBODY),
)
async def verify(node: NamedDependency[Node], user: FromPath[str], data: JSONBody[api.VerifyRequest]) -> api.Trust:
    """Marks somebody as verified, if the number fits. The number of a key that is offered accepts that key."""
    if data.without_number == (data.number is not None):
        raise BadInput(detail="give the number, or say without_number")
    return views.trust(await node.verify(user, data.number))


@delete("/people/{user:str}/verified", status_code=200, responses=answers(KeyChanged, *ABOUT_SOMEBODY))
async def unverify(node: NamedDependency[Node], user: FromPath[str]) -> api.Trust:
    """Takes that back."""
    return views.trust(await node.unverify(user))


@put(
    "/people/{user:str}/key",
    dto=StrictJson,
    return_dto=None,
    responses=answers(*_COMPARED, *BODY, *ABOUT_SOMEBODY),
)
async def decide_key(node: NamedDependency[Node], user: FromPath[str], data: JSONBody[api.KeyDecision]) -> api.Trust:
    """Goes on with the key that the directory says is theirs now, or stays with the one that was verified."""
    return views.trust(await (node.accept_key(user, data.number) if data.accept else node.keep_key(user)))


@put("/people/{user:str}/blocked", responses=answers(*ABOUT_SOMEBODY))
async def block(node: NamedDependency[Node], user: FromPath[str]) -> api.Trust:
    """Hears nothing of somebody any more and tells them nothing."""
    return views.trust(await node.block(user))


@delete("/people/{user:str}/blocked", status_code=200, responses=answers(*ABOUT_SOMEBODY))
async def unblock(node: NamedDependency[Node], user: FromPath[str]) -> api.Trust:
    """Hears and tells them again; what waited on either side goes out."""
    return views.trust(await node.unblock(user))


@get("/people/{user:str}/reach", responses=answers(*ABOUT_SOMEBODY))
async def reach(node: NamedDependency[Node], user: FromPath[str], request: Request[Any, Any, Any]) -> Reach:
    """Whether messages go to somebody right now, and if not, why."""
    return views.reach(node, await node.contact(user), language(request))


@get("/blocked", responses=answers(*MEMBER))
async def blocked(node: NamedDependency[Node]) -> api.BlockedPeople:
    """Everybody who is blocked, by name."""
    return api.BlockedPeople([views.trust(contact) for contact in node.blocked()])


PEOPLE_ROUTES: Final = (reach, safety_number, trust, verify, unverify, decide_key, block, unblock, blocked)
