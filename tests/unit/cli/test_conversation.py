from datetime import UTC

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.cli.conversation import (
    Conversation,
    Script,
    ShowEnd,
    ShowMessage,
    Shown,
    ShowNote,
    ShowPresence,
    ShowState,
    enough,
    excerpt,
    toolbar,
)
from telegraph.protocol.node_api import (
    AccountEvent,
    AccountState,
    Message,
    MessageEvent,
    MessageState,
    PresenceEvent,
    ResetEvent,
    StateEvent,
)

STATES: list[MessageState] = ["pending", "delivered", "read"]


def mine(number: int = 1, state: MessageState = "pending", to: str = "bob", text: str = "Hello") -> Message:
    return Message(
        id=f"m{number}",
        sender="alice",
        recipient=to,
        text=text,
        timestamp="2026-11-23T20:14:00Z",
        read=state == "read",
        status="ok",
        state=state,
        mine=True,
    )


def theirs(number: int = 1, *, read: bool = False, sender: str = "bob") -> Message:
    return Message(
        id=f"t{number}",
        sender=sender,
        recipient="alice",
        text="Hi",
        timestamp="2026-11-23T20:15:00Z",
        read=read,
        status="ok",
        state="read" if read else "delivered",
        mine=False,
    )


def test_a_message_that_comes_is_shown_once_and_is_to_be_marked() -> None:
    bob = Conversation("bob")
    assert bob.happened(MessageEvent(1, theirs())) == [ShowMessage(theirs())]
    assert bob.unread
    assert bob.happened(MessageEvent(1, theirs())) == []
    assert bob.catch_up([theirs()]) == []


def test_what_was_read_before_is_shown_and_not_marked() -> None:
    bob = Conversation("bob")
    assert bob.catch_up([theirs(read=True)]) == [ShowMessage(theirs(read=True))]
    assert not bob.unread


def test_a_message_sent_here_gets_its_ticks() -> None:
    bob = Conversation("bob")
    assert bob.sent(mine()) == [ShowMessage(mine())]
    assert bob.pending == 1
    assert bob.happened(StateEvent(2, mine(state="delivered"))) == [ShowState(mine(state="delivered"))]
    assert bob.pending == 0
    assert bob.happened(StateEvent(3, mine(state="read"))) == [ShowState(mine(state="read"))]
    assert bob.last_state == "read"


def test_the_stream_may_tell_of_a_delivery_before_the_node_has_answered() -> None:
    bob = Conversation("bob")
    assert bob.happened(MessageEvent(1, mine())) == [ShowMessage(mine())]
    assert bob.happened(StateEvent(2, mine(state="delivered"))) == [ShowState(mine(state="delivered"))]
    assert bob.sent(mine()) == []
    assert bob.pending == 0


def test_a_replayed_state_does_not_go_back() -> None:
    bob = Conversation("bob")
    bob.catch_up([mine(state="read")])
    assert bob.happened(StateEvent(1, mine(state="delivered"))) == []


@given(st.lists(st.sampled_from(STATES), max_size=8))
def test_in_whatever_order_states_are_heard_each_is_shown_at_most_once_and_they_rise(heard: list[MessageState]) -> None:
    bob = Conversation("bob")
    bob.sent(mine())
    shown = [item for state in heard for item in bob.happened(StateEvent(1, mine(state=state)))]
    states = [item.message.state for item in shown if isinstance(item, ShowState)]
    assert states == sorted(set(states), key=STATES.index)
    assert bob.last_state == max([*heard, "pending"], key=STATES.index)


def test_that_i_have_read_something_is_no_news_to_me() -> None:
    bob = Conversation("bob")
    bob.catch_up([theirs()])
    assert bob.happened(StateEvent(1, theirs(read=True))) == []


def test_other_conversations_are_not_shown() -> None:
    bob = Conversation("bob")
    assert bob.happened(MessageEvent(1, theirs(sender="carol"))) == []
    assert bob.happened(MessageEvent(1, mine(to="carol"))) == []
    assert bob.happened(StateEvent(1, mine(to="carol"))) == []
    assert bob.happened(PresenceEvent(1, "carol", "id", "online", None)) == []
    assert not bob.unread


