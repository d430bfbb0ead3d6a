from typing import get_args

import pytest

from telegraph.node.states import TRANSITIONS, WHAT_THE_USER_SEES, Happening, after
from telegraph.protocol.node_api import MessageState


def test_a_message_goes_from_pending_over_delivered_to_read() -> None:
    assert after("pending", "stored_by_peer") == "delivered"
    assert after("delivered", "read_by_peer") == "read"


def test_an_acknowledgement_that_comes_late_changes_nothing() -> None:
    for state in ("delivered", "read", "cancelled"):
        assert after(state, "stored_by_peer") == state


def test_what_is_read_stays_read_whatever_happens() -> None:
    for happening in get_args(Happening):
        assert after("read", happening) == "read"


@pytest.mark.parametrize("state", get_args(MessageState))
def test_every_state_can_be_told_to_the_user(state: MessageState) -> None:
    assert WHAT_THE_USER_SEES[state]


def test_every_state_but_the_first_is_reached_by_some_transition() -> None:
    assert set(TRANSITIONS.values()) | {"pending"} == set(get_args(MessageState))
