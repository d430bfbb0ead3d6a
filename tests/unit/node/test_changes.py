"""What a look tells, and what is done at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.changes import ASLEEP, Seen, Steps, asleep, steps

SECONDS = st.floats(0, 1e6)


@given(before=SECONDS, sleep=SECONDS, share=st.floats(0, 1), expected=st.floats(0.1, 10))
def test_the_time_asleep_is_what_passed_beyond_the_pause(
    before: float, sleep: float, share: float, expected: float
) -> None:
    waited = share * expected

    seen = asleep(before, before + waited + sleep, expected)

    assert max(0.0, sleep - expected) - 1e-3 <= seen <= sleep + 1e-3


def test_who_is_woken_early_did_not_sleep() -> None:
    assert asleep(100.0, 100.2, 1.0) == 0.0
    assert asleep(100.0, 99.0, 1.0) == 0.0


@pytest.mark.parametrize(
    ("seen", "todo"),
    [
        (Seen(0.0, moved=False, stream_lost=False), Steps(close_links=False, reopen_stream=False)),
        (Seen(ASLEEP, moved=False, stream_lost=False), Steps(close_links=True, reopen_stream=True)),
        (Seen(ASLEEP - 0.1, moved=False, stream_lost=False), Steps(close_links=False, reopen_stream=False)),
        (Seen(0.0, moved=True, stream_lost=False), Steps(close_links=False, reopen_stream=True)),
        (Seen(0.0, moved=False, stream_lost=True), Steps(close_links=False, reopen_stream=True)),
    ],
)
def test_links_are_dead_after_a_sleep_and_the_stream_after_a_move_as_well(seen: Seen, todo: Steps) -> None:
    assert steps(seen) == todo