def test_a_name_typed_otherwise_is_the_same_person() -> None:
    assert Conversation("BOB").happened(MessageEvent(1, theirs())) == [ShowMessage(theirs())]


def test_a_state_of_a_message_that_is_not_on_the_screen_is_not_shown() -> None:
    assert Conversation("bob").happened(StateEvent(1, mine(state="read"))) == []


def test_presence_is_shown_when_it_changes() -> None:
    bob = Conversation("bob")
    online = PresenceEvent(1, "bob", "id", "online", None)
    assert bob.happened(online) == [ShowPresence("bob", "online", None)]
    assert bob.happened(online) == []
    offline = msgspec.structs.replace(online, status="offline", last_seen="2026-11-23T20:14:00Z")
    assert bob.happened(offline) == [ShowPresence("bob", "offline", "2026-11-23T20:14:00Z")]


def test_a_log_out_is_said_and_the_rest_is_not() -> None:
    bob = Conversation("bob")
    (note,) = bob.happened(AccountEvent(1, "locked", "alice"))
    assert isinstance(note, ShowNote)
    assert bob.happened(AccountEvent(2, "offline", "alice")) == []
    assert bob.happened(ResetEvent(3)) == []


def test_that_the_session_moved_is_said_on_both_devices() -> None:
    here, there = Conversation("bob"), Conversation("bob")
    moved = here.happened(AccountEvent(1, "ended", "alice", "logged_in_elsewhere", "2026-11-24T13:50:00Z"))
    assert moved == [ShowEnd("logged_in_elsewhere", "2026-11-24T13:50:00Z")]
    (line,) = Script(UTC).lines(moved)
    assert "moved to another device on 2026-11-24 13:50" in line
    (note,) = there.happened(AccountEvent(1, "online", "alice", "moved_here"))
    assert isinstance(note, ShowNote)
    assert "moved here" in note.text


@pytest.mark.parametrize(("state", "reason"), [("ended", "logged_out"), ("ended", ""), ("locked", "logged_out")])
def test_ones_own_log_out_is_no_news_from_elsewhere(state: AccountState, reason: str) -> None:
    (note,) = Conversation("bob").happened(AccountEvent(1, state, "alice", reason))
    assert isinstance(note, ShowNote)
    assert "log in" in note.text


def test_messages_written_elsewhere_are_not_waited_for() -> None:
    bob = Conversation("bob")
    bob.catch_up([mine()])
    assert bob.pending == 0
    assert bob.last_state is None


def test_enough_is_when_all_unread_ones_are_there() -> None:
    assert enough([], 0)
    assert not enough([theirs(1), mine()], 2)
    assert enough([theirs(1), theirs(2), theirs(3, read=True)], 2)


def test_the_script_has_a_heading_a_day_and_a_line_an_item() -> None:
    script = Script(UTC)
    items: list[Shown] = [ShowMessage(theirs()), ShowMessage(mine(2)), ShowState(mine(2, state="delivered"))]
    assert script.lines(items) == [
        "— Monday, 23 November 2026 —",
        "20:15  bob  Hi",
        "20:14  you  Hello  …",
        "       ✓ delivered: Hello",
    ]
    assert script.lines([ShowPresence("bob", "online", None), ShowNote("So\x1b it is.")]) == [
        "       bob is online",
        "       So␛ it is.",
    ]


@pytest.mark.parametrize(
    ("text", "beginning"),
    [("short", "short"), ("x" * 31, "x" * 30 + "…"), ("one\ntwo", "one…"), ("\x1b[2J", "␛[2J…")],
)
def test_an_excerpt_is_one_short_harmless_line(text: str, beginning: str) -> None:
    assert excerpt(text) == beginning


def test_the_toolbar_says_who_is_there_and_what_waits() -> None:
    bob = Conversation("b\x1bob")
    assert toolbar(bob) == "b␛ob · Ctrl-D ends"
    bob = Conversation("bob")
    bob.happened(PresenceEvent(1, "bob", "id", "online", None))
    bob.sent(mine())
    assert toolbar(bob) == "bob · online · last message … · 1 message waiting · Ctrl-D ends"
    bob.happened(StateEvent(2, mine(state="read")))
    assert toolbar(bob) == "bob · online · last message ✓✓ · Ctrl-D ends"
