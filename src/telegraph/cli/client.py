"""The client of a running node's local API: where files, sockets and error answers become values and our errors."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Self, TypeVar
from urllib.parse import quote, urlencode
from uuid import UUID

import aiohttp
import msgspec
from yarl import URL

from telegraph.errors import (
    BackupUnreadable,
    BadInput,
    DataUnreadable,
    FateUnknown,
    NodeAway,
    RemoteError,
    TelegraphError,
    Unavailable,
    UnknownMessage,
    UnknownSession,
    UnknownUser,
    WrongApiToken,
)
from telegraph.protocol import node_api as api
from telegraph.protocol.doctor_api import Doctor
from telegraph.protocol.manager_api import ErrorAnswer, SessionInfo

T = TypeVar("T")

PAGE = 500
"""Messages asked for at once."""

_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=3)
"""A registration waits for a manager, and that for bcrypt."""
_LONG = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=600)
_PING_EVERY = 5.0
_MAX_EVENT = 4 * 1024 * 1024
_HTTP_ERROR = 400
_UNAUTHORISED = (401, 403)

_decode_event = msgspec.json.Decoder(api.Event).decode


class EventStream:
    """What happens at the node; iterate over it. Ends by :class:`NodeAway` when the node goes."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, data: Path) -> None:
        self._socket = socket
        self._data = data

    async def __aiter__(self) -> AsyncIterator[api.Event]:
        async for frame in self._socket:
            if frame.type is aiohttp.WSMsgType.TEXT:
                try:
                    event = _decode_event(frame.data)
                except msgspec.DecodeError:  # of a newer node; what we do not know we cannot show
                    continue
                yield event
        raise NodeAway(data=self._data)

    async def close(self) -> None:
        """Leaves the stream; may be called again."""
        await self._socket.close()


