"""The calls of the local API about the user's choices."""

from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from telegraph.errors import (
    BodyTooLarge,
    MalformedBody,
    ManagerAway,
    UnsupportedMedia,
)
from telegraph.node.api.refusals import MEMBER
from telegraph.node.app import Node
from telegraph.protocol import node_api as api
from telegraph.rest.bodies import StrictJson
from telegraph.rest.errors import answers


@get("/settings", responses=answers(*MEMBER))
async def settings(node: NamedDependency[Node]) -> api.Settings:
    """The choices of the account."""
    return await _settings(node)


@put(
    "/settings",
    dto=StrictJson,
    return_dto=None,
    responses=answers(MalformedBody, BodyTooLarge, UnsupportedMedia, ManagerAway, *MEMBER),
)
async def change_settings(node: NamedDependency[Node], data: JSONBody[api.SettingsChange]) -> api.Settings:
    """Changes some of them; the answer has all."""
    if data.last_seen is not None:  # first: it is the one that can fail
        await node.choose_last_seen(on=data.last_seen)
    if data.read_receipts is not None:
        await node.choose_read_receipts(on=data.read_receipts)
    return await _settings(node)


async def _settings(node: Node) -> api.Settings:
    return api.Settings(read_receipts=node.read_receipts, last_seen=await node.last_seen_shown())


CALLS = (settings, change_settings)
