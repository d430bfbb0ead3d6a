"""What the command line shows for people to read. Pure: structs in, text out.

Names and message texts come from other people. Nothing of them reaches the terminal that could steer it: control
characters, escape sequences and characters that turn the reading direction are shown as visible stand-ins.
"""

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo

import msgspec

from telegraph.errors import Language
from telegraph.protocol.manager_api import SessionInfo
from telegraph.protocol.node_api import AccountState, FailureReason, Message, MessageState, NodeStatus, Person, Settings

TICKS: dict[MessageState, str] = {
    "pending": "…",
    "delivered": "✓",
    "read": "✓✓",
    "failed": "✗ failed",
    "cancelled": "✗ cancelled",
}

FAILURES: dict[FailureReason, str] = {
    "refused": "the other machine refused it",
    "expired": "not delivered in time",
    "account_deleted": "the account was deleted",
}

NEEDS_NEWER: dict[Language, str] = {
    "en": "[{kind}: a newer version of Telegraph is needed to show this]",
    "es": "[{kind}: hace falta una versión más nueva de Telegraph para mostrarlo]",
}

_C0_PICTURES = 0x2400
_DELETE = 0x7F
_WANTED_FORMATS = frozenset("\u200c\u200d\u200e\u200f\u061c")
"""Invisible, but harmless and part of how Persian, Arabic, Hebrew and joined emoji are written."""
_FLAG_TAGS = range(0xE0020, 0xE0080)
_TAB = "    "
_KEY_SHOWN = 16


def visible(text: str) -> str:
    """The text on one line with nothing in it that steers a terminal."""
    return "".join(_shown(character) for character in text.replace("\t", _TAB))


def visible_lines(text: str) -> list[str]:
    """The text's lines, each :func:`visible`; at least one."""
    return [visible(line) for line in text.replace("\r\n", "\n").split("\n")]


def _shown(character: str) -> str:
    code = ord(character)
    kind = unicodedata.category(character)
    if code < ord(" "):
        return chr(_C0_PICTURES + code)
    if code == _DELETE:
        return "␡"
    if kind in ("Cc", "Cs", "Zl", "Zp") or (kind == "Cf" and not _is_wanted(character)):
        return f"\\u{code:04x}"
    return character


def _is_wanted(character: str) -> bool:
    return character in _WANTED_FORMATS or ord(character) in _FLAG_TAGS


_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


def to_json(value: object) -> str:
    """A struct or list of structs as JSON on one line.

    JSON escapes C0 controls itself; the others that could steer a terminal are escaped too, which changes no value.
    """
    plain = msgspec.json.encode(value).decode()
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", plain)


