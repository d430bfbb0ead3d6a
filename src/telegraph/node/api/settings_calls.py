"""The calls of the local API about the user's choices."""

from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from telegraph.errors import (
    BodyTooLarge,
    ForeignOrigin,
    MalformedBody,
    NotLoggedIn,
    UnsupportedMedia,
    WrongApiToken,
)
from telegraph.node.app import Node
from telegraph.protocol import node_api as api
from telegraph.rest.bodies import StrictJson
from telegraph.rest.errors import answers

_MEMBER = (NotLoggedIn, WrongApiToken, ForeignOrigin)


@get("/settings", responses=answers(*_MEMBER))
async def settings(node: NamedDependency[Node]) -> api.Settings:
    """The choices of the account on this node."""
    return api.Settings(read_receipts=node.read_receipts)


@put(
    "/settings",
    dto=StrictJson,
    return_dto=None,
    responses=answers(MalformedBody, BodyTooLarge, UnsupportedMedia, *_MEMBER),
)
async def change_settings(node: NamedDependency[Node], data: JSONBody[api.SettingsChange]) -> api.Settings:
    """Changes some of them; the answer has all."""
    if data.read_receipts is not None:
        await node.choose_read_receipts(on=data.read_receipts)
    return api.Settings(read_receipts=node.read_receipts)


CALLS = (settings, change_settings)
