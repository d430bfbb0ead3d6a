"""The calls of the local API about single messages and whole conversations, beside writing and reading."""

from typing import Annotated

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from telegraph.errors import (
    BadInput,
    IllegalQuery,
    ManagerAway,
    UnknownMessage,
    UnknownUser,
    WrongState,
)
from telegraph.node.api.refusals import MEMBER
from telegraph.node.app import Node
from telegraph.node.model import as_api_message
from telegraph.protocol import node_api as api
from telegraph.rest.errors import answers

Words = Annotated[str, QueryParameter(name="query", max_length=256, description="words to look for")]
Somebody = Annotated[str | None, QueryParameter(max_length=256, description="only in the conversation with them")]


@post("/messages/{message:str}/cancel", status_code=200, responses=answers(UnknownMessage, WrongState, *MEMBER))
async def cancel(node: NamedDependency[Node], message: FromPath[str]) -> api.Message:
    """Gives up a message that waits. If the other turns out to have it, a *state* event says so: *delivered*."""
    return as_api_message(await node.cancel(message))


@post("/messages/{message:str}/retry", status_code=200, responses=answers(UnknownMessage, WrongState, *MEMBER))
async def retry(node: NamedDependency[Node], message: FromPath[str]) -> api.Message:
    """Sends a failed or cancelled message after all, as the newest; tries one that is pending now."""
    return as_api_message(await node.retry(message))


@get("/search", responses=answers(IllegalQuery, UnknownUser, ManagerAway, BadInput, *MEMBER))
async def search(node: NamedDependency[Node], wanted: Words, user: Somebody = None) -> api.Found:
    """The newest 50 messages with every word of the query, newest first; the last word may be a beginning."""
    return api.Found([as_api_message(message) for message in await node.search(wanted, user)])


@delete("/messages/{message:str}", status_code=200, responses=answers(UnknownMessage, *MEMBER))
async def delete_message(node: NamedDependency[Node], message: FromPath[str]) -> api.Ok:
    """Deletes a message here; the other keeps theirs. One that waits is given up."""
    await node.delete_message(message)
    return api.Ok("The message is deleted here.")


@delete("/conversations/{user:str}", status_code=200, responses=answers(UnknownUser, ManagerAway, BadInput, *MEMBER))
async def delete_conversation(node: NamedDependency[Node], user: FromPath[str]) -> api.Deleted:
    """Deletes all messages with somebody here; what waits is given up."""
    return api.Deleted(await node.delete_conversation(user))


CALLS = (cancel, retry, search, delete_message, delete_conversation)
