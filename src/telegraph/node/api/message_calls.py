"""The calls of the local API about single messages and whole conversations, beside writing and reading."""

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath

from telegraph.errors import ForeignOrigin, NotLoggedIn, UnknownMessage, WrongApiToken, WrongState
from telegraph.node.app import Node
from telegraph.node.model import as_api_message
from telegraph.protocol import node_api as api
from telegraph.rest.errors import answers

_MEMBER = (NotLoggedIn, WrongApiToken, ForeignOrigin)


@post("/messages/{message:str}/cancel", status_code=200, responses=answers(UnknownMessage, WrongState, *_MEMBER))
async def cancel(node: NamedDependency[Node], message: FromPath[str]) -> api.Message:
    """Gives up a message that waits. If the other turns out to have it, a *state* event says so: *delivered*."""
    return as_api_message(await node.cancel(message))


@post("/messages/{message:str}/retry", status_code=200, responses=answers(UnknownMessage, WrongState, *_MEMBER))
async def retry(node: NamedDependency[Node], message: FromPath[str]) -> api.Message:
    """Sends a failed or cancelled message after all, as the newest; tries one that is pending now."""
    return as_api_message(await node.retry(message))


CALLS = (cancel, retry)
