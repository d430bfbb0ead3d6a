"""Wrong join tokens are counted, each address by itself; right ones and failures of the group are not."""

from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import DirectoryUnavailable, TooManyJoins, WrongToken
from telegraph.manager.cluster.doorkeeper import WRONG_TOKENS_PER_MINUTE, Doorkeeper
from telegraph.manager.moment import Moment


class Door:
    """A doorkeeper whose clock the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._keeper = Doorkeeper(lambda: Moment(mono=self.now, wall=0.0))

    def knock(self, remote: str, failure: type[Exception] | None = None) -> str:
        """What becomes of somebody whose token is right, or fails in this manner."""
        try:
            with self._keeper.knock(remote):
                if failure is not None:
                    raise failure
        except TooManyJoins:
            return "unheard"
        except (WrongToken, DirectoryUnavailable):
            return "refused"
        return "in"


def test_after_too_many_wrong_tokens_an_address_has_to_wait() -> None:
    door = Door()
    assert [door.knock("mallory", WrongToken) for _ in range(WRONG_TOKENS_PER_MINUTE)] == [
        "refused"
    ] * WRONG_TOKENS_PER_MINUTE
    assert door.knock("mallory", WrongToken) == door.knock("mallory") == "unheard"
    assert door.knock("alice") == "in"
    door.now += 59.9
    assert door.knock("mallory") == "unheard"
    door.now += 0.1
    assert door.knock("mallory") == "in"


@given(st.lists(st.sampled_from([None, DirectoryUnavailable]), max_size=100))
def test_right_tokens_and_a_group_that_is_away_never_shut_the_door(outcomes: list[type[Exception] | None]) -> None:
    door = Door()
    assert "unheard" not in [door.knock("bob", outcome) for outcome in outcomes]


@given(st.lists(st.tuples(st.sampled_from(["mallory", "eve"]), st.floats(0.0, 20.0)), max_size=100))
def test_in_no_minute_more_wrong_tokens_than_that_are_looked_at(knocks: list[tuple[str, float]]) -> None:
    door, heard = Door(), list[tuple[str, float]]()
    for remote, pause in knocks:
        door.now += pause / 10
        if door.knock(remote, WrongToken) == "refused":
            heard.append((remote, door.now))
    for remote, when in heard:
        assert sum(other == remote and when <= at < when + 60.0 for other, at in heard) <= WRONG_TOKENS_PER_MINUTE