class NodeApi:
    """Calls to the node of one data directory; an async context manager.

    Every call may raise :class:`NodeAway` (no node runs there), :class:`Unavailable` or :class:`FateUnknown` (it did
    not answer), and whatever error the node answers.
    """

    def __init__(self, data: Path) -> None:
        """``data`` is the node's data directory; it says where the API is, anew at each call, since nodes restart."""
        self._data = data

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers={"Accept-Language": "en"}, timeout=_TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    # --- account ---

    async def register(self, username: str, password: str, invite: str | None = None) -> api.Account:
        """Makes an account and logs in."""
        return await self._call("POST", "/account", api.Account, api.AccountRequest(username, password, invite))

    async def login(
        self, username: str, password: str, *, unlock: str | None = None, set_aside: bool = False
    ) -> api.Account:
        """Unlocks the messages and logs in; see :class:`~telegraph.protocol.node_api.SessionRequest`."""
        body = api.SessionRequest(username, password, unlock, set_aside)
        return await self._call("POST", "/session", api.Account, body)

    async def logout(self) -> api.Ok:
        """Logs out."""
        return await self._call("DELETE", "/session", api.Ok)

    async def change_password(self, old: str, new: str) -> api.Ok:
        """Changes the account's password."""
        return await self._call("POST", "/password", api.Ok, api.PasswordChange(old, new))

    async def renew_recovery_code(self, password: str) -> api.RecoveryCode:
        """Makes a new recovery code."""
        return await self._call("POST", "/recovery-code", api.RecoveryCode, api.RecoveryRequest(password))

    async def back_up(self, target: Path) -> None:
        """Writes a copy of the node to a new file that only its owner can read.

        Raises:
            BackupUnreadable: the file is there already, or cannot be written.
        """
        try:
            with open(target, "xb", opener=private) as file:  # noqa: ASYNC230 - a command has nothing else to do
                await self._download("/backup", file)
        except FileExistsError:
            raise BackupUnreadable(path=target, detail="there is a file of that name") from None
        except OSError as problem:
            raise BackupUnreadable(path=target, detail=problem.strerror) from problem
        except TelegraphError:
            target.unlink(missing_ok=True)  # noqa: ASYNC240 - the same
            raise

    async def _download(self, path: str, file: IO[bytes]) -> None:
        base, token = self._where()
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with self._session.get(f"{base}{api.API_PREFIX}{path}", headers=headers, timeout=_LONG) as response:
                if response.status >= _HTTP_ERROR:
                    _decoded(response.status, await response.read(), None, api.Ok)
                async for piece in response.content.iter_any():
                    file.write(piece)
        except aiohttp.ClientError as problem:
            raise NodeAway(data=self._data) from problem
        file.flush()
        os.fsync(file.fileno())

    async def sessions(self) -> list[SessionInfo]:
        """All sessions of the account, the newest first."""
        return (await self._call("GET", "/sessions", api.Sessions)).sessions

    async def end_session(self, session: str) -> api.Ok:
        """Ends one of the account's sessions."""
        if not session.isalnum():
            raise UnknownSession
        return await self._call("DELETE", f"/sessions/{_segment(session)}", api.Ok)

    async def delete_account(self, password: str, *, erase: bool = False) -> api.Ok:
        """Deletes the account for good."""
        return await self._call("DELETE", "/account", api.Ok, api.AccountDeletion(password, erase))

    async def status(self) -> api.NodeStatus:
        """How the node is."""
        return await self._call("GET", "/status", api.NodeStatus)

    async def doctor(self) -> Doctor:
        """What works at the node and what does not."""
        return await self._call("GET", "/doctor", Doctor)

    async def browser_link(self) -> api.BrowserLink:
        """A link that lets a browser in, once."""
        return await self._call("POST", "/browser-link", api.BrowserLink)

    async def settings(self) -> api.Settings:
        """The choices of the account on the node."""
        return await self._call("GET", "/settings", api.Settings)

    async def change_settings(self, change: api.SettingsChange) -> api.Settings:
        """Changes some of them: all as they are then."""
        return await self._call("PUT", "/settings", api.Settings, change)

    # --- people and messages ---

    async def people(self, query: str = "") -> list[api.Person]:
        """People whose name begins like the query; those who are online if it is empty."""
        return (await self._call("GET", "/people", api.People, query={"query": query})).people

    async def conversations(self) -> list[api.Conversation]:
        """All conversations, the latest first."""
        return (await self._call("GET", "/conversations", api.Conversations)).conversations

    async def page(self, user: str, *, before: str | None = None, limit: int = PAGE) -> api.MessagesPage:
        """Up to ``limit`` (1 to 1000) messages before one (None: the latest), oldest first."""
        query = {"limit": str(limit)} | ({"before": before} if before else {})
        return await self._call("GET", f"/conversations/{_segment(user)}/messages", api.MessagesPage, query=query)

    async def history(self, user: str, limit: int | None = None) -> list[api.Message]:
        """The last ``limit`` messages (None: all), oldest first."""
        pages: list[list[api.Message]] = []
        left, before = limit, None
        while left is None or left > 0:
            page = await self.page(user, before=before, limit=PAGE if left is None else min(PAGE, left))
            pages.append(page.messages)
            if not page.more or not page.messages:
                break
            before = page.messages[0].id
            left = None if left is None else left - len(page.messages)
        return [message for messages in reversed(pages) for message in messages]

    async def inbox(self) -> list[api.Message]:
        """Unread messages of all conversations, in the order of arrival; marks nothing."""
        return (await self._call("GET", "/inbox", api.Inbox)).messages

    async def send(self, user: str, text: str, expires_in: float | None = None) -> api.Message:
        """Sends a message: it is on the node's disk when this returns."""
        return await self._call("POST", "/messages", api.Message, api.SendRequest(user, text, expires_in=expires_in))

    async def delete_message(self, message: str) -> api.Ok:
        """Deletes a message on the node."""
        return await self._call("DELETE", f"/messages/{_message(message)}", api.Ok)

    async def delete_conversation(self, user: str) -> api.Deleted:
        """Deletes all messages with somebody on the node."""
        return await self._call("DELETE", f"/conversations/{_segment(user)}", api.Deleted)

    async def search(self, query: str, user: str | None = None) -> list[api.Message]:
        """The newest messages with every word of the query, the newest first."""
        asked = {"query": query} | ({"user": user} if user else {})
        return (await self._call("GET", "/search", api.Found, query=asked)).messages

    async def cancel(self, message: str) -> api.Message:
        """Gives up a message that waits."""
        return await self._call("POST", f"/messages/{_message(message)}/cancel", api.Message)

    async def retry(self, message: str) -> api.Message:
        """Sends a message after all, or tries it now."""
        return await self._call("POST", f"/messages/{_message(message)}/retry", api.Message)

    async def read(self, user: str) -> api.ReadMarked:
        """Marks everything from somebody as read."""
        return await self._call("POST", f"/conversations/{_segment(user)}/read", api.ReadMarked)

    # --- trust ---

    async def safety_number(self, user: str) -> api.SafetyNumber:
        """The digits to compare with somebody."""
        return await self._call("GET", f"/people/{_segment(user)}/safety-number", api.SafetyNumber)

    async def trust(self, user: str) -> api.Trust:
        """What has been said of somebody here."""
        return await self._call("GET", f"/people/{_segment(user)}/trust", api.Trust)

    async def verify(self, user: str, number: str | None) -> api.Trust:
        """Marks somebody as verified, by their number or without one."""
        body = api.VerifyRequest(number, without_number=number is None)
        return await self._call("PUT", f"/people/{_segment(user)}/verified", api.Trust, body)

    async def unverify(self, user: str) -> api.Trust:
        """Takes that back."""
        return await self._call("DELETE", f"/people/{_segment(user)}/verified", api.Trust)

    async def decide_key(self, user: str, number: str | None = None, *, accept: bool) -> api.Trust:
        """Goes on with somebody's new key, or stays with the old one."""
        return await self._call("PUT", f"/people/{_segment(user)}/key", api.Trust, api.KeyDecision(accept, number))

    async def block(self, user: str, *, blocked: bool) -> api.Trust:
        """Blocks somebody, or ends that."""
        method = "PUT" if blocked else "DELETE"
        return await self._call(method, f"/people/{_segment(user)}/blocked", api.Trust)

    async def blocked(self) -> list[api.Trust]:
        """Everybody who is blocked."""
        return (await self._call("GET", "/blocked", api.BlockedPeople)).people

    # --- events ---

    async def events(self, cursor: int | None = None) -> EventStream:
        """Opens the stream of events after a cursor, or from now on; nothing that happens after this is missed."""
        base, token = self._where()
        query = "" if cursor is None else f"?cursor={cursor}"
        try:
            socket = await self._session.ws_connect(
                URL(f"{base}{api.API_PREFIX}/events{query}", encoded=True),
                headers={"Authorization": f"Bearer {token}"},
                heartbeat=_PING_EVERY,
                max_msg_size=_MAX_EVENT,
            )
        except aiohttp.WSServerHandshakeError as refusal:
            if refusal.status in _UNAUTHORISED:
                raise WrongApiToken from refusal
            raise NodeAway(data=self._data) from refusal
        except (aiohttp.ClientError, OSError) as problem:
            raise NodeAway(data=self._data) from problem
        return EventStream(socket, self._data)

    # --- how ---

    def _where(self) -> tuple[str, str]:
        """URL and token of the node that runs now."""
        try:
            base = (self._data / api.ENDPOINT_FILE).read_text(encoding="utf-8").strip().rstrip("/")
            token = (self._data / api.TOKEN_FILE).read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            raise NodeAway(data=self._data) from None
        except OSError as problem:
            raise DataUnreadable(data=self._data, detail=problem.strerror) from problem
        except UnicodeDecodeError:
            raise DataUnreadable(data=self._data, detail="its files are not a node's") from None
        return base, token

    async def _call(
        self, method: str, path: str, answer: type[T], body: object = None, *, query: dict[str, str] | None = None
    ) -> T:
        base, token = self._where()
        headers = {"Authorization": f"Bearer {token}"}
        try:
            tail = "?" + urlencode(query) if query else ""
            content = None if body is None else msgspec.json.encode(body)
        except UnicodeEncodeError:
            raise BadInput(detail="a word of it is not UTF-8") from None
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            url = URL(f"{base}{api.API_PREFIX}{path}{tail}", encoded=True)
            async with self._session.request(
                method, url, data=content, headers=headers, allow_redirects=False
            ) as response:
                return _decoded(response.status, await response.read(), response.headers.get("Retry-After"), answer)
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL, aiohttp.ConnectionTimeoutError) as problem:
            raise NodeAway(data=self._data) from problem
        except (aiohttp.ClientError, OSError) as problem:
            raise (Unavailable() if method == "GET" else FateUnknown()) from problem


def private(path: str, flags: int) -> int:
    """An opener for ``open``: a new file is for its owner alone."""
    return os.open(path, flags, 0o600)


def _message(message: str) -> str:
    """A message's id as one segment of a path; what cannot be one is no message's id either."""
    try:
        return str(UUID(message))
    except ValueError:
        raise UnknownMessage from None


def _segment(user: str) -> str:
    """A name as one segment of a path; what cannot be one is nobody's name either."""
    if not user or "/" in user or user in (".", ".."):
        raise UnknownUser(username=user)
    try:
        return quote(user, safe="")
    except UnicodeEncodeError:
        raise BadInput(detail="a word of it is not UTF-8") from None


def _decoded(status: int, content: bytes, retry_after: str | None, answer: type[T]) -> T:
    try:
        if status < _HTTP_ERROR:
            return msgspec.json.decode(content, type=answer)
        error = msgspec.json.decode(content, type=ErrorAnswer)
    except msgspec.DecodeError as problem:
        raise RemoteError(code=f"HTTP status {status}, not as documented") from problem
    wait = float(retry_after) if retry_after and retry_after.isdecimal() else None
    raise TelegraphError.received(error.error, error.message, wait)
