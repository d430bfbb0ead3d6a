from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.protocol.node_api import (
    AccountEvent,
    AccountRequest,
    BrowserRequest,
    ContactEvent,
    Conversation,
    DeletedEvent,
    Event,
    KeyDecision,
    Message,
    MessageEvent,
    MessageState,
    PasswordChange,
    PresenceEvent,
    ResetEvent,
    SendRequest,
    StateEvent,
    Trust,
    VerifyRequest,
)

REQUESTS = [AccountRequest, PasswordChange, BrowserRequest, SendRequest, VerifyRequest, KeyDecision]
NOTE = Message(
    "01890000-0000-7000-8000-000000000000",
    "alice",
    "bob",
    "Aprobamos Distribuidos",
    "2025-11-15T16:45:30.789123Z",
    read=False,
    status="ok",
    state="delivered",
    mine=True,
)
EVENTS: list[Event] = [
    MessageEvent(1, NOTE),
    StateEvent(2, NOTE),
    PresenceEvent(3, "bob", "bob-id", "online", None),
    AccountEvent(4, "online", "alice"),
    ResetEvent(5),
    ContactEvent(6, Trust("bob", "018f", verified=True, key_changed=True, blocked=False, waits="key_changed")),
    DeletedEvent(7, "bob", "bob-id", None),
]


@pytest.mark.parametrize("shape", REQUESTS)
@given(data=st.binary() | st.dictionaries(st.sampled_from(["to", "text"]), st.text()).map(msgspec.json.encode))
def test_garbage_is_a_decode_error_and_nothing_else(shape: type[msgspec.Struct], data: bytes) -> None:
    try:
        request = msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    assert msgspec.json.decode(msgspec.json.encode(request), type=shape) == request


def test_a_message_has_the_fields_of_the_reports_section_5_1_beside_our_own() -> None:
    shown = msgspec.to_builtins(NOTE)
    report = {
        "from": "alice",
        "to": "bob",
        "text": "Aprobamos Distribuidos",
        "timestamp": "2025-11-15T16:45:30.789123Z",
        "read": False,
        "status": "ok",
    }
    assert report.items() <= shown.items()
    assert {"id", "state"} <= shown.keys()
    assert not {"sender", "recipient"} & shown.keys()


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_survives_the_wire_as_its_own_kind(event: Event) -> None:
    back: Event = msgspec.json.decode(msgspec.json.encode(event), type=Event)
    assert back == event
    assert type(back) is type(event)


def test_every_kind_of_event_is_shown_above_and_carries_a_cursor() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event))
    assert [event.cursor for event in EVENTS] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("state", get_args(MessageState))
def test_a_message_may_be_in_any_state_of_the_design(state: MessageState) -> None:
    message = msgspec.structs.replace(NOTE, state=state)
    assert msgspec.convert(msgspec.to_builtins(message), Message) == message


@pytest.mark.parametrize("fields", [{"state": "lost"}, {"status": "sent"}, {"read": "no"}, {"id": None}])
def test_a_message_in_no_known_state_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(msgspec.to_builtins(NOTE) | fields, Message)


@pytest.mark.parametrize("fields", [{"to": 7}, {"text": "a" * 65537}, {"text": None}, {"reply_to": "a" * 37}])
def test_a_message_to_send_with_a_field_beyond_its_bounds_is_refused(fields: dict[str, object]) -> None:
    sound = {"to": "bob", "text": "Hello"}
    assert msgspec.convert(sound, SendRequest) == SendRequest("bob", "Hello")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(sound | fields, SendRequest)


def test_a_conversation_without_messages_has_no_last_one() -> None:
    fresh = Conversation("bob", "bob-id", "offline", None, 0, 0, None)
    assert msgspec.json.decode(msgspec.json.encode(fresh), type=Conversation) == fresh
