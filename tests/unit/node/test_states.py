from typing import get_args

import pytest

from telegraph.node.states import REASONS, TRANSITIONS, WHAT_THE_USER_SEES, Happening, after
from telegraph.protocol.node_api import MessageState


def test_a_message_goes_from_pending_over_delivered_to_read() -> None:
    assert after("pending", "stored_by_peer") == "delivered"
    assert after("delivered", "read_by_peer") == "read"


def test_an_acknowledgement_that_comes_late_changes_nothing() -> None:
    for state in ("delivered", "read"):
        assert after(state, "stored_by_peer") == state


@pytest.mark.parametrize("state", ["cancelled", "failed"])
def test_who_had_stored_it_before_it_was_given_up_has_it(state: MessageState) -> None:
    assert after(state, "stored_by_peer") == "delivered"
    assert after(state, "read_by_peer") == "read"
    assert after(state, "retried") == "pending"


def test_only_the_recipients_word_leads_to_delivered_and_to_read() -> None:
    for (_, happening), then in TRANSITIONS.items():
        if then in ("delivered", "read"):
            assert happening in ("stored_by_peer", "read_by_peer", "read_here")


def test_each_reason_to_fail_is_a_happening_and_nothing_else_fails() -> None:
    assert {happening for (_, happening), then in TRANSITIONS.items() if then == "failed"} == set(REASONS)


def test_what_is_read_stays_read_whatever_happens() -> None:
    for happening in get_args(Happening):
        assert after("read", happening) == "read"


@pytest.mark.parametrize("state", get_args(MessageState))
def test_every_state_can_be_told_to_the_user(state: MessageState) -> None:
    assert WHAT_THE_USER_SEES[state]


def test_every_state_but_the_first_is_reached_by_some_transition() -> None:
    assert set(TRANSITIONS.values()) | {"pending"} == set(get_args(MessageState))
