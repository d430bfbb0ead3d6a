"""What a node does when it hears that a device or an account of others is gone for good."""

import structlog

from telegraph.node.broker import Broker
from telegraph.node.contacts import ContactBook
from telegraph.node.departed import Departed
from telegraph.node.model import PresenceChanged
from telegraph.node.peers import Peers
from telegraph.node.revocations import Revocations
from telegraph.protocol.manager_events import Revoked

log = structlog.get_logger(__name__)


class Farewells:
    """A part of :class:`telegraph.node.running.Running`, whose attributes these are."""

    _broker: Broker
    _contacts: ContactBook
    _departed: Departed
    _online: dict[str, tuple[bool, str | None]]
    _peers: Peers | None
    _revoked: Revocations

    def _messages_changed(self, contact: int) -> None:
        raise NotImplementedError

    async def revoked(self, event: Revoked) -> None:
        """Refuses these keys from now on, closes their links, and keeps that on disk."""
        self._revoked.note(event)
        if self._peers is not None:
            await self._peers.close_revoked()
        await self._revoked.store(event)
        if event.keys:
            log.info("revoked_keys_learnt", count=len(event.keys))

    def revocations_cursor(self) -> str:
        """After which revocations to ask."""
        return self._revoked.cursor

    async def user_deleted(self, user_id: str) -> None:
        """Notes that somebody's account is gone."""
        contact = self._contacts.of_user(user_id)
        if contact is not None and await self._departed.note(contact.id):
            log.info("contact_deleted", contact=user_id)
            self._online[user_id] = (False, None)
            self._broker.publish(PresenceChanged(contact.username, online=False, user_id=user_id, deleted=True))
            self._messages_changed(contact.id)
