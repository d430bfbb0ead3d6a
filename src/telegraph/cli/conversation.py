"""A live conversation as a terminal shows it. Pure: messages and events in, what to show out.

The node's answers and its event stream tell of the same messages, in any order and sometimes twice (after the stream
was cut); each message is shown once, and each change of its state once.
"""

from collections.abc import Iterable, Sequence
from datetime import tzinfo

import msgspec

from telegraph.cli.render import (
    TICKS,
    count,
    day,
    end_words,
    message_lines,
    presence,
    shown_text,
    tick_of,
    visible,
    visible_lines,
)
from telegraph.protocol.manager_api import Status
from telegraph.protocol.names import name_key
from telegraph.protocol.node_api import (
    AccountEvent,
    ContactEvent,
    DeletedEvent,
    Event,
    Message,
    MessageEvent,
    MessageState,
    PresenceEvent,
    ResetEvent,
    StateEvent,
)


class ShowMessage(msgspec.Struct, tag="message", tag_field="type"):
    """A message that has not been shown yet."""

    message: Message


class ShowState(msgspec.Struct, tag="state", tag_field="type"):
    """The new state of a message of one's own that was shown."""

    message: Message


class ShowPresence(msgspec.Struct, tag="presence", tag_field="type"):
    """The other came or went."""

    user: str
    status: Status
    last_seen: str | None


class ShowNote(msgspec.Struct, tag="note", tag_field="type"):
    """A sentence about the conversation itself."""

    text: str


class ShowEnd(msgspec.Struct, tag="session_ended", tag_field="type"):
    """The session is over: why, and since when (RFC 3339, empty if not known)."""

    reason: str
    at: str


Shown = ShowMessage | ShowState | ShowPresence | ShowNote | ShowEnd

_PROGRESS: dict[MessageState, int] = {"pending": 0, "failed": 0, "cancelled": 0, "delivered": 1, "read": 2}
"""Nobody goes back to a lower one; those that are given up can be tried again, or turn out to be delivered."""

_EXCERPT = 30


class Conversation:
    """What of the conversation with one person is on the screen."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.status: Status | None = None
        self.unread = False
        """Whether something was shown since that is not marked as read."""
        self._states: dict[str, MessageState] = {}
        self._sent: dict[str, MessageState] = {}
        self._key = name_key(user)

    def catch_up(self, messages: Sequence[Message]) -> list[Shown]:
        """What of a page of the conversation, oldest first, is new."""
        return [item for message in messages for item in self._message(message)]

    def sent(self, message: Message) -> list[Shown]:
        """The node has taken a message that was typed here."""
        self._sent[message.id] = self._states.get(message.id, message.state)
        return self._message(message)

    def happened(self, event: Event) -> list[Shown]:
        """An event of the node's stream."""
        match event:
            case MessageEvent(message=message) | StateEvent(message=message) if not self._is_ours(message):
                return []
            case MessageEvent(message=message):
                return self._message(message)
            case StateEvent(message=message):
                return self._progress(message)
            case PresenceEvent(user=user) if name_key(user) == self._key:
                return self._presence(event.user, event.status, event.last_seen)
            case AccountEvent():
                return _account(event)
            case PresenceEvent() | ContactEvent() | DeletedEvent() | ResetEvent():
                return []

    def knows(self, message: Message) -> bool:
        """Whether a message has been shown."""
        return message.id in self._states

    @property
    def pending(self) -> int:
        """How many of the messages typed here wait on this machine."""
        return sum(state == "pending" for state in self._sent.values())

    @property
    def last_state(self) -> MessageState | None:
        """The state of the latest message typed here."""
        return next(reversed(self._sent.values()), None)

    def _is_ours(self, message: Message) -> bool:
        return name_key(message.recipient if message.mine else message.sender) == self._key

    def _message(self, message: Message) -> list[Shown]:
        if message.id in self._states:
            return self._progress(message)
        self._states[message.id] = message.state
        if not message.mine and not message.read:
            self.unread = True
        return [ShowMessage(message)]

    def _progress(self, message: Message) -> list[Shown]:
        """Whoever has a message keeps it: what was said first may be heard last."""
        known = self._states.get(message.id)
        if known in (None, message.state) or _PROGRESS[message.state] < _PROGRESS[known]:
            return []
        self._states[message.id] = message.state
        if message.id in self._sent:
            self._sent[message.id] = message.state
        return [ShowState(message)] if message.mine else []

    def _presence(self, user: str, status: Status, last_seen: str | None) -> list[Shown]:
        if status == self.status:
            return []
        self.status = status
        return [ShowPresence(user, status, last_seen)]


def enough(messages: Sequence[Message], unread: int) -> bool:
    """Whether so many messages of the other's that are unread are all among these."""
    return sum(not message.mine and not message.read for message in messages) >= unread


class Script:
    """Turns what is to be shown into lines; a heading where the day changes."""

    def __init__(self, zone: tzinfo | None) -> None:
        """``zone`` is the time zone, None for this machine's."""
        self._zone = zone
        self._day = ""

    def lines(self, items: Iterable[Shown]) -> list[str]:
        """Lines for the terminal, nothing in them that steers it."""
        return [line for item in items for line in self._of(item)]

    def _of(self, item: Shown) -> list[str]:
        match item:
            case ShowMessage(message):
                today = day(message.timestamp, self._zone)
                heading, self._day = ([today] if today != self._day else []), today
                return heading + message_lines(message, self._zone)
            case ShowState(message):
                return [f"       {tick_of(message)}{_said(message)}: {excerpt(shown_text(message))}"]
            case ShowPresence(user, status, last_seen):
                return [f"       {visible(user)} is {presence(status, last_seen, self._zone)}"]
            case ShowEnd(reason, at):
                return [f"       Your session: {end_words(reason, at, self._zone)}."]
            case ShowNote(text):
                return [f"       {visible(text)}"]


def _said(message: Message) -> str:
    """The state in a word, where the tick does not say it."""
    return "" if message.state in ("failed", "cancelled") else f" {message.state}"


def _account(event: AccountEvent) -> list[Shown]:
    """What of the own account is worth a line in a conversation."""
    if event.account == "ended" and event.reason not in ("", "logged_out"):
        return [ShowEnd(event.reason, event.at)]
    if event.reason == "moved_here":
        return [ShowNote("Your session moved here from another device, which sends nothing any more.")]
    if event.account in ("locked", "ended"):
        return [ShowNote("You are logged out here; log in to go on.")]
    return []


def excerpt(text: str) -> str:
    """The beginning of a text, on one line."""
    first = visible_lines(text)[0]
    return first if first == text and len(first) <= _EXCERPT else first[:_EXCERPT] + "…"


def toolbar(conversation: Conversation) -> str:
    """One line: who, whether online, and how far one's own latest message is."""
    parts = [visible(conversation.user)]
    if conversation.status is not None:
        parts.append(conversation.status)
    if conversation.last_state is not None:
        parts.append(f"last message {TICKS[conversation.last_state]}")
    if conversation.pending:
        parts.append(f"{count(conversation.pending, 'message')} waiting")
    return " · ".join([*parts, "Ctrl-D ends"])
