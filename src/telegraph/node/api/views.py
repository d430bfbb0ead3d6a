"""The node's inner types as the local API shows them."""

from collections.abc import Sequence

import segno

from telegraph.errors import Language
from telegraph.node import history, safety
from telegraph.node.account import Account
from telegraph.node.app import Node
from telegraph.node.causes import CAUSES, ending
from telegraph.node.doctor import Found
from telegraph.node.model import (
    AccountChanged,
    Contact,
    ContactChanged,
    ContactKeyChanged,
    Event,
    MessageDeleted,
    MessageReceived,
    MessageSent,
    PresenceChanged,
    StateChanged,
    as_api_message,
)
from telegraph.node.organisation import Organisation
from telegraph.node.people import SafetyNumber
from telegraph.protocol import doctor_api, node_api
from telegraph.protocol.manager_api import Status, User
from telegraph.protocol.version import __version__

_LOCKED = ("none", "locked")


def person(user: User) -> node_api.Person:
    """Somebody in the directory."""
    return node_api.Person(username=user.username, user_id=user.user_id, status=user.status, last_seen=user.last_seen)


def account(node: Node, found: Account) -> node_api.Account:
    """Who is logged in here; with the recovery code if it was made just now."""
    return node_api.Account(
        user_id=found.user_id,
        username=found.username,
        account=node.account_state,
        provisional=found.provisional,
        moved=node.moved_here,
        recovery_code=node.take_recovery_code(),
    )


def conversation(node: Node, contact: Contact) -> node_api.Conversation:
    """A conversation for the overview."""
    reader, me = node.database.reader, node.username or ""
    online, last_seen = node.presence(contact.user_id)
    latest = history.latest(reader, contact.id, me)
    return node_api.Conversation(
        user=contact.username,
        user_id=contact.user_id,
        status="online" if online else "offline",
        last_seen=last_seen,
        unread=history.unread_count(reader, contact.id),
        pending=history.pending_count(reader, contact.id),
        last_message=as_api_message(latest) if latest else None,
        key_changed=contact.key_changed,
        waits=contact.waits,
        verified=contact.verified,
        blocked=contact.blocked,
        deleted=node.is_deleted(contact),
    )


def trust(contact: Contact) -> node_api.Trust:
    """What the user has said of somebody, and what waits for their word."""
    return node_api.Trust(
        user=contact.username,
        user_id=contact.user_id,
        verified=contact.verified,
        key_changed=contact.key_changed,
        blocked=contact.blocked,
        waits=contact.waits,
    )


def safety_number(found: SafetyNumber) -> node_api.SafetyNumber:
    """A safety number, in groups as it is read aloud."""
    return node_api.SafetyNumber(
        user=found.user,
        number=" ".join(safety.grouped(found.number)),
        scan=found.scan,
        verified=found.verified,
        offered=None if found.offered is None else " ".join(safety.grouped(found.offered)),
        qr=qr(found.scan),
    )


def qr(payload: str) -> list[str]:
    """A QR code row by row, 1 is dark; without the quiet zone around it."""
    rows = segno.make(payload, error="m", micro=False).matrix_iter(border=0)
    return ["".join("1" if module else "0" for module in row) for row in rows]


def organisation(found: Organisation, *, settled: bool) -> node_api.Organisation:
    """Whom a node belongs to, or would."""
    return node_api.Organisation(list(found.managers), found.fingerprint, found.invite, settled)


def reach(node: Node, contact: Contact, language: Language) -> doctor_api.Reach:
    """Whether messages go to somebody right now, and if not, why."""
    _, failure = node.reach(contact)
    cause = node.why_waiting(contact)
    says, advice = CAUSES[cause or "linked"].filled(language)
    return doctor_api.Reach(
        user=contact.username,
        user_id=contact.user_id,
        linked=cause is None,
        managers=node.account_state == "online",
        pending=history.pending_count(node.database.reader, contact.id),
        says=says,
        advice=advice,
        address=str(contact.address) if contact.address else None,
        cause=cause,
        tried_ago=round(failure[0], 1) if failure and cause is not None else None,
    )


def doctor(found: Sequence[Found], language: Language) -> doctor_api.Doctor:
    """What was found, in words."""
    return doctor_api.Doctor(
        well=not any(one.is_problem for one in found), findings=[_finding(one, language) for one in found]
    )


def _finding(found: Found, language: Language) -> doctor_api.Finding:
    words = CAUSES[found.cause]
    detail = ending(found.detail, language) if found.cause == "session_ended" else found.detail
    says, advice = words.filled(
        language, subject=found.subject, count=found.count, detail=detail, seconds=found.seconds
    )
    return doctor_api.Finding(
        area=words.area,
        cause=found.cause,
        level=words.level,
        says=says,
        advice=advice,
        subject=found.subject,
        count=found.count,
        at=found.at,
    )


def status(node: Node, api_url: str) -> node_api.NodeStatus:
    """How this node is."""
    state = node.account_state
    return node_api.NodeStatus(
        account=state,
        username=node.username,
        user_id=node.user_id,
        managers=[
            node_api.ManagerState(url=url, current=number == 0 and state == "online")
            for number, url in enumerate(node.managers)
        ],
        peer_address=node.peer_address,
        api_url=api_url,
        pending=0 if state in _LOCKED else history.pending_count(node.database.reader),
        unread=0 if state in _LOCKED else history.unread_count(node.database.reader),
        version=__version__,
        reason=node.ended[0] if state == "ended" else "",
        since=node.ended[1] if state == "ended" else "",
        damage=node.damage,
        provisional=node.account.provisional if node.account else False,
        site=node.sites.site,
        home=node.sites.home,
        sites=[node_api.OtherSite(site.name, site.up, site.heard) for site in node.sites.others],
    )


def presence(node: Node, contact: Contact) -> node_api.PresenceEvent:
    """Somebody's presence as of now."""
    online, last_seen = node.presence(contact.user_id)
    return node_api.PresenceEvent(
        cursor=node.cursor,
        user=contact.username,
        user_id=contact.user_id,
        status="online" if online else "offline",
        last_seen=last_seen,
        deleted=node.is_deleted(contact),
    )


def event(cursor: int, happened: Event) -> node_api.Event:  # noqa: PLR0911 - one a kind
    """An event as the stream shows it."""
    match happened:
        case MessageReceived(message) | MessageSent(message) | ContactKeyChanged(message):
            return node_api.MessageEvent(cursor, as_api_message(message))
        case StateChanged(message):
            return node_api.StateEvent(cursor, as_api_message(message))
        case MessageDeleted(user, user_id, message_id):
            return node_api.DeletedEvent(cursor, user, user_id, message_id)
        case PresenceChanged(user, online, user_id, last_seen, deleted):
            status: Status = "online" if online else "offline"
            return node_api.PresenceEvent(cursor, user, user_id, status, last_seen, deleted)
        case ContactChanged(contact):
            return node_api.ContactEvent(cursor, trust(contact))
        case AccountChanged(account, username, reason, at):
            return node_api.AccountEvent(cursor, account, username, reason, at)
        case _:
            return node_api.ResetEvent(cursor)
