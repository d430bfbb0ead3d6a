"""A small node in memory that answers the local API over real HTTP, and a way to run the command line against it."""

import asyncio
import io
import itertools
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import pytest
from aiohttp import WSCloseCode, web

from telegraph.cli.main import main
from telegraph.errors import (
    IllegalText,
    MalformedBody,
    NotLoggedIn,
    TelegraphError,
    UnknownMessage,
    UnknownSession,
    UnknownUser,
    WrongApiToken,
    WrongCredentials,
    WrongState,
)
from telegraph.protocol import node_api as api
from telegraph.protocol.frames import MAX_TEXT_BYTES
from telegraph.protocol.manager_api import SessionInfo

T = TypeVar("T")
TOKEN = "the-token"
KEY = "ab" * 32
ENCODE = msgspec.json.encode


class FakeNode:
    """Alice's node: bob and carol exist; what is sent is pending until the test says otherwise."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.username: str | None = "alice"
        self.passwords = {"alice": "correct horse"}
        self.people = [
            api.Person("bob", "id-bob", "online", None),
            api.Person("carol", "id-carol", "offline", "2026-11-23T10:00:00.000000Z"),
        ]
        self.messages: list[api.Message] = []
        self.settings = api.Settings(read_receipts=True, last_seen=True)
        self.sessions = [
            SessionInfo("5e55101", "plain", "2026-11-24T13:50:00Z", "2026-11-24T14:10:00Z", current=False),
            SessionInfo(
                "de71ce", "device", "2026-11-23T10:00:00Z", "2026-11-24T14:11:00Z", current=True, key="ab" * 32
            ),
        ]
        self.events: list[api.Event] = []
        self.bodies: list[tuple[str, str, Any]] = []
        self.failing: TelegraphError | None = None
        self.answers_on_send = "pending"
        self.canned: dict[tuple[str, str], object] = {}
        """Answers to further calls, by method and path below the API's prefix."""
        self._numbers = itertools.count(1)
        self._sockets: set[web.WebSocketResponse] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.start()

    # --- what tests do to it ---

    def start(self) -> None:
        self._on_loop(self._start())

    def stop(self) -> None:
        self._on_loop(self._runner.cleanup())
        (self.data / api.ENDPOINT_FILE).unlink(missing_ok=True)

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def receive(self, sender: str, text: str, *, read: bool = False) -> api.Message:
        """Somebody's message arrives."""
        state: api.MessageState = "read" if read else "delivered"
        return self._on_loop(self._add(sender, "alice", text, state))

    def slip_in(self, sender: str, text: str) -> api.Message:
        """Somebody's message arrives, and no event tells of it."""
        return self._on_loop(self._add(sender, "alice", text, "delivered", tell=False))

    def wrote(self, to: str, text: str, state: api.MessageState = "read") -> api.Message:
        """Alice has written something."""
        return self._on_loop(self._add("alice", to, text, state))

    def advance(self, message: api.Message, state: api.MessageState) -> None:
        """A message of alice's gets on."""
        self._on_loop(self._advance(message.id, state))

    def presence(self, user: str, status: Any) -> None:
        self._on_loop(self._tell(api.PresenceEvent(len(self.events) + 1, user, f"id-{user}", status, None)))

    def publish(self, event: api.Event) -> None:
        self._on_loop(self._tell(event))

    def say_raw(self, text: str) -> None:
        """Sends anything at all on every stream."""

        async def to_all() -> None:
            for socket in self._sockets:
                await socket.send_str(text)

        self._on_loop(to_all())

    def cut_streams(self) -> None:
        """Every stream breaks; what happens meanwhile is replayed to who resumes."""
        self._on_loop(self._cut())

    # --- how it is built ---

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> None:
        application = web.Application(middlewares=[self._checked])
        prefix = api.API_PREFIX
        application.add_routes(
            [
                web.post(prefix + "/account", self._register),
                web.post(prefix + "/session", self._login),
                web.delete(prefix + "/session", self._logout),
                web.post(prefix + "/password", self._password),
                web.delete(prefix + "/account", self._delete_account),
                web.get(prefix + "/sessions", self._sessions),
                web.delete(prefix + "/sessions/{session}", self._end_session),
                web.get(prefix + "/status", self._status),
                web.get(prefix + "/people", self._people),
                web.get(prefix + "/conversations", self._conversations),
                web.get(prefix + "/conversations/{user}/messages", self._page),
                web.get(prefix + "/inbox", self._inbox),
                web.get(prefix + "/search", self._search),
                web.delete(prefix + "/messages/{message}", self._delete_message),
                web.delete(prefix + "/conversations/{user}", self._delete_conversation),
                web.get(prefix + "/settings", self._settings),
                web.put(prefix + "/settings", self._change_settings),
                web.post(prefix + "/messages", self._send),
                web.post(prefix + "/messages/{message}/cancel", self._cancel),
                web.post(prefix + "/messages/{message}/retry", self._retry),
                web.post(prefix + "/conversations/{user}/read", self._read),
                web.get(prefix + "/events", self._stream),
                web.route("*", prefix + "/{call:.*}", self._further),
            ]
        )
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        (self.data / api.ENDPOINT_FILE).write_text(f"http://127.0.0.1:{port}\n", encoding="utf-8")
        (self.data / api.TOKEN_FILE).write_text(TOKEN + "\n", encoding="utf-8")

    @web.middleware
    async def _checked(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read()) if request.can_read_body else None
        self.bodies.append((request.method, request.path, body))
        try:
            if request.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise WrongApiToken
            if self.failing is not None:
                raise self.failing
            return await handler(request)
        except TelegraphError as error:
            sentence = error.sentence("en" if request.headers.get("Accept-Language") == "en" else "es")
            text = {"message": sentence, "status": error.status, "error": error.code}
            return web.json_response(text, status=error.status)

    async def _body(self, request: web.Request, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(await request.read(), type=kind)
        except msgspec.ValidationError as problem:
            raise MalformedBody(detail=str(problem)) from problem

    async def _register(self, request: web.Request) -> web.Response:
        body = await self._body(request, api.AccountRequest)
        self.username, self.passwords[body.username] = body.username, body.password
        return _answer(api.Account("id-new", body.username, "online", provisional=body.username == "zoe"), 201)

    async def _login(self, request: web.Request) -> web.Response:
        body = await self._body(request, api.AccountRequest)
        if self.passwords.get(body.username) != body.password:
            raise WrongCredentials
        self.username = body.username
        return _answer(api.Account("id-alice", body.username, "online"))

    async def _logout(self, _: web.Request) -> web.Response:
        if self.username is None:
            raise NotLoggedIn
        self.username = None
        return _answer(api.Ok("out"))

    async def _password(self, request: web.Request) -> web.Response:
        body = await self._body(request, api.PasswordChange)
        if self.passwords["alice"] != body.old:
            raise WrongCredentials
        self.passwords["alice"] = body.new
        return _answer(api.Ok("changed"))

    async def _status(self, request: web.Request) -> web.Response:
        managers = [api.ManagerState("https://m1:8000", True), api.ManagerState("https://m2:8000", False)]
        state: api.AccountState = "online" if self.username else "none"
        pending = sum(message.state == "pending" for message in self.messages)
        return _answer(
            api.NodeStatus(
                state, self.username, "id-alice", managers, "10.0.0.1:8000", str(request.url.origin()), pending, 1, "1"
            )
        )

    async def _people(self, request: web.Request) -> web.Response:
        query = request.query.get("query", "")
        return _answer(api.People([person for person in self.people if person.username.startswith(query)]))

    async def _conversations(self, _: web.Request) -> web.Response:
        found = [
            api.Conversation(
                person.username, person.user_id, person.status, None, len(self._unread(person.username)), 0, None
            )
            for person in self.people
            if self._with(person.username)
        ]
        return _answer(api.Conversations(found))

    async def _page(self, request: web.Request) -> web.Response:
        messages = self._with(self._known(request.match_info["user"]))
        before = request.query.get("before")
        if before:
            messages = messages[: [message.id for message in messages].index(before)]
        limit = int(request.query.get("limit", "50"))
        assert 1 <= limit <= 1000
        return _answer(api.MessagesPage(messages[-limit:], len(messages) > limit))

    async def _inbox(self, _: web.Request) -> web.Response:
        return _answer(api.Inbox([message for message in self.messages if not message.mine and not message.read]))

    async def _send(self, request: web.Request) -> web.Response:
        body = await self._body(request, api.SendRequest)
        self._known(body.to)
        if len(body.text.encode()) > MAX_TEXT_BYTES:
            raise IllegalText
        message = await self._add("alice", body.to, body.text, "pending")
        if self.answers_on_send != "pending":
            await self._advance(message.id, self.answers_on_send)
        return _answer(message, 201)

    async def _delete_message(self, request: web.Request) -> web.Response:
        self.messages.remove(self._message(request.match_info["message"]))
        return _answer(api.Ok("deleted"))

    async def _delete_conversation(self, request: web.Request) -> web.Response:
        gone = self._with(self._known(request.match_info["user"]))
        self.messages = [message for message in self.messages if message not in gone]
        return _answer(api.Deleted(len(gone)))

    async def _delete_account(self, request: web.Request) -> web.Response:
        body = await self._body(request, api.AccountDeletion)
        if self.passwords["alice"] != body.password:
            raise WrongCredentials
        self.username = None
        return _answer(api.Ok("deleted"))

    async def _sessions(self, _: web.Request) -> web.Response:
        return _answer(api.Sessions(self.sessions))

    async def _end_session(self, request: web.Request) -> web.Response:
        left = [session for session in self.sessions if session.id != request.match_info["session"]]
        if left == self.sessions:
            raise UnknownSession
        self.sessions = left
        return _answer(api.Ok("ended"))

    async def _settings(self, _: web.Request) -> web.Response:
        return _answer(self.settings)

    async def _change_settings(self, request: web.Request) -> web.Response:
        change = await self._body(request, api.SettingsChange)
        if change.read_receipts is not None:
            self.settings.read_receipts = change.read_receipts
        if change.last_seen is not None:
            self.settings.last_seen = change.last_seen
        return _answer(self.settings)

    async def _search(self, request: web.Request) -> web.Response:
        user = request.query.get("user")
        messages = self._with(self._known(user)) if user else self.messages
        return _answer(api.Found([found for found in reversed(messages) if request.query["query"] in found.text]))

    async def _cancel(self, request: web.Request) -> web.Response:
        return await self._change(request, ("pending", "failed", "cancelled"), "cancelled")

    async def _retry(self, request: web.Request) -> web.Response:
        return await self._change(request, ("pending", "failed", "cancelled"), "pending")

    async def _change(self, request: web.Request, may: tuple[str, ...], state: Any) -> web.Response:
        message = self._message(request.match_info["message"])
        if message.state not in may:
            raise WrongState(state=message.state)
        await self._advance(message.id, state)
        return _answer(self._message(message.id))

    async def _read(self, request: web.Request) -> web.Response:
        unread = self._unread(self._known(request.match_info["user"]))
        for message in unread:
            await self._advance(message.id, "read")
        return _answer(api.ReadMarked(len(unread)))

    async def _further(self, request: web.Request) -> web.Response:
        return _answer(self.canned[request.method, "/" + request.match_info["call"]])

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        start = int(request.query.get("cursor", len(self.events)))
        for person in self.people:
            await socket.send_bytes(b"")  # anything but text is to be passed over
            await socket.send_str(
                ENCODE(api.PresenceEvent(start, person.username, person.user_id, person.status, None)).decode()
            )
        for event in self.events[start:]:
            await socket.send_str(ENCODE(event).decode())
        self._sockets.add(socket)
        try:
            async for _ in socket:
                pass
        finally:
            self._sockets.discard(socket)
        return socket

    async def _add(self, sender: str, to: str, text: str, state: api.MessageState, *, tell: bool = True) -> api.Message:
        number = next(self._numbers)
        message = api.Message(
            id=f"00000000-0000-7000-8000-{number:012d}",
            sender=sender,
            recipient=to,
            text=text,
            timestamp=f"2026-11-23T10:{number % 60:02d}:00.000000Z",
            read=state == "read",
            status="pending" if state == "pending" else "ok",
            state=state,
            mine=sender == "alice",
        )
        self.messages.append(message)
        if tell:
            await self._tell(api.MessageEvent(len(self.events) + 1, message))
        return message

    async def _advance(self, message_id: str, state: Any) -> None:
        for place, message in enumerate(self.messages):
            if message.id == message_id:
                changed = msgspec.structs.replace(message, state=state, status="ok", read=state == "read")
                self.messages[place] = changed
                await self._tell(api.StateEvent(len(self.events) + 1, changed))

    async def _tell(self, event: api.Event) -> None:
        self.events.append(event)
        for socket in list(self._sockets):
            await socket.send_str(ENCODE(event).decode())

    async def _cut(self) -> None:
        for socket in list(self._sockets):
            self._sockets.discard(socket)
            await socket.close(code=WSCloseCode.GOING_AWAY)

    def _known(self, user: str) -> str:
        if all(person.username != user for person in self.people):
            raise UnknownUser(username=user)
        return user

    def _message(self, message_id: str) -> api.Message:
        for message in self.messages:
            if message.id == message_id:
                return message
        raise UnknownMessage

    def _with(self, user: str) -> list[api.Message]:
        return [message for message in self.messages if user in (message.sender, message.recipient)]

    def _unread(self, user: str) -> list[api.Message]:
        return [message for message in self._with(user) if not message.mine and not message.read]


def _answer(value: object, status: int = 200) -> web.Response:
    return web.Response(body=ENCODE(value), status=status, content_type="application/json")


class Ran(NamedTuple):
    """What a run of the command line left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return msgspec.json.decode(self.out)


Cli = Callable[..., Ran]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "alice"
    path.mkdir()
    return path


@pytest.fixture
def node(data: Path) -> Iterator[FakeNode]:
    fake = FakeNode(data)
    yield fake
    fake.close()


@pytest.fixture
def cli(data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs the command line as the ``telegraph`` script does, on alice's data directory."""
    monkeypatch.setenv("TELEGRAPH_DATA", str(data))
    monkeypatch.delenv("TELEGRAPH_PASSWORD", raising=False)
    monkeypatch.delenv("TELEGRAPH_NEW_PASSWORD", raising=False)
    monkeypatch.setenv("TZ", "UTC")

    def run(*arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Ran:
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = capsys.readouterr()
        return Ran(int(ended.value.code or 0), printed.out, printed.err)

    return run
