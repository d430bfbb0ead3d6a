"""Announcing to the managers where this node is, signed, under a counter above all before (DESIGN.md 10.7)."""

from base64 import b64encode
from typing import Protocol
from urllib.parse import quote

import structlog

from telegraph.errors import StaleCounter, TelegraphError
from telegraph.node.account import Account
from telegraph.node.manager_link import ManagerLink
from telegraph.node.own_address import OwnAddress
from telegraph.protocol.frames import SignedAddress
from telegraph.protocol.manager_api import Answer, ReconnectRequest, User

log = structlog.get_logger(__name__)

_TRIES = 3


class Member(Protocol):
    """Whose address it is."""

    def require(self) -> Account:
        """The account; raises NotLoggedIn."""
        ...

    async def find_user(self, username: str) -> User:
        """What the directory says of a user."""
        ...


async def announce(own: OwnAddress, member: Member, link: ManagerLink) -> SignedAddress | None:
    """Finds out where this node is and tells it: what was told, None if that failed."""
    await own.refresh()
    for _ in range(_TRIES):
        try:
            return await _once(own, member.require(), link)
        except StaleCounter:
            known = await member.find_user(member.require().username)
            await own.overtaken(known.counter + 1)
        except TelegraphError as error:
            log.warning("announcement_failed", code=error.code)
            return None
    return None


async def _once(own: OwnAddress, account: Account, link: ManagerLink) -> SignedAddress:
    signed = own.signed
    assert signed is not None  # noqa: S101 - refreshed before
    body = ReconnectRequest(port=signed.port, counter=signed.counter, signature=b64encode(signed.signature).decode())
    path = f"/users/reconnect/{quote(signed.host, safe='')}/{quote(account.username, safe='')}"
    await link.call("PUT", path, Answer, body=body, token=account.token, repeatable=True)
    return signed
