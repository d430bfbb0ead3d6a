"""What the node's own code and the Python API speak of: contacts, messages, events."""

from base64 import b64encode
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from telegraph.protocol import node_api
from telegraph.protocol.addresses import Address
from telegraph.protocol.manager_events import SiteState
from telegraph.protocol.node_api import AccountState, FailureReason, MessageState, WaitReason

KEY_CHANGED = "key_changed"
RESTORED = "restored"
LOCAL_KINDS = frozenset({KEY_CHANGED, RESTORED})
"""Kinds of entries in a conversation that a node writes itself; one that arrives over a link is forged."""

KNOWN_KINDS = frozenset({"text", *LOCAL_KINDS})
"""Kinds of messages that this version can show; others are stored all the same."""


class Contact(msgspec.Struct, frozen=True):
    """Somebody this node has exchanged messages with, as pinned at first contact (DESIGN.md section 5).

    ``device_key`` is their raw Ed25519 key, None until their first log-in. ``address`` is where they were last
    known to be.
    ``key_changed``: their key is, or is said to be, another one, and the user has not said that they know.
    ``verified``: the user has compared the key. ``offered_key``: one that the directory says is theirs now, for the
    user to decide on (:mod:`telegraph.node.pinning`). ``blocked``: the user wants to hear and tell them nothing.
    """

    id: int
    user_id: str
    username: str
    device_key: bytes | None
    address: Address | None
    counter: int
    key_changed: bool
    verified: bool = False
    offered_key: bytes | None = None
    blocked: bool = False

    @property
    def waits(self) -> WaitReason | None:
        """Why nothing is sent to them now, whether or not they can be reached; None if that is not so."""
        if self.blocked:
            return "blocked"
        return None if self.offered_key is None else "key_changed"


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message in a conversation.

    ``sender`` and ``recipient`` are user names, ``sent_at`` is the sender's clock, for show only.
    ``mine``: this node's user sent it. ``late``: it arrived above what had been read already.
    ``reason``: why it failed. ``waits``: why it is not sent until the user says so, if it is pending for such a reason.
    ``conversation`` is the user id of the other person, whatever they are called by now.
    ``device`` is the raw Ed25519 key of the sender's device, None if it is not known. ``seq`` is its number among its
    sender's messages in this conversation, None if it came without one.
    """

    id: str
    sender: str
    recipient: str
    text: str
    state: MessageState
    sent_at: datetime
    mine: bool
    kind: str = "text"
    reply_to: str | None = None
    late: bool = False
    reason: FailureReason | None = None
    waits: WaitReason | None = None
    conversation: str = ""
    device: bytes | None = None
    seq: int | None = None

    @property
    def needs_newer(self) -> bool:
        """Whether only a newer version knows what this is."""
        return self.kind not in KNOWN_KINDS


class MessageReceived(msgspec.Struct, frozen=True):
    """Somebody's message is on this node's disk."""

    message: Message


class MessageSent(msgspec.Struct, frozen=True):
    """A message of this node's user is on disk (sent here or from another page or program on this node)."""

    message: Message


class StateChanged(msgspec.Struct, frozen=True):
    """A message has another state now."""

    message: Message


class ContactKeyChanged(msgspec.Struct, frozen=True):
    """A contact's device key changed, or is said to have. ``message`` is the entry in the conversation that says so."""

    message: Message


class ContactChanged(msgspec.Struct, frozen=True):
    """Something about a contact is another way now: verified, key accepted, blocked, called otherwise."""

    contact: Contact


class MessageDeleted(msgspec.Struct, frozen=True):
    """This node's user deleted a message of the conversation with somebody here; ``id`` None: all of them."""

    user: str
    user_id: str
    id: str | None


class PresenceChanged(msgspec.Struct, frozen=True):
    """Somebody this node talks to came or went, as far as the managers know. ``last_seen`` is RFC 3339 or None.

    ``deleted``: their account was deleted for good.
    """

    user: str
    online: bool
    user_id: str = ""
    last_seen: str | None = None
    deleted: bool = False


class AccountChanged(msgspec.Struct, frozen=True):
    """This node's own account: logged in or out, connected to a manager or not.

    ``reason`` is why, ``at`` since when (RFC 3339), where that is known; the reasons are in ``protocol/node_api.py``.
    """

    account: AccountState
    username: str | None
    reason: str = ""
    at: str = ""


class Sites(msgspec.Struct, frozen=True):
    """The site of the manager in use, the user's own, and the others; empty if no manager has told."""

    site: str = ""
    home: str = ""
    others: tuple[SiteState, ...] = ()


class Reset(msgspec.Struct, frozen=True):
    """The cursor that was asked for is not known here; whatever was shown must be loaded anew."""


Event = (
    MessageReceived
    | MessageSent
    | StateChanged
    | MessageDeleted
    | ContactKeyChanged
    | ContactChanged
    | PresenceChanged
    | AccountChanged
    | Reset
)


def as_time(microseconds: int) -> datetime:
    """A point in time out of microseconds since 1970."""
    try:
        return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
    except (ValueError, OverflowError, OSError):  # a sender may claim any number
        return datetime.fromtimestamp(0, UTC)


def as_api_message(message: Message) -> node_api.Message:
    """The message as the local API shows it, with the report's field names."""
    return node_api.Message(
        id=message.id,
        sender=message.sender,
        recipient=message.recipient,
        text=message.text,
        timestamp=message.sent_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        read=message.state == "read",
        status="pending" if message.state == "pending" else "ok",
        state=message.state,
        mine=message.mine,
        kind=message.kind,
        reply_to=message.reply_to,
        late=message.late,
        reason=message.reason,
        conversation=message.conversation,
        sender_device=b64encode(message.device).decode() if message.device else None,
        needs_newer=message.needs_newer,
        waits=message.waits,
    )


def id_text(message_id: bytes) -> str:
    """The usual text form of a message id."""
    text = message_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def id_bytes(text: str) -> bytes | None:
    """The 16 bytes of an id in text form, or None if it is none."""
    try:
        return UUID(text).bytes
    except ValueError:
        return None
