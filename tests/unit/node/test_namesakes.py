"""bob, whose name another bob holds since two sites met again, is still found."""

import pytest

from telegraph.errors import UnknownUser
from telegraph.node.namesakes import find_as
from telegraph.protocol.manager_api import Namesake, User


def user(username: str, user_id: str, *namesakes: Namesake) -> User:
    return User(
        username=username,
        user_id=user_id,
        ip="192.0.2.7",
        port=8000,
        status="online",
        last_seen=None,
        namesakes=list(namesakes),
    )


HERE = {
    "bob": user("bob", "winner", Namesake("bob~lima", "loser", "lima"), Namesake("bob~oslo", "third", "oslo")),
    "bob~lima": user("bob~lima", "loser"),
    "carol": user("carol", "carol"),
}


async def find(username: str) -> User:
    if username not in HERE:
        raise UnknownUser(username=username)
    return HERE[username]


@pytest.mark.parametrize(
    ("known_as", "user_id", "found"),
    [
        ("bob", "winner", "winner"),
        ("bob", "loser", "loser"),
        ("bob~lima", "loser", "loser"),
        ("carol", "carol", "carol"),
        ("carol", "somebody else", "carol"),
    ],
)
async def test_whoever_is_known_by_a_name_of_before_is_found_by_the_one_of_now(
    known_as: str, user_id: str, found: str
) -> None:
    assert (await find_as(find, known_as, user_id)).user_id == found


async def test_a_namesake_whom_the_directory_does_not_know_by_the_new_name_is_not_made_up() -> None:
    with pytest.raises(UnknownUser):
        await find_as(find, "bob", "third")
