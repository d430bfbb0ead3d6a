"""Bodies of a node's local REST API (``/api/v1``) and the events of its stream.

Everything that a page, the command line or a bot on the same machine can ask of a node. Times are RFC 3339 in UTC with
microseconds, ids are UUIDs in text form.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from telegraph.protocol.manager_api import Password, SessionInfo, Status, Username

API_PREFIX = "/api/v1"
DEFAULT_API_PORT = 8420
BROWSERS_FILE = "api-browsers"
"""Hashes of the cookies that were given out, so that a browser stays known when the node starts again."""
TOKEN_FILE = "api-token"  # noqa: S105 - a file's name
ENDPOINT_FILE = "api-endpoint"
"""Beside the token: the URL of the running node's local API, one line."""

AccountState = Literal["none", "locked", "ended", "online", "offline"]
"""``none``: nobody ever logged in here. ``locked``: nobody has unlocked the messages since the start. ``ended``: they
can be read, but the session is over: nothing is sent or received. ``online``, ``offline``: logged in, with a manager or
without."""

SessionEnd = Literal["logged_out", "logged_in_elsewhere", "ended_elsewhere", "password_changed", "removed"]
"""Why a session ended: by a log-out here, a log-in on another device (the session moved there), the user's word or a
new password from elsewhere, or because the account was deleted. There may be others; what waits is kept in any case."""

MessageState = Literal["pending", "delivered", "read", "failed", "cancelled"]
FailureReason = Literal["refused", "expired", "account_deleted"]
WaitReason = Literal["key_changed", "blocked"]
"""Why nothing is sent to somebody until the user says so."""


class AccountRequest(msgspec.Struct):
    """``POST /api/v1/account``: register and log in."""

    username: Username
    password: Password
    invite: str | None = None


class SessionRequest(msgspec.Struct):
    """``POST /api/v1/session``: unlock the messages and log in.

    ``unlock`` is the password before, or the recovery code, where the password was changed elsewhere. ``set_aside``
    moves messages that nobody can unlock out of the way and begins without them.
    """

    username: Username
    password: Password
    unlock: Annotated[str, Meta(max_length=256)] | None = None
    set_aside: bool = False


class AccountDeletion(msgspec.Struct):
    """``DELETE /api/v1/account``; ``erase``: what is stored on this machine too."""

    password: Password
    erase: bool = False


class Sessions(msgspec.Struct):
    """``GET /api/v1/sessions``, the newest first."""

    sessions: list[SessionInfo]


class RecoveryRequest(msgspec.Struct):
    """``POST /api/v1/recovery-code``."""

    password: Password


class RecoveryCode(msgspec.Struct):
    """200 of ``POST /api/v1/recovery-code``: opens the messages instead of the password; shown this once."""

    recovery_code: str


class PasswordChange(msgspec.Struct):
    """``POST /api/v1/password``."""

    old: Password
    new: Password


class BrowserRequest(msgspec.Struct):
    """``POST /api/v1/browser``: trades the API token, or the code of a link that works once, for a cookie."""

    token: Annotated[str, Meta(max_length=256)]


class BrowserLink(msgspec.Struct):
    """200 of ``POST /api/v1/browser-link``: where a browser on this machine opens the page; it works once."""

    url: str


class Door(msgspec.Struct):
    """``GET /api/v1/door``: what a page must know to greet somebody; ``open``: this browser has a cookie that fits.

    ``elsewhere``: the page is served over HTTPS, to other machines too.
    """

    account: AccountState
    open: bool
    elsewhere: bool = False


class Organisation(msgspec.Struct):
    """Whom this node belongs to, or would: its managers' URLs, and the CA's fingerprint (SHA-256, hex; null: none yet).

    ``invite``: the code for registration that a link carried. ``settled``: there is an account, so it stays as it is.
    """

    managers: list[str]
    fingerprint: str | None
    invite: str | None = None
    settled: bool = False


class OrganisationRequest(msgspec.Struct):
    """``POST /api/v1/organisation/look``: the address of a manager, an invite link, or nothing to look around."""

    address: Annotated[str, Meta(max_length=2048)] = ""


class OrganisationChoice(msgspec.Struct):
    """``PUT /api/v1/organisation``: the user has compared this fingerprint, and wants these managers."""

    managers: Annotated[list[str], Meta(min_length=1, max_length=32)]
    fingerprint: Annotated[str, Meta(max_length=128)] | None = None


class Account(msgspec.Struct):
    """Who is logged in here. ``moved``: the session was on another device until this log-in.

    ``recovery_code`` is there once, when the encrypted store was made: it opens the messages if the password is lost.
    """

    user_id: str
    username: str
    account: AccountState
    provisional: bool = False
    moved: bool = False
    recovery_code: str | None = None


