"""What the membership tells the node around it."""

from typing import Protocol

from telegraph.node.account import Account
from telegraph.protocol.manager_api import User
from telegraph.protocol.manager_events import Revoked


class Surroundings(Protocol):
    """What the membership tells the node."""

    async def logged_in(self, account: Account) -> None:
        """There is an account with a certificate: accept links."""
        ...

    async def logged_out(self, reason: str, at: str) -> None:
        """The session is over, since ``at`` (RFC 3339, empty if not known)."""
        ...

    async def key_given_up(self) -> None:
        """The device's key is revoked: nothing may be sent under it any more."""
        ...

    def has_moved_here(self) -> None:
        """The session moved to this device from another one."""
        ...

    async def revoked(self, event: Revoked) -> None:
        """Device keys that must not be spoken with."""
        ...

    def revocations_cursor(self) -> str:
        """After which revocations to ask."""
        ...

    async def user_deleted(self, user_id: str) -> None:
        """Somebody's account was deleted for good."""
        ...

    def certificate_renewed(self, account: Account) -> None:
        """The account has a new certificate: show it from now on."""
        ...

    def connection_changed(self) -> None:
        """A manager's event stream opened or broke."""
        ...

    async def user_changed(self, user: User) -> None:
        """What the directory says of somebody who is watched."""
        ...

    def watched(self) -> list[str]:
        """User ids to hear of."""
        ...
