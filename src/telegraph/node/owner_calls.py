"""What the owner of the account asks of the managers: its sessions, and what others may see of it."""

from collections.abc import Callable
from urllib.parse import quote

from telegraph.node.manager_link import ManagerLink
from telegraph.protocol.manager_api import (
    AccountSettings,
    Answer,
    ReachableAnswer,
    SessionInfo,
    SessionsAnswer,
    SettingsAnswer,
    SettingsChange,
)


class OwnerCalls:
    """Each is one call to a manager, and raises what that answers, or ManagerAway."""

    def __init__(self, link: ManagerLink, token: Callable[[], str | None]) -> None:
        """``token`` gives the session's, or raises NotLoggedIn."""
        self._link = link
        self._token = token

    async def sessions(self) -> list[SessionInfo]:
        """All sessions of the account, the newest first."""
        token = self._token()
        return (await self._link.call("GET", "/sessions", SessionsAnswer, token=token, repeatable=True)).message

    async def end_session(self, session_id: str) -> None:
        """Ends one of them."""
        path = f"/sessions/{quote(session_id, safe='')}"
        await self._link.call("DELETE", path, Answer, token=self._token())

    async def settings(self) -> AccountSettings:
        """What others may see of the account."""
        token = self._token()
        return (await self._link.call("GET", "/settings", SettingsAnswer, token=token, repeatable=True)).message

    async def reachable(self) -> bool:
        """Whether the manager reaches this node where it says that it is.

        Raises:
            TooMany: it was asked too often.
        """
        token = self._token()
        return (await self._link.call("POST", "/reachable", ReachableAnswer, token=token, repeatable=True)).message

    async def change_settings(self, change: SettingsChange) -> AccountSettings:
        """Changes what is given."""
        token = self._token()
        answer = await self._link.call("PUT", "/settings", SettingsAnswer, body=change, token=token, repeatable=True)
        return answer.message