class ManagerState(msgspec.Struct):
    """A manager as this node sees it; ``current`` is the one it is attached to."""

    url: str
    current: bool


class OtherSite(msgspec.Struct):
    """Another site as the managers here see it; if not ``up``, ``heard`` is when it was last (RFC 3339, or empty)."""

    name: str
    up: bool
    heard: str = ""


class NodeStatus(msgspec.Struct):
    """``GET /api/v1/status``.

    ``username`` and ``user_id`` are None while the node is locked. ``peer_address`` is where other nodes reach it.
    ``reason`` and ``since`` (RFC 3339, empty if not known) say why the session ended, if ``account`` is ``ended``: a
    :data:`SessionEnd`. ``pending`` counts messages that wait. ``damage`` is what the check after a crash found wrong
    with the store. ``provisional``: some site has not confirmed the user's name yet. ``site`` is that of the manager in
    use, ``home`` the user's own, ``sites`` are the others; empty where no manager has said.
    """

    account: AccountState
    username: str | None
    user_id: str | None
    managers: list[ManagerState]
    peer_address: str | None
    api_url: str
    pending: int
    unread: int
    version: str
    reason: str = ""
    since: str = ""
    damage: list[str] = []
    provisional: bool = False
    site: str = ""
    home: str = ""
    sites: list[OtherSite] = []


class Person(msgspec.Struct):
    """Somebody in the directory."""

    username: str
    user_id: str
    status: Status
    last_seen: str | None


class Message(msgspec.Struct, rename={"sender": "from", "recipient": "to"}):
    """A message as its two owners see it: the report's section 5.1 and our ``id`` and ``state``.

    ``status`` is the report's: ``pending`` or ``ok``. ``read`` is whether the recipient has read it. ``mine`` is
    whether this node's
    user sent it. ``late``: it arrived above what was already read (DESIGN.md section 7). ``reason``: why it failed.
    ``conversation`` is the other person's user id, ``sender_device`` the public key of the device that sent it, base64.
    ``needs_newer``: its ``kind`` is one that this version cannot show.
    ``waits``: why it is not sent until the user says so, if it is pending for such a reason.
    """

    id: str
    sender: str
    recipient: str
    text: str
    timestamp: str
    read: bool
    status: Literal["ok", "pending"]
    state: MessageState
    mine: bool
    kind: str = "text"
    reply_to: str | None = None
    late: bool = False
    reason: FailureReason | None = None
    conversation: str = ""
    sender_device: str | None = None
    needs_newer: bool = False
    waits: WaitReason | None = None


class Conversation(msgspec.Struct):
    """A conversation with one person.

    ``key_changed``: their device key changed, or is said to have, and the user has not said that they know. ``waits``:
    why nothing is sent until the user says so. ``verified``: the user has compared their safety number.
    ``deleted``: their account was deleted; what is written to them is refused.
    """

    user: str
    user_id: str
    status: Status
    last_seen: str | None
    unread: int
    pending: int
    last_message: Message | None
    key_changed: bool = False
    waits: WaitReason | None = None
    verified: bool = False
    blocked: bool = False
    deleted: bool = False


class SendRequest(msgspec.Struct):
    """``POST /api/v1/messages``; ``reply_to`` is the id of a message of the same conversation.

    ``request_id``: random, one for each message. Whoever hears no answer repeats the call with the same one, also
    after a crash: the message is sent once. The ids of the latest 100,000 messages are known.
    ``expires_in``: seconds, at most 366 days, after which the message fails unless it is delivered by then.
    """

    to: Username
    text: Annotated[str, Meta(max_length=65536)]
    reply_to: Annotated[str, Meta(max_length=36)] | None = None
    expires_in: Annotated[float, Meta(ge=1, le=31_622_400)] | None = None
    request_id: Annotated[str, Meta(min_length=16, max_length=64)] | None = None


class Trust(msgspec.Struct):
    """What this node's user has said of a person, and what waits for their word; as in :class:`Conversation`."""

    user: str
    user_id: str
    verified: bool
    key_changed: bool
    blocked: bool
    waits: WaitReason | None


class SafetyNumber(msgspec.Struct):
    """``GET /api/v1/people/{user}/safety-number``: 60 digits that are the same at both ends if nobody is in between.

    They come in groups of five. ``scan`` is what a QR code of it holds, ``qr`` that code, row by row, 1 is dark.
    ``offered``: the number with the key that the
    directory says is theirs now, if the user has to decide on one.
    """

    user: str
    number: str
    scan: str
    verified: bool
    offered: str | None = None
    qr: list[str] = []


class VerifyRequest(msgspec.Struct):
    """``PUT /api/v1/people/{user}/verified``: one of the two.

    ``number`` is the other's number as they read it, or what was scanned from their screen; it is compared here.
    ``without_number``: the user has compared by other means, and vouches for it.
    """

    number: Annotated[str, Meta(max_length=256)] | None = None
    without_number: bool = False


