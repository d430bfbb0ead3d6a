"""Somebody whose name is another's since two sites met again: found under the name that they have now."""

from collections.abc import Awaitable, Callable

from telegraph.protocol.manager_api import User

Find = Callable[[str], Awaitable[User]]


async def find_as(find: Find, username: str, user_id: str) -> User:
    """The user with this id, who is known here by this name; whoever has the name now, if the directory knows no more.

    Raises:
        TelegraphError: as ``find``.
    """
    found = await find(username)
    for namesake in found.namesakes:
        if namesake.user_id == user_id != found.user_id:
            return await find(namesake.username)
    return found
