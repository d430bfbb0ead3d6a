"""Two managers over one directory: what one does between two steps of the other (found by simulated histories)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import httpx
import pytest

from telegraph.directory import records
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Delete, Entry, Put, Unchanged
from telegraph.errors import DirectoryUnavailable, FateUnknown, NotLoggedIn

if TYPE_CHECKING:
    from tests.unit.manager.conftest import House

PASSWORD, NEW = "correct horse", "a new password"
Meanwhile = Callable[[], Awaitable[object]]


class Interrupted(MemoryDirectory):
    """Somebody else does something right before the next commit; or it is unknown what became of it."""

    def __init__(self) -> None:
        super().__init__()
        self.before_commit: list[Meanwhile] = []
        self.lose_answer = self.away = False

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        if self.away:
            raise DirectoryUnavailable
        return await super().get(key, stale=stale)

    async def commit(self, conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        while self.before_commit:
            await self.before_commit.pop()()
        done = await super().commit(conditions, writes)
        if self.lose_answer:
            self.away = True
            raise FateUnknown
        return done


@pytest.fixture
def directory() -> Interrupted:
    return Interrupted()


@pytest.fixture
def house(make_house: "type[House]", directory: Interrupted) -> "House":
    return make_house(directory=directory)


@pytest.fixture
def houses(house: "House", make_house: "type[House]", directory: Interrupted) -> "tuple[House, House]":
    return house, make_house(directory=directory)


async def test_a_session_that_begins_beside_a_change_of_the_password_does_not_outlive_it(
    houses: "tuple[House, House]", directory: Interrupted
) -> None:
    here, there = houses
    alice = await here.join("alice")
    thief: list[str] = []

    async def somebody_knows_the_old_one() -> None:
        thief.append((await there.log_in("alice")).token)

    directory.before_commit.append(somebody_knows_the_old_one)
    await here.accounts.change_password(alice, PASSWORD, NEW, "192.0.2.1")

    assert thief
    with pytest.raises(NotLoggedIn):
        await there.caller(thief[0])
    assert (await here.caller((await here.log_in("alice", NEW)).token)).user_id == alice.user_id


async def test_a_session_that_begins_beside_the_deletion_of_the_account_ends_with_it(
    houses: "tuple[House, House]", directory: Interrupted
) -> None:
    here, there = houses
    alice = await here.join("alice")

    async def log_in_there() -> None:
        await there.log_in("alice")

    directory.before_commit.append(log_in_there)
    await here.care.delete_account(alice, PASSWORD, "192.0.2.1")

    assert not [key for key in await here.content() if key.startswith(records.SESSIONS)]


async def test_a_registration_of_unknown_fate_stays_unknown_if_nobody_can_be_asked(
    houses: "tuple[House, House]", directory: Interrupted
) -> None:
    directory.lose_answer = True

    with pytest.raises(FateUnknown):
        await houses[0].register("alice")


async def test_a_password_that_was_changed_is_answered_so_whatever_happens_then(
    house: "House", web: httpx.AsyncClient, directory: Interrupted
) -> None:
    """What the manager notes besides, it notes before: a failure in it must not look like a failure of the change."""
    await house.join("alice")
    token = (await house.log_in("alice")).token
    house.live.leave((await house.caller(token)).user_id)  # so that the call has something to note
    commits: list[Sequence[Put | Delete]] = []
    commit = directory.commit

    async def commit_and_fall_silent(conditions: Sequence[Unchanged], writes: Sequence[Put | Delete]) -> int | None:
        commits.append(writes)
        done = await commit(conditions, writes)
        directory.away = any(write.key.startswith(records.ACCOUNTS) for write in writes)
        return done

    directory.commit = commit_and_fall_silent  # type: ignore[method-assign]
    headers = {"Authorization": f"Bearer {token}"}
    answer = await web.post("/password", json={"old": PASSWORD, "new": NEW}, headers=headers)

    assert directory.away
    assert len(commits) == 2
    assert answer.status_code == 200