class KeyDecision(msgspec.Struct):
    """``PUT /api/v1/people/{user}/key``: whether the key that the directory says is theirs now is to be used.

    ``number`` is the safety number that the user was shown for it, so that no later key is accepted unseen. For
    somebody who was never verified there is nothing to decide: ``accept`` says that the user knows of the change.
    """

    accept: bool
    number: Annotated[str, Meta(max_length=256)] | None = None


class BlockedPeople(msgspec.Struct):
    """``GET /api/v1/blocked``, by name."""

    people: list[Trust]


class ReadMarked(msgspec.Struct):
    """200 of ``POST /api/v1/conversations/{user}/read``: how many messages became read."""

    marked: int


class MessagesPage(msgspec.Struct):
    """``GET /api/v1/conversations/{user}/messages``: oldest first; ``more``: there are older ones."""

    messages: list[Message]
    more: bool


class People(msgspec.Struct):
    """``GET /api/v1/people``."""

    people: list[Person]


class Conversations(msgspec.Struct):
    """``GET /api/v1/conversations``, the latest first."""

    conversations: list[Conversation]


class Inbox(msgspec.Struct):
    """``GET /api/v1/inbox``: unread messages of all conversations, oldest first."""

    messages: list[Message]


class Deleted(msgspec.Struct):
    """200 of ``DELETE /api/v1/conversations/{user}``: how many messages were removed."""

    deleted: int


class Settings(msgspec.Struct):
    """``GET /api/v1/settings``: choices of the account.

    ``read_receipts``: others are told that their messages were read here, on this node. ``last_seen``: others learn
    when this person was last seen; the managers keep that, and it is null while none of them answers.
    """

    read_receipts: bool
    last_seen: bool | None = None


class SettingsChange(msgspec.Struct):
    """``PUT /api/v1/settings``: what is left out stays as it is."""

    read_receipts: bool | None = None
    last_seen: bool | None = None


class Draft(msgspec.Struct):
    """What the user began to write to somebody."""

    user: str
    user_id: str
    text: str


class Drafts(msgspec.Struct):
    """``GET /api/v1/drafts``."""

    drafts: list[Draft]


class DraftChange(msgspec.Struct):
    """``PUT /api/v1/conversations/{user}/draft``; an empty text: there is none any more."""

    text: Annotated[str, Meta(max_length=65536)]


class Found(msgspec.Struct):
    """``GET /api/v1/search``: the newest messages that match, the newest first."""

    messages: list[Message]


class Ok(msgspec.Struct):
    """An answer that carries nothing but a sentence."""

    message: str
    status: int = 200


# --- events: one JSON object per WebSocket text message, each with the cursor to resume after ---


class MessageEvent(msgspec.Struct, tag="message", tag_field="type"):
    """An entry is new here: received, sent by this node's user elsewhere, or written by the node.

    What the node itself writes into a conversation has a ``kind`` that says so, no text, and is read already:
    ``key_changed``: the other's device key changed, or is said to have. (``restored`` comes as a ``state``.)
    """

    cursor: int
    message: Message


class StateEvent(msgspec.Struct, tag="state", tag_field="type"):
    """A message's state changed."""

    cursor: int
    message: Message


class DeletedEvent(msgspec.Struct, tag="deleted", tag_field="type"):
    """This node's user deleted a message of the conversation with somebody here; ``id`` null: all of them."""

    cursor: int
    user: str
    user_id: str
    id: str | None


class PresenceEvent(msgspec.Struct, tag="presence", tag_field="type"):
    """Somebody this node talks to came or went; sent for everybody once when a stream opens.

    ``deleted``: their account was deleted for good.
    """

    cursor: int
    user: str
    user_id: str
    status: Status
    last_seen: str | None
    deleted: bool = False


class ContactEvent(msgspec.Struct, tag="contact", tag_field="type"):
    """What is true of somebody changed: verified, key accepted, blocked, called otherwise."""

    cursor: int
    contact: Trust


class AccountEvent(msgspec.Struct, tag="account", tag_field="type"):
    """This node's own account changed: logged in or out, connected to a manager or not.

    ``reason``: a :data:`SessionEnd`, at ``at`` (RFC 3339, empty if not known); ``moved_here`` by a log-in from another
    device; ``renamed`` to ``username`` as another has the name now; ``confirmed`` when a provisional name is final.
    """

    cursor: int
    account: AccountState
    username: str | None
    reason: str = ""
    at: str = ""


class ResetEvent(msgspec.Struct, tag="reset", tag_field="type"):
    """The cursor is unknown here (older than what is kept, or of another store): load everything anew."""

    cursor: int


Event = MessageEvent | StateEvent | DeletedEvent | PresenceEvent | ContactEvent | AccountEvent | ResetEvent