def width(text: str) -> int:
    """Columns that the text takes on a terminal: wide East Asian characters two, combining marks none."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def padded(text: str, columns: int) -> str:
    """The text with spaces behind it up to so many columns."""
    return text + " " * (columns - width(text))


def local(timestamp: str, zone: tzinfo | None) -> datetime | None:
    """An RFC 3339 time in a zone (None: this machine's), or None if it is no such time."""
    try:
        return datetime.fromisoformat(timestamp).astimezone(zone)
    except (ValueError, OverflowError):
        return None


def clock(timestamp: str, zone: tzinfo | None) -> str:
    """Hours and minutes."""
    when = local(timestamp, zone)
    return when.strftime("%H:%M") if when else "--:--"


def moment(timestamp: str, zone: tzinfo | None) -> str:
    """Day, hours and minutes."""
    when = local(timestamp, zone)
    return when.strftime("%Y-%m-%d %H:%M") if when else visible(timestamp)


def day(timestamp: str, zone: tzinfo | None) -> str:
    """The day as a heading."""
    when = local(timestamp, zone)
    return f"— {when:%A}, {when.day} {when:%B} {when.year} —" if when else "—"


def users_language(environment: Mapping[str, str]) -> Language:
    """The language of the user's terminal, by the variables that POSIX names; English unless it is Spanish."""
    named = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "es" if named.lower().startswith("es") else "en"


def shown_text(message: Message, language: Language | None = None) -> str:
    """A message's text, or that a newer version is needed to show what it is; None: in the user's language."""
    if not message.needs_newer:
        return message.text
    return NEEDS_NEWER[language or users_language(os.environ)].format(kind=message.kind)


def tick_of(message: Message) -> str:
    """How far a message of one's own is, and why it failed if it did."""
    reason = f": {FAILURES[message.reason]}" if message.reason else ""
    return TICKS[message.state] + reason


def message_lines(
    message: Message, zone: tzinfo | None, columns: int = 0, *, tick: bool = True, ids: bool = False
) -> list[str]:
    """``20:14  alice  Hello  ✓``, further lines of the text below its first.

    ``columns`` is the width of the widest name around. ``tick`` is for messages of one's own only. ``ids`` puts the
    message's id on a line of its own.
    """
    name = padded(visible("you" if message.mine else message.sender), columns)
    if message.kind == "key_changed":
        return [f"{clock(message.timestamp, zone)}  — {key_notice(message)} —"]
    if message.kind == "restored":
        return [f"{clock(message.timestamp, zone)}  — {RESTORED_NOTICE} —"]
    head = f"{clock(message.timestamp, zone)}  {name}  "
    first, *others = visible_lines(shown_text(message))
    lines = [head + first, *(" " * width(head) + line for line in others)]
    if message.late:
        lines[-1] += "  (late)"
    if message.mine and tick:
        lines[-1] += f"  {tick_of(message)}{waiting_for(message)}"
    if ids:
        lines.append(" " * width(head) + visible(message.id))
    return lines


def waiting_for(message: Message) -> str:
    """Why a message is not sent until the user says so, in brackets; empty if that is not so."""
    match message.waits:
        case "key_changed":
            return f" (waits for: telegraph trust {visible(message.recipient)})"
        case "blocked":
            return " (blocked)"
        case None:
            return ""


def key_notice(message: Message) -> str:
    """What an entry of kind ``key_changed`` says."""
    name = visible(message.sender)
    return f"{name}'s device key changed; compare: telegraph safety-number {name}"


RESTORED_NOTICE = "one of your two machines was restored from an older copy; what was sent from it since may be missing"


def name_columns(messages: Iterable[Message]) -> int:
    """The width of the widest name."""
    return max((width(visible("you" if message.mine else message.sender)) for message in messages), default=0)


def messages_text(messages: Sequence[Message], zone: tzinfo | None, empty: str, *, ids: bool = False) -> str:
    """Messages under headings of their days, with their ids if wanted; ``empty`` if there are none."""
    if not messages:
        return empty
    columns, heading = name_columns(messages), ""
    lines: list[str] = []
    for message in messages:
        today = day(message.timestamp, zone)
        if today != heading:
            lines += ["", today] if lines else [today]
            heading = today
        lines += message_lines(message, zone, columns, ids=ids)
    return "\n".join(lines)


def found_text(messages: Sequence[Message], zone: tzinfo | None, empty: str) -> str:
    """Messages of several conversations, each under the other person's name and the moment; ``empty`` if none."""
    lines: list[str] = []
    for message in messages:
        other = visible(message.recipient if message.mine else message.sender)
        lines += [f"— {other}, {moment(message.timestamp, zone)} —", *message_lines(message, zone)]
    return "\n".join(lines) or empty


def presence(status: str, last_seen: str | None, zone: tzinfo | None) -> str:
    """``online``, or when somebody was last seen."""
    if status == "online":
        return "online"
    return f"last seen {moment(last_seen, zone)}" if last_seen else "offline"


def people_text(people: Sequence[Person], zone: tzinfo | None, empty: str) -> str:
    """One person a line; ``empty`` if there is nobody."""
    columns = max((width(visible(person.username)) for person in people), default=0)
    return (
        "\n".join(
            f"{'●' if person.status == 'online' else '○'} {padded(visible(person.username), columns)}  "
            f"{presence(person.status, person.last_seen, zone)}"
            for person in people
        )
        or empty
    )


ACCOUNT_WORDS: dict[AccountState, str] = {
    "none": "nobody yet; make an account with: telegraph register NAME",
    "locked": "locked; unlock your messages with: telegraph login NAME",
    "ended": "your session has ended; nothing is sent from here until you log in again",
    "online": "online",
    "offline": "no manager answers; messages to people you know still go",
}


_ENDS: dict[str, str] = {
    "logged_in_elsewhere": "it moved to another device{when}; nothing is sent from here; to move it back, log in here",
    "ended_elsewhere": "it was ended from another session{when}; nothing is sent from here until you log in again",
    "password_changed": "the password was changed elsewhere{when}; nothing is sent from here until you log in again",
    "removed": "this account was deleted{when}; what is stored here stays",
}


def end_words(reason: str, at: str, zone: tzinfo | None) -> str:
    """Why a session is over, as the end of a sentence."""
    words = _ENDS.get(reason, ACCOUNT_WORDS["ended"])
    return words.format(when=f" on {moment(at, zone)}" if at else "")


def status_text(status: NodeStatus, zone: tzinfo | None = None) -> str:
    """A line for each thing worth knowing about a node."""
    ended = status.account == "ended"
    words = end_words(status.reason, status.since, zone) if ended else ACCOUNT_WORDS[status.account]
    account = f"{visible(status.username)} ({words})" if status.username else words
    managers = [f"{visible(manager.url)}{' (current)' if manager.current else ''}" for manager in status.managers]
    rows = [
        ("Account", account),
        *zip(["Managers", *[""] * len(managers)], managers or ["none known"], strict=False),
        ("Reached at", visible(status.peer_address or "not announced")),
        ("Waiting", f"{count(status.pending, 'message')} {'not sent from here' if ended else 'to go out'}"),
        ("Unread", count(status.unread, "message")),
        ("Local API", visible(status.api_url)),
        ("Version", visible(status.version)),
        *(("Damaged", visible(line)) for line in status.damage),
    ]
    return "\n".join(f"{padded(title, 10)}  {value}" for title, value in rows)


def sessions_text(sessions: Sequence[SessionInfo], zone: tzinfo | None) -> str:
    """One session a line: its id, what it is, when it was last used, and which is this one."""
    return "\n".join(_session_line(session, zone) for session in sessions)


def _session_line(session: SessionInfo, zone: tzinfo | None) -> str:
    times = f"last used {moment(session.last_used, zone)}, since {moment(session.created, zone)}"
    key = f"  key {visible(session.key[:_KEY_SHOWN])}" if session.key else ""
    return f"{visible(session.id)}  {padded(session.kind, 6)}  {times}{key}{'  (this one)' if session.current else ''}"


def settings_text(settings: Settings) -> str:
    """A line for each choice."""
    seen = "not known: no manager answers" if settings.last_seen is None else _on_off(on=settings.last_seen)
    return f"Read receipts  {_on_off(on=settings.read_receipts)}\nLast seen      {seen}"


def _on_off(*, on: bool) -> str:
    return "on" if on else "off"


def count(number: int, thing: str) -> str:
    """``1 message``, ``2 messages``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
