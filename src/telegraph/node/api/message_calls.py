"""The calls of the local API about single messages and whole conversations, beside writing and reading."""

from typing import Annotated

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from telegraph.errors import (
    BadInput,
    IllegalQuery,
    ManagerAway,
    UnknownMessage,
    UnknownUser,
    WrongState,
)
from telegraph.node.api.refusals import ABOUT_SOMEBODY, BODY, MEMBER
from telegraph.node.app import Node
from telegraph.node.model import as_api_message
from telegraph.protocol import node_api as api
from telegraph.rest.bodies import StrictJson
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


@get("/drafts", responses=answers(*MEMBER))
async def drafts(node: NamedDependency[Node]) -> api.Drafts:
    """What the user began to write and has not sent."""
    return api.Drafts([api.Draft(contact.username, contact.user_id, text) for contact, text in node.drafts()])


@put(
    "/conversations/{user:str}/draft",
    dto=StrictJson,
    return_dto=None,
    responses=answers(*BODY, *ABOUT_SOMEBODY),
)
async def keep_draft(node: NamedDependency[Node], user: FromPath[str], data: JSONBody[api.DraftChange]) -> api.Ok:
    """Keeps what the user began to write to somebody, in the encrypted store; it goes nowhere."""
    await node.keep_draft(user, data.text)
    return api.Ok("The draft is kept.")


CALLS = (cancel, retry, search, delete_message, delete_conversation, drafts, keep_draft)
