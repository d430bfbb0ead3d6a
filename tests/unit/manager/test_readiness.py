"""When a manager says that it cannot do its work."""

from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Entry
from telegraph.errors import NoQuorum
from telegraph.manager.readiness import Readiness, problem_of
from telegraph.testing.virtual_time import run


class Wavering(MemoryDirectory):
    """A directory that answers or not, as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    async def get(self, key: str, *, stale: bool = False) -> Entry | None:
        if self.closed and not stale:
            raise NoQuorum
        return await super().get(key, stale=stale)


async def test_the_problem_is_named_by_its_code() -> None:
    directory = Wavering()
    assert await problem_of(directory) is None
    directory.closed = True
    assert await problem_of(directory) == "no_quorum"


def told(looks: list[bool]) -> list[bool]:
    """What is told after looks that each find the directory open or not."""

    async def story() -> list[bool]:
        directory, said = Wavering(), list[bool]()
        readiness = Readiness(directory, said.append)
        for good in looks:
            directory.closed = not good
            await readiness.look()
        return said

    return run(story())


def test_one_failure_is_no_news_two_in_a_row_are_and_one_success_ends_it() -> None:
    assert told([True, False, True, False, True]) == []
    assert told([True, False, False]) == [False]
    assert told([False, False, False, False, True, True]) == [False, True]


@given(st.lists(st.booleans()))
def test_what_was_told_last_is_so_and_nothing_is_told_twice(looks: list[bool]) -> None:
    said = told(looks)
    assert said == [number % 2 == 1 for number in range(len(said))]
    assert (said or [True])[-1] == (looks[-2:] != [False, False])
