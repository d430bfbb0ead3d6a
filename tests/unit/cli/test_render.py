import json
import unicodedata
from datetime import UTC, timedelta, timezone
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.cli.render import (
    FAILURES,
    clock,
    day,
    end_words,
    message_lines,
    messages_text,
    moment,
    padded,
    people_text,
    presence,
    shown_text,
    status_text,
    to_json,
    users_language,
    visible,
    visible_lines,
    width,
)
from telegraph.protocol.node_api import FailureReason, ManagerState, Message, MessageState, NodeStatus, Person

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
NASTY = st.text(
    st.sampled_from("a \x00\x07\x08\x1b[]0;mJ\r\n\t\x7f\x9b\x85\u202e\u2066\u2028\ud800é界\u200d"), max_size=60
)


def message(
    text: str = "Hello", *, sender: str = "bob", state: MessageState = "delivered", at: str = "20:14"
) -> Message:
    return Message(
        id="1",
        sender=sender,
        recipient="bob" if sender == "alice" else "alice",
        text=text,
        timestamp=f"2026-11-23T{at}:05.000000Z",
        read=state == "read",
        status="ok",
        state=state,
        mine=sender == "alice",
    )


def steers(text: str) -> bool:
    """Whether a terminal would obey something in the text."""
    kinds = {unicodedata.category(character) for character in text}
    return bool(kinds & {"Cc", "Cs", "Zl", "Zp"}) or bool(
        set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    )


@given(ANY_TEXT | NASTY)
def test_nothing_in_a_text_steers_the_terminal(text: str) -> None:
    assert not steers(visible(text))
    assert not any(steers(line) for line in visible_lines(text))


@given(ANY_TEXT | NASTY)
def test_what_was_made_visible_stays_as_it_is(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(ANY_TEXT | NASTY)
def test_every_line_of_a_message_is_harmless(text: str) -> None:
    nasty = msgspec.structs.replace(message(text), sender=text, timestamp=text)
    lines = message_lines(nasty, UTC) + messages_text([nasty], UTC, "").split("\n")
    lines += people_text([Person(text, "id", "offline", text)], UTC, "").split("\n")
    assert not any(steers(line) for line in lines)


@given(st.text(st.characters(codec="utf-8"), max_size=60) | NASTY.filter(lambda text: "\ud800" not in text))
def test_json_keeps_the_value_and_is_harmless_too(text: str) -> None:
    printed = to_json({"text": text})
    assert json.loads(printed) == {"text": text}
    assert not steers(printed)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("\x9b31m", "\\u009b31m"),
        ("bell\x07", "bell␇"),
        ("back\x08\x7f", "back␈␡"),
        ("a\rb", "a␍b"),
        ("a\tb", "a    b"),
        ("evil\u202egnp.exe", "evil\\u202egnp.exe"),
        ("Ünïcödé 界 👩\u200d👩\u200d👧 می\u200cخواهم", "Ünïcödé 界 👩\u200d👩\u200d👧 می\u200cخواهم"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e007f", "\U0001f3f4\U000e0067\U000e0062\U000e007f"),
    ],
)
def test_controls_get_pictures_and_ordinary_writing_is_left_alone(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_of_a_message_stand_below_each_other_so_that_none_looks_like_another_message() -> None:
    assert message_lines(message("one\r\n20:15  carol  two"), UTC) == [
        "20:14  bob  one",
        "            20:15  carol  two",
    ]


@pytest.mark.parametrize(
    ("state", "tick"), [("pending", "…"), ("delivered", "✓"), ("read", "✓✓"), ("failed", "✗ failed")]
)
def test_my_own_messages_carry_a_tick(state: MessageState, tick: str) -> None:
    assert message_lines(message(sender="alice", state=state), UTC) == [f"20:14  you  Hello  {tick}"]


@pytest.mark.parametrize("reason", get_args(FailureReason))
def test_a_message_that_failed_says_why(reason: FailureReason) -> None:
    failed = msgspec.structs.replace(message(sender="alice", state="failed"), reason=reason)

    assert message_lines(failed, UTC) == [f"20:14  you  Hello  ✗ failed: {FAILURES[reason]}"]


def test_ids_stand_below_the_text() -> None:
    shown = message()

    assert message_lines(shown, UTC, ids=True) == ["20:14  bob  Hello", f"            {shown.id}"]


def test_what_only_a_newer_version_can_show_says_so_in_the_users_language() -> None:
    poll = msgspec.structs.replace(message("1,2,3"), kind="poll\x1b[2J", needs_newer=True)

    assert "newer version" in shown_text(poll, "en")
    assert "versión más nueva" in shown_text(poll, "es")
    [line] = message_lines(poll, UTC)
    assert "\x1b" not in line
    assert "1,2,3" not in line


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "es_ES.UTF-8"}, "es"),
        ({"LANG": "es_ES.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LC_MESSAGES": "es", "LC_ALL": ""}, "es"),
    ],
)
def test_the_language_is_that_of_the_terminal(environment: dict[str, str], language: str) -> None:
    assert users_language(environment) == language


def test_a_late_message_says_so() -> None:
    assert message_lines(msgspec.structs.replace(message(), late=True), UTC) == ["20:14  bob  Hello  (late)"]


def test_names_are_aligned_and_days_have_headings() -> None:
    first, second = message("a"), message("b", sender="alice", state="read")
    third = msgspec.structs.replace(message("c", sender="caroline"), timestamp="2026-11-24T07:00:00Z")
    assert messages_text([first, second, third], UTC, "").split("\n") == [
        "— Monday, 23 November 2026 —",
        "20:14  bob       a",
        "20:14  you       b  ✓✓",
        "",
        "— Tuesday, 24 November 2026 —",
        "07:00  caroline  c",
    ]


def test_without_messages_there_is_a_sentence() -> None:
    assert messages_text([], UTC, "Nothing unread.") == "Nothing unread."


def test_times_are_local() -> None:
    havana = timezone(timedelta(hours=-5))
    assert clock("2026-11-24T02:30:00Z", havana) == "21:30"
    assert moment("2026-11-24T02:30:00Z", havana) == "2026-11-23 21:30"
    assert day("2026-11-24T02:30:00Z", havana) == "— Monday, 23 November 2026 —"


@pytest.mark.parametrize("timestamp", ["", "yesterday", "0001-01-01T00:00:00+23:59"])
def test_a_time_that_is_none_is_no_reason_to_fail(timestamp: str) -> None:
    assert clock(timestamp, UTC) == "--:--"
    assert moment(timestamp, UTC) == timestamp


@given(ANY_TEXT)
def test_padding_reaches_the_column_or_leaves_the_text(text: str) -> None:
    shown = visible(text)
    assert width(padded(shown, 70)) == max(70, width(shown))


def test_wide_characters_take_two_columns_and_marks_none() -> None:
    assert width("界") == 2
    assert width("e\u0301") == 1


def test_people_are_aligned_with_their_presence() -> None:
    people = [
        Person("bob", "1", "online", None),
        Person("界", "2", "offline", "2026-11-23T20:14:00Z"),
        Person("carol", "3", "offline", None),
    ]
    assert people_text(people, UTC, "").split("\n") == [
        "● bob    online",
        "○ 界     last seen 2026-11-23 20:14",
        "○ carol  offline",
    ]
    assert presence("online", "2026-11-23T20:14:00Z", UTC) == "online"


def test_status_says_what_matters() -> None:
    managers = [ManagerState("https://m1:8000", True), ManagerState("https://m2:8000", False)]
    status = NodeStatus("online", "alice", "id", managers, "10.0.0.1:8000", "http://127.0.0.1:8420", 1, 2, "0.1")
    assert status_text(status).split("\n") == [
        "Account     alice (online)",
        "Managers    https://m1:8000 (current)",
        "            https://m2:8000",
        "Reached at  10.0.0.1:8000",
        "Waiting     1 message to go out",
        "Unread      2 messages",
        "Local API   http://127.0.0.1:8420",
        "Version     0.1",
    ]


def test_status_of_an_empty_node_says_what_to_do() -> None:
    shown = status_text(NodeStatus("none", None, None, [], None, "http://127.0.0.1:8420", 0, 0, "0.1"))
    assert "telegraph register NAME" in shown
    assert "none known" in shown
    assert "not announced" in shown


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("logged_in_elsewhere", "it moved to another device on 2026-11-24 13:50; nothing is sent from here"),
        ("ended_elsewhere", "it was ended from another session on 2026-11-24 13:50"),
        ("password_changed", "the password was changed elsewhere on 2026-11-24 13:50"),
        ("removed", "this account was deleted on 2026-11-24 13:50"),
        ("of a newer version", "your session has ended"),
    ],
)
def test_status_says_why_the_session_ended_and_that_nothing_is_sent(reason: str, words: str) -> None:
    ended = NodeStatus("ended", "alice", "id", [], None, "http://127.0.0.1:8420", 3, 0, "0.1")
    ended = msgspec.structs.replace(ended, reason=reason, since="2026-11-24T13:50:00.000000Z")
    shown = status_text(ended, UTC)
    assert words in shown
    assert "3 messages not sent from here" in shown


def test_an_end_of_which_the_time_is_not_known_names_none() -> None:
    assert end_words("logged_in_elsewhere", "", UTC).startswith("it moved to another device; nothing")
