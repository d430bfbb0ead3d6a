"""Every row of docs/reference/contract.json, the report's calls and ours, on real processes over TLS.

A row says what is sent and what comes back; :data:`PREPARE` has, for each row, somebody who may make the call and the
values that stand for its ``$types`` and ``<placeholders>``. A row that nobody prepares fails.
"""

import asyncio
import contextlib
import json
import re
import signal
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import aiohttp
import msgspec
import pytest
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import telegraph
from telegraph.errors import ManagerAway
from telegraph.manager.ca import CertificateAuthority
from telegraph.manager.server import server_context
from telegraph.node.keys import DeviceKey
from telegraph.node.manager_client import ManagerClient
from telegraph.peer.credentials import Credentials, client_context
from telegraph.protocol import discovery
from telegraph.protocol.identity import MANAGER_ALIAS, holder_of, public_key_bytes
from telegraph.protocol.manager_api import LoggedIn, LoginRequest, User
from telegraph.rest.client import manager_context
from telegraph.testing.certificates import Organisation
from telegraph.testing.processes import PASSWORD, RealTelegraph

CONTRACT = json.loads((Path(__file__).parents[2] / "docs" / "reference" / "contract.json").read_text(encoding="utf-8"))
ROWS: dict[str, dict[str, Any]] = {row["id"]: row for row in CONTRACT["calls"]}
ENGLISH = {
    "Registro exitoso": "Registration successful",
    "Login exitoso": "Login successful",
    "heartbeat recibido": "heartbeat received",
    "IP actualizada exitosamente": "IP updated successfully",
}
"""The sentences that the contract has word for word."""

HERE, NOBODY = "127.0.0.1", 9
DAY = timedelta(days=1)
SOON = 10.0


# --- shapes: what the contract's conventions mean ---


def is_time(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", value):
        return False
    return datetime.fromisoformat(value).utcoffset() == timedelta()


def is_pem(value: object) -> bool:
    if not isinstance(value, str) or not value.startswith("-----BEGIN "):
        return False
    request = "REQUEST" in value.partition("\n")[0]
    return bool((x509.load_pem_x509_csr if request else x509.load_pem_x509_certificate)(value.encode()))


def is_no_json(value: object) -> bool:
    try:
        json.loads(str(value))
    except ValueError:
        return isinstance(value, str) and value != ""
    return False


def is_record(kind: str, value: object) -> bool:
    record = CONTRACT["records"][kind]
    check(record["fields"], value)
    assert isinstance(value, dict)
    assert all(value[name] in allowed for name, allowed in record.get("values", {}).items())
    return not value.keys() & set(record.get("never", ()))


TYPES: dict[str, Callable[[Any], bool]] = {
    "$string": lambda value: isinstance(value, str) and value != "",
    "$integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "$number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "$boolean": lambda value: isinstance(value, bool),
    "$time": is_time,
    "$pem": is_pem,
    "$text": is_no_json,
    "$user": lambda value: is_record("user", value),
    "$users": lambda value: isinstance(value, list) and value != [] and all(is_record("user", each) for each in value),
    "$present": lambda value: value is not None,
}


def check(shape: Any, value: Any) -> None:
    """Fails unless the value is what a shape of the contract says."""
    if isinstance(shape, dict):
        assert isinstance(value, dict)
        for field, kind in shape.items():
            name = field.removesuffix("?")
            if name == field or value.get(name) is not None:
                assert name in value
                check(kind, value[name])
    elif isinstance(shape, str) and shape.startswith("$"):
        assert TYPES[shape](value), f"{value!r} is no {shape}"
    else:
        assert (value, type(value)) == (shape, type(shape))


def forbidden(value: Any) -> set[str]:
    """Which fields that no user may ever be shown are in an answer, however deep."""
    if isinstance(value, list):
        return set().union(*map(forbidden, value))
    if not isinstance(value, dict):
        return set()
    never = set(CONTRACT["records"]["user"]["never"])
    return (never & value.keys()).union(*map(forbidden, value.values()))


# --- the people and processes ---


class Reply(msgspec.Struct, frozen=True):
    """What came back; ``said`` is the body, decoded if it is JSON."""

    status: int | None
    said: Any


class Person(msgspec.Struct, frozen=True):
    """Somebody who registered and logged in with a device that this test holds."""

    name: str
    user_id: str
    token: str
    key: DeviceKey
    credentials: Credentials


class Given(msgspec.Struct, frozen=True):
    """What a row leaves open: its caller and the values of its fields and placeholders; ``to`` names a node's user."""

    body: dict[str, Any] = {}
    path: dict[str, str] = {}
    token: str | None = None
    shown: Credentials | None = None
    to: str = "alice"


class World:
    """A running Telegraph and everything needed to speak with each of its processes."""

    def __init__(self, org: RealTelegraph, session: aiohttp.ClientSession) -> None:
        self.org, self.session = org, session
        self.ca = CertificateAuthority.load(org.root / "manager")
        self.trust = manager_context(self.ca.pem)
        found = re.search(r"udp_port=(\d+)", org.manager.log)
        assert found is not None, "the manager does not say where it answers discovery"
        self.udp = (HERE, int(found[1]))

    async def send(
        self,
        method: str,
        url: str,
        *,
        body: Any = None,
        token: str | None = None,
        shown: Credentials | None = None,
        **headers: str,
    ) -> Reply:
        """One request: to a node with the certificate that is shown, to the manager without."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        async with self.session.request(
            method,
            url,
            data=None if body is None else BytesIO(json.dumps(body).encode()),
            headers=headers,
            ssl=self.trust if shown is None else client_context(shown),
            server_hostname=MANAGER_ALIAS if shown is None else None,
        ) as response:
            text = await response.text()
            return Reply(response.status, json.loads(text) if response.content_type.endswith("json") else text)

    async def manager(self, method: str, path: str, **options: Any) -> Reply:
        return await self.send(method, self.org.url + path, **options)

    async def node(self, name: str, path: str, shown: Credentials, body: Any, **headers: str) -> Reply:
        return await self.send("POST", await self.node_url(name) + path, body=body, shown=shown, **headers)

    async def local(self, name: str, method: str, path: str, body: Any = None) -> Any:
        """A call of somebody's own local API, which must succeed."""
        headers = {"Authorization": f"Bearer {self.org.token(name)}"}
        url = f"{self.org.api(name)}/api/v1{path}"
        async with self.session.request(method, url, json=body, headers=headers) as response:
            assert response.status < 300
            return await response.json()

    @asynccontextmanager
    async def ticks(self, name: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """The event stream of somebody's own local API, from now on."""
        headers = {"Authorization": f"Bearer {self.org.token(name)}"}
        async with self.session.ws_connect(f"{self.org.api(name)}/api/v1/events", headers=headers) as stream:
            yield stream

    @asynccontextmanager
    async def events(self, token: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        headers = {"Authorization": f"Bearer {token}"}
        async with self.session.ws_connect(
            self.org.url + "/events", headers=headers, ssl=self.trust, server_hostname=MANAGER_ALIAS
        ) as stream:
            yield stream

    async def become(self, name: str, key: DeviceKey) -> Reply:
        body = {"username": name, "password": PASSWORD, "ip": HERE, "port": NOBODY, "csr": key.csr()}
        return await self.manager("POST", "/login", body=body)

    async def register(self) -> str:
        name = f"p{uuid4().hex[:12]}"
        body = {"username": name, "password": PASSWORD, "ip": HERE, "port": NOBODY}
        assert (await self.manager("POST", "/register", body=body)).status == 201
        return name

    async def person(self) -> Person:
        name, key = await self.register(), DeviceKey.create()
        said = (await self.become(name, key)).said
        credentials = Credentials(said["certificate"], key.private_pem, self.ca.pem)
        return Person(name, said["user_id"], said["token"], key, credentials)

    async def look_up(self, name: str) -> User:
        """A user as the directory shows them to somebody else."""
        reply = await self.manager("GET", f"/users/{name}", token=(await self.person()).token)
        return msgspec.convert(reply.said["message"], User)

    async def node_url(self, name: str) -> str:
        user = await self.look_up(name)
        return f"https://{user.ip}:{user.port}"

    async def talks(self, name: str) -> set[str]:
        """With whom somebody's node has messages."""
        overview = await self.local(name, "GET", "/conversations")
        return {conversation["user"] for conversation in overview["conversations"]}

    def as_manager(self) -> Credentials:
        certificate, key = self.ca.issue_manager("m-test", [HERE], datetime.now(UTC), DAY)
        return Credentials(certificate, key, self.ca.pem)


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealTelegraph]:
    """Alice's and bob's nodes; their heartbeats are so rare that whatever changes, a test did it."""
    running = RealTelegraph(tmp_path_factory.mktemp("org"), "--heartbeat-interval", "600", "--offline-after", "1200")
    for name in ("alice", "bob"):
        running.start(name)
        running.post(name, "/account", username=name, password=PASSWORD)
    yield running
    running.close()


@asynccontextmanager
async def world_of(org: RealTelegraph) -> AsyncIterator[World]:
    connector = Tidy()
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=SOON)) as session:
        yield World(org, session)
    await connector.tidy()


class Tidy(aiohttp.TCPConnector):
    """Remembers its connections: closing a session leaves those over TLS that were given up before half closed."""

    def __init__(self) -> None:
        super().__init__()
        self._ever: list[asyncio.BaseTransport] = []

    async def connect(self, req: ClientRequest, traces: Any, timeout: Any) -> Connection:  # noqa: ASYNC109 - aiohttp's signature
        connection = await super().connect(req, traces, timeout)
        if connection.transport is not None:
            self._ever.append(connection.transport)
        return connection

    async def tidy(self) -> None:
        for transport in self._ever:
            assert isinstance(transport, asyncio.WriteTransport)
            with contextlib.suppress(AttributeError):  # Python 3.11.2 (Debian 12): one that is closed cannot be aborted
                transport.abort()
        await asyncio.sleep(0)  # asyncio closes a socket one step after it was told to


@pytest.fixture
async def world(org: RealTelegraph) -> AsyncIterator[World]:
    async with world_of(org) as running:
        yield running


async def next_that(
    stream: aiohttp.ClientWebSocketResponse, fits: Callable[[dict[str, Any]], bool], within: float = SOON
) -> dict[str, Any]:
    """The next event of a stream that fits."""
    async with asyncio.timeout(within):
        while True:
            event: dict[str, Any] = json.loads(await stream.receive_str())
            if fits(event):
                return event


# --- who makes each call, with which values ---

Prepare = Callable[[World], Awaitable[Given]]
PREPARE: dict[str, Prepare] = {}


def prepares(*ids: str) -> Callable[[Prepare], Prepare]:
    def keep(prepare: Prepare) -> Prepare:
        PREPARE.update(dict.fromkeys(ids, prepare))
        return prepare

    return keep


@prepares("ca", "livez", "readyz", "metrics", "discover")
async def anybody(_world: World) -> Given:
    return Given()


@prepares("peers", "logout", "events", "sessions", "settings", "reachable")
async def somebody_logged_in(world: World) -> Given:
    return Given(token=(await world.person()).token)


@prepares("register")
async def somebody_new(_world: World) -> Given:
    name = f"p{uuid4().hex[:12]}"
    return Given({"username": name, "password": PASSWORD, "ip": HERE, "port": NOBODY, "invite": "none is needed"})


@prepares("login")
async def somebody_registered(world: World) -> Given:
    body = {"username": await world.register(), "password": PASSWORD, "ip": HERE, "port": NOBODY}
    return Given({**body, "csr": DeviceKey.create().csr()})


@prepares("heartbeat")
async def somebody_alive(world: World) -> Given:
    person = await world.person()
    return Given({"username": person.name}, token=person.token)


@prepares("user")
async def somebody_who_seeks_alice(world: World) -> Given:
    return Given(path={"username": "alice"}, token=(await world.person()).token)


@prepares("search")
async def somebody_who_seeks_b(world: World) -> Given:
    return Given(path={"prefix": "b"}, token=(await world.person()).token)


@prepares("reconnect")
async def somebody_who_moves(world: World) -> Given:
    person, host = await world.person(), "192.0.2.7"
    counter = (await world.look_up(person.name)).counter + 1
    signed = person.key.sign_address(person.user_id, host, NOBODY, counter)
    body = {"port": NOBODY, "counter": counter, "signature": b64encode(signed.signature).decode()}
    return Given(body, {"ip": host, "username": person.name}, person.token)


@prepares("password")
async def somebody_careful(world: World) -> Given:
    return Given({"old": PASSWORD, "new": PASSWORD + "?"}, token=(await world.person()).token)


@prepares("end_session")
async def somebody_with_two_sessions(world: World) -> Given:
    person = await world.person()
    body = {"username": person.name, "password": PASSWORD, "ip": HERE, "port": NOBODY}
    plain = (await world.manager("POST", "/login", body=body)).said["token"]
    listed = (await world.manager("GET", "/sessions", token=plain)).said["message"]
    (other,) = [session["id"] for session in listed if not session["current"]]
    return Given(path={"id": other}, token=plain)


@prepares("change_settings")
async def somebody_shy(world: World) -> Given:
    return Given({"last_seen": False}, token=(await world.person()).token)


@prepares("delete_account")
async def somebody_who_leaves(world: World) -> Given:
    return Given({"password": PASSWORD}, token=(await world.person()).token)


@prepares("certificate")
async def somebody_to_be_certified(world: World) -> Given:
    person = await world.person()
    return Given({"csr": person.key.csr()}, token=person.token)


@prepares("disconnect")
async def a_manager(world: World) -> Given:
    alice = await world.look_up("alice")
    body = {"username": "alice", "user_id": alice.user_id, "reason": "inactive"}
    return Given(body, shown=world.as_manager())


@prepares("receive_message")
async def a_writer(world: World) -> Given:
    person = await world.person()
    body = {"from": person.name, "to": "alice", "text": "Hello", "id": str(uuid4())}
    return Given({**body, "timestamp": "2026-01-02T03:04:05.678901Z"}, shown=person.credentials)


@prepares("notify_read")
async def a_reader(world: World) -> Given:
    person = await world.person()
    return Given({"from": person.name, "to": "alice"}, shown=person.credentials)


# --- making the calls ---


@contextmanager
def asking(world: World) -> Iterator[Callable[..., bytes]]:
    """Sends datagrams from one port to the manager and gives the next one that comes back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(SOON)

        def ask(*datagrams: bytes) -> bytes:
            for datagram in datagrams:
                asker.sendto(datagram, world.udp)
            return asker.recv(65536)

        yield ask


def request_of(row: dict[str, Any], given: Given, *, full: bool) -> dict[str, Any] | None:
    """The row's request, which is null or an object; ``full`` with the fields that are optional."""
    fields = {name: kind for name, kind in (row["request"] or {}).items() if full or not name.endswith("?")}
    filled = {name.removesuffix("?"): given.body.get(name.removesuffix("?"), kind) for name, kind in fields.items()}
    check(fields, filled)
    return filled or None


def path_of(row: dict[str, Any], given: Given) -> str:
    return re.sub(r"<(\w+)>", lambda name: quote(given.path[name[1]], safe=""), row["path"])


async def call(world: World, row: dict[str, Any], given: Given, *, full: bool, **headers: str) -> Reply:
    """Makes a row's call; whoever it says needs no session has none, and the certificate is of the role it says."""
    body = request_of(row, given, full=full)
    assert (given.token is not None) == row["session"]
    if row["method"] == "UDP":
        with asking(world) as ask:
            return Reply(None, json.loads(await asyncio.to_thread(ask, json.dumps(body).encode())))
    if row["method"] == "WS":
        async with world.events(given.token or "") as stream:
            await stream.send_json(body)
            while (said := await stream.receive_json())["type"] == "managers":
                pass
            return Reply(stream._response.status, said)
    if row["who"] == "node→manager":
        return await world.manager(row["method"], path_of(row, given), body=body, token=given.token, **headers)
    assert given.shown is not None
    shown = x509.load_pem_x509_certificate(given.shown.certificate_pem.encode())
    assert holder_of(shown.public_bytes(Encoding.DER)).role == row["certificate"]
    url = await world.node_url(given.to) + path_of(row, given)
    return await world.send(row["method"], url, body=body, shown=given.shown, **headers)


def answer_of(row: dict[str, Any], language: str) -> Any:
    """What the row says comes back, in a language."""
    answer = row["answer"]
    if language == "en" and isinstance(answer, dict) and answer.get("message") in ENGLISH:
        return {**answer, "message": ENGLISH[answer["message"]]}
    return answer


def variants() -> Iterator[Any]:
    for name, row in ROWS.items():
        yield pytest.param(row, False, id=name)
        if any(field.endswith("?") for field in row["request"] or {}):
            yield pytest.param(row, True, id=f"{name}-with-all-fields")


@pytest.mark.parametrize(("row", "full"), list(variants()))
async def test_every_row_of_the_contract_holds_on_real_processes(world: World, row: dict[str, Any], full: bool) -> None:
    assert row["id"] in PREPARE, "nobody makes this call"
    sentences = []
    for language, headers in (("es", {}), ("en", {"Accept_Language": "en"})):
        given = await PREPARE[row["id"]](world)
        reply = await call(world, row, given, full=full, **headers)
        assert reply.status == row["status"], reply.said
        check(answer_of(row, language), reply.said)
        assert forbidden(reply.said) == set()
        assert "$2b$" not in str(reply.said)
        assert PASSWORD not in str(reply.said)
        sentences.append(reply.said.get("message") if isinstance(reply.said, dict) else None)
    if isinstance(sentences[0], str):
        assert sentences[0] != sentences[1]


def test_whoever_prepares_a_call_prepares_one_that_the_contract_has() -> None:
    assert PREPARE.keys() == ROWS.keys()
    assert set(re.findall(r"\$\w+", CONTRACT["conventions"]["$types"])) == TYPES.keys()


# --- what the calls do ---


async def test_a_user_is_shown_as_section_5_1_says_with_what_they_last_announced(world: World) -> None:
    before = (await somebody_who_moves(world)).path["username"]
    given = await somebody_who_moves(world)
    assert (await call(world, ROWS["reconnect"], given, full=True)).status == 200
    moved = await world.look_up(given.path["username"])
    assert (moved.ip, moved.port, moved.status) == ("192.0.2.7", NOBODY, "online")
    assert (moved.counter, moved.signature) == (given.body["counter"], given.body["signature"])
    assert (await world.look_up(before)).ip == HERE


async def test_everybody_who_is_online_is_among_the_peers_until_they_log_out(world: World) -> None:
    person, other = await world.person(), await world.person()

    async def online() -> dict[str, str]:
        reply = await world.manager("GET", "/peers", token=other.token)
        return {user["username"]: user["status"] for user in reply.said["message"]}

    assert {"alice", "bob", person.name, other.name} <= (await online()).keys()
    assert set((await online()).values()) == {"online"}
    assert (await world.manager("POST", "/logout", token=person.token)).status == 200
    assert person.name not in await online()
    assert (await world.look_up(person.name)).status == "offline"


async def test_a_changed_password_is_the_only_one_that_logs_in(world: World) -> None:
    name = await world.register()
    body = {"username": name, "password": PASSWORD, "ip": HERE, "port": NOBODY}
    token = (await world.manager("POST", "/login", body=body)).said["token"]
    other = (await world.manager("POST", "/login", body=body)).said["token"]
    changed = {"old": PASSWORD, "new": PASSWORD + "?"}
    assert (await world.manager("POST", "/password", body=changed, token=token)).status == 200
    assert (await world.manager("POST", "/login", body=body)).said["error"] == "wrong_credentials"
    assert (await world.manager("POST", "/login", body={**body, "password": changed["new"]})).status == 200
    assert (await world.manager("GET", "/peers", token=token)).status == 200
    assert (await world.manager("GET", "/peers", token=other)).status == 401


async def test_a_renewed_certificate_is_the_devices_own_and_no_other_key_gets_one(world: World) -> None:
    person = await world.person()
    renewed = await world.manager("POST", "/certificate", body={"csr": person.key.csr()}, token=person.token)
    certificate = x509.load_pem_x509_certificate(renewed.said["certificate"].encode())
    holder = holder_of(certificate.public_bytes(Encoding.DER))
    assert (holder.role, holder.id, public_key_bytes(certificate)) == ("user", person.user_id, person.key.public)
    other = await world.manager("POST", "/certificate", body={"csr": DeviceKey.create().csr()}, token=person.token)
    assert (other.status, other.said["error"]) == (400, "illegal_csr")


async def test_a_message_that_came_by_the_reports_call_is_shown_as_section_5_1_says(world: World) -> None:
    given = await a_writer(world)
    for _ in range(2):
        assert (await call(world, ROWS["receive_message"], given, full=True)).status == 200
    page = await world.local("alice", "GET", f"/conversations/{given.body['from']}/messages")
    (message,) = page["messages"]
    assert is_record("message", message)
    assert {name: message[name] for name in given.body} == given.body
    assert (message["status"], message["read"]) == ("ok", False)


async def test_a_message_between_two_nodes_is_shown_as_section_5_1_says_at_both_ends(world: World) -> None:
    async with world.ticks("alice") as ticks:
        sent = await world.local("alice", "POST", "/messages", {"to": "bob", "text": "Hello Bob"})
        assert is_record("message", sent)

        async def shown(user: str, other: str) -> tuple[str, bool]:
            page = await world.local(user, "GET", f"/conversations/{other}/messages")
            (message,) = (message for message in page["messages"] if message["id"] == sent["id"])
            assert is_record("message", message)
            assert (message["from"], message["to"], message["text"]) == ("alice", "bob", "Hello Bob")
            return message["status"], message["read"]

        await next_that(ticks, lambda event: is_state(event, sent["id"], "delivered"))
        assert await shown("alice", "bob") == await shown("bob", "alice") == ("ok", False)
        assert await world.local("bob", "POST", "/conversations/alice/read") == {"marked": 1}
        await next_that(ticks, lambda event: is_state(event, sent["id"], "read"))
        assert await shown("alice", "bob") == await shown("bob", "alice") == ("ok", True)


def is_state(event: dict[str, Any], message_id: str, state: str) -> bool:
    return event["type"] == "state" and (event["message"]["id"], event["message"]["state"]) == (message_id, state)


async def test_the_reports_read_receipt_marks_what_its_sender_has_stored_and_no_more(
    world: World, tmp_path: Path
) -> None:
    async with telegraph.Node(tmp_path, manager=world.org.url, ca=world.org.root / "manager" / "ca.pem") as node:
        name = f"p{uuid4().hex[:12]}"
        account = await node.register(name, PASSWORD)
        async with world.ticks("alice") as ticks:
            sent = await world.local("alice", "POST", "/messages", {"to": name, "text": "Read me"})
            await next_that(ticks, lambda event: is_state(event, sent["id"], "delivered"))
        own, body = node._credentials(account), {"from": name, "to": "alice"}
        of_another_key = await rogue(world, account.user_id)
        assert (await world.node("alice", "/notify_read", of_another_key, body)).said["error"] == "key_changed"
        assert (await world.node("alice", "/notify_read", own, body)).said == {"marked": 1, "status": 200}
        assert (await world.node("alice", "/notify_read", own, body)).said == {"marked": 0, "status": 200}
    page = await world.local("alice", "GET", f"/conversations/{name}/messages")
    assert [(message["read"], message["state"]) for message in page["messages"]] == [(True, "read")]


async def rogue(world: World, user_id: str) -> Credentials:
    """What a stolen CA could issue: somebody's certificate over another key."""
    key = DeviceKey.create()
    return Credentials(world.ca.sign_device(key.csr(), user_id, datetime.now(UTC), DAY), key.private_pem, world.ca.pem)


def test_discovery_gives_a_bare_question_the_bare_answer_and_a_padded_one_at_most_twice_its_length(
    org: RealTelegraph,
) -> None:
    world = World(org, None)  # type: ignore[arg-type] # no HTTP here
    port = urlsplit(org.url).port
    bare, padded = json.dumps(ROWS["discover"]["request"]).encode(), discovery.question()
    with asking(world) as ask:
        assert json.loads(ask(bare)) == {"status": "active", "port": port}
        full = ask(padded)
    said = json.loads(full)
    assert len(full) <= 2 * len(padded)
    assert (said["status"], said["port"], said["url"], said["ca"]) == ("active", port, org.url, world.ca.fingerprint)


def test_discovery_meets_garbage_with_silence(org: RealTelegraph) -> None:
    world = World(org, None)  # type: ignore[arg-type] # no HTTP here
    garbage = [b"", b"\x00\xff", b"{", b"[" * 1400, b"null", b'{"action": "delete"}', b'{"action": 7}', b"x" * 60_000]
    with asking(world) as ask:
        bare, padded = ask(*garbage, b'{"action": "discover"}'), ask(*garbage, discovery.question())
    assert len(bare) < len(padded)  # had any garbage been answered, both would be that answer
    assert json.loads(padded)["url"] == org.url


# --- who is refused ---


def is_refusal(reply: Reply, status: int, error: str) -> bool:
    check(CONTRACT["records"]["error"]["fields"], reply.said)
    return (reply.status, reply.said["status"], reply.said["error"]) == (status, status, error)


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": b64encode(b"0123456789abcdef").decode(),
}


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row["session"]], ids=lambda row: row["id"])
async def test_a_call_that_needs_a_session_is_refused_without_one(world: World, row: dict[str, Any]) -> None:
    given, ended = await PREPARE[row["id"]](world), (await world.person()).token
    assert (await world.manager("POST", "/logout", token=ended)).status == 200
    method, headers = ("GET", UPGRADE) if row["method"] == "WS" else (row["method"], {})
    body = None if row["method"] == "WS" else request_of(row, given, full=False)
    for token in (None, "x", ended[:-1] + ("A" if ended[-1] != "A" else "B"), ended):
        reply = await world.manager(method, path_of(row, given), body=body, token=token, **headers)
        assert is_refusal(reply, 401, "not_logged_in")


BY_THE_GROUPS_SECRET = {("POST", "/cluster/join"), ("POST", "/cluster/formation"), ("POST", "/cluster/site")}
"""What managers ask each other before they share a directory."""


async def test_a_persons_session_is_no_secret_of_the_group(world: World) -> None:
    token = (await world.person()).token
    for _, path in BY_THE_GROUPS_SECRET:
        body = {
            "secret": token,
            "manager_id": "x",
            "url": "https://mallory.example",
            "site": "x",
            "csr": "",
            "etcd_csr": "",
        }
        assert is_refusal(await world.manager("POST", path, body=body, token=token), 409, "no_cluster")


async def test_every_operation_of_the_openapi_page_needs_a_session_but_those_that_cannot(world: World) -> None:
    document = (await world.manager("GET", "/schema/openapi.json")).said
    assert "html" in (await world.manager("GET", "/schema")).said
    operations = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    free = {
        (row["method"], row["path"]) for row in ROWS.values() if row["who"] == "node→manager" and not row["session"]
    }
    assert free < operations
    assert {path for _, path in free} == {"/register", "/login", "/ca", "/livez", "/readyz", "/metrics"}
    for method, path in operations - BY_THE_GROUPS_SECRET:
        reply = await world.manager(method, re.sub(r"{\w+}", "x", path), body={} if method in ("POST", "PUT") else None)
        assert (reply.status == 401) == ((method, path) not in free)
        assert reply.status != 401 or is_refusal(reply, 401, "not_logged_in")


async def test_no_session_beats_or_moves_for_somebody_else(world: World) -> None:
    mallory, victim = await world.person(), await world.person()
    assert (await world.manager("POST", "/logout", token=victim.token)).status == 200
    before = await world.look_up(victim.name)
    body, path = {"username": victim.name}, f"/users/reconnect/192.0.2.66/{victim.name}"
    assert is_refusal(await world.manager("POST", "/heartbeat", body=body, token=mallory.token), 403, "foreign_session")
    assert is_refusal(await world.manager("PUT", path, token=mallory.token), 403, "foreign_session")
    assert await world.look_up(victim.name) == before


async def test_a_late_heartbeat_of_an_ended_session_changes_nothing(world: World) -> None:
    person = await world.person()
    assert (await world.manager("POST", "/logout", token=person.token)).status == 200
    before = await world.look_up(person.name)
    late = await world.manager("POST", "/heartbeat", body={"username": person.name}, token=person.token)
    moved = await world.manager("PUT", f"/users/reconnect/192.0.2.7/{person.name}", token=person.token)
    assert is_refusal(late, 401, "not_logged_in")
    assert is_refusal(moved, 401, "not_logged_in")
    assert await world.look_up(person.name) == before
    assert before.status == "offline"


async def test_two_log_ins_at_the_same_time_leave_exactly_one_device(world: World) -> None:
    for _ in range(5):
        name, keys = await world.register(), [DeviceKey.create(), DeviceKey.create()]
        replies = await asyncio.gather(*(world.become(name, key) for key in keys))
        assert [reply.status for reply in replies] == [200, 200]
        alive = [await world.manager("GET", "/peers", token=reply.said["token"]) for reply in replies]
        assert {reply.status for reply in alive} == {200, 401}
        winner = keys[[reply.status for reply in alive].index(200)]
        assert (await world.look_up(name)).device_key == b64encode(winner.public).decode()


async def test_only_a_manager_tells_a_node_that_it_is_offline(world: World) -> None:
    """A node that is told of an ended session asks the manager before it answers; that is what shows here."""
    mallory, alice = await world.person(), await world.look_up("alice")
    body = {"username": "alice", "user_id": alice.user_id, "reason": "session_ended"}
    refused = await world.node("alice", "/disconnect", mallory.credentials, body)
    assert is_refusal(refused, 403, "wrong_role")
    assert await world.look_up("alice") == alice
    heard = await world.node("alice", "/disconnect", world.as_manager(), body)
    assert heard.status == 200
    after = await world.look_up("alice")
    assert after.status == "online"
    assert after.last_seen != alice.last_seen


@pytest.mark.parametrize("path", ["/receive_message", "/notify_read"])
async def test_no_manager_speaks_as_a_user(world: World, path: str) -> None:
    before, body = await world.talks("alice"), {"from": "bob", "to": "alice", "text": "Trust me"}
    refused = await world.node("alice", path, world.as_manager(), body, Accept_Language="en")
    assert is_refusal(refused, 403, "wrong_role")
    assert refused.said["message"].startswith("The certificate")
    assert await world.talks("alice") == before


async def test_a_stranger_does_not_get_past_a_nodes_handshake(world: World) -> None:
    writer, url = await world.person(), await world.node_url("alice")
    theirs = Organisation("Telegraph")
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname = False
    bare.load_verify_locations(cadata=world.ca.pem)
    contexts = {
        "without a certificate": bare,
        "a device of another CA": foreign(theirs.device(writer.user_id, key=writer.key).credentials, world),
        "a manager of another CA": foreign(theirs.manager(), world),
    }
    body = {"from": writer.name, "to": "alice", "text": "Let me in"}
    for context in contexts.values():
        for path in ("/receive_message", "/notify_read", "/disconnect"):
            with pytest.raises((aiohttp.ClientError, OSError)):
                await world.session.post(url + path, json=body, ssl=context)
        with pytest.raises((aiohttp.ClientError, OSError)):
            await world.session.ws_connect(url + "/link", ssl=context)
    assert writer.name not in await world.talks("alice")
    assert (await world.node("alice", "/receive_message", writer.credentials, body)).status == 200
    assert writer.name in await world.talks("alice")


def foreign(credentials: Credentials, world: World) -> ssl.SSLContext:
    """Shows a certificate of another CA, and trusts ours."""
    return client_context(Credentials(credentials.certificate_pem, credentials.key_pem, world.ca.pem))


class Impostor:
    """A TLS server on a manager's address; ``greeted`` counts those who went through with the handshake."""

    def __init__(self) -> None:
        self.greeted = 0

    async def __call__(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.greeted += 1
        writer.transport.abort()


async def test_a_node_tells_nothing_to_a_manager_that_is_none(world: World) -> None:
    user, theirs = await world.person(), Organisation("Telegraph").manager("m1", MANAGER_ALIAS)
    login, client = LoginRequest(user.name, PASSWORD, HERE, NOBODY), ManagerClient(world.ca.pem)
    try:
        for shown, greeted in ((user.credentials, 0), (theirs, 0), (world.as_manager(), 1)):
            impostor = Impostor()
            server = await asyncio.start_server(impostor, HERE, 0, ssl=server_context(shown))
            url = f"https://{HERE}:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(telegraph.TelegraphError) as refused:
                await client.call(url, "POST", "/login", LoggedIn, body=login, repeatable=True)
            server.close()
            await server.wait_closed()
            assert isinstance(refused.value, ManagerAway)
            assert impostor.greeted == greeted  # the last has the right certificate: it gets the password
        await client.probe(world.org.url)
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/users/nobody", None, 404, "unknown_user"),
        ("GET", "/nothing", None, 404, "unknown_path"),
        ("DELETE", "/peers", None, 405, "wrong_method"),
        ("POST", "/heartbeat", {"username": 7}, 400, "malformed_body"),
        ("POST", "/register", {"username": "ALICE", "password": PASSWORD, "ip": HERE, "port": 1}, 409, "name_taken"),
        ("POST", "/login", {"username": "alice", "password": "x" * 9, "ip": HERE, "port": 1}, 401, "wrong_credentials"),
        ("POST", "/password", {"old": "x" * 2_000_000, "new": "x"}, 413, "body_too_large"),
    ],
)
async def test_a_managers_errors_have_one_shape_in_two_languages(
    world: World, method: str, path: str, body: Any, status: int, error: str
) -> None:
    token = (await world.person()).token
    spanish = await world.manager(method, path, body=body, token=token)
    english = await world.manager(method, path, body=body, token=token, Accept_Language="en-GB, es;q=0.5")
    assert is_refusal(spanish, status, error)
    assert is_refusal(english, status, error)
    assert spanish.said["message"] != english.said["message"]


@pytest.mark.parametrize(
    ("path", "changed", "status", "error"),
    [
        ("/receive_message", {"from": "bob"}, 403, "forged_frame"),
        ("/receive_message", {"to": "bob"}, 403, "forged_frame"),
        ("/receive_message", {"text": ""}, 400, "illegal_text"),
        ("/receive_message", {"text": 7}, 400, "malformed_body"),
        ("/receive_message", {"timestamp": "yesterday"}, 400, "malformed_body"),
        ("/receive_message", {"timestamp": "2026-01-02T03:04:05"}, 400, "malformed_body"),
        ("/receive_message", {"timestamp": "1969-12-31T23:59:59Z"}, 400, "malformed_body"),
        ("/notify_read", {"from": "bob"}, 403, "forged_frame"),
        ("/nothing", {}, 404, "unknown_path"),
    ],
)
async def test_a_nodes_errors_have_one_shape_in_two_languages_and_change_nothing(
    world: World, path: str, changed: dict[str, Any], status: int, error: str
) -> None:
    person = await world.person()
    body = {"from": person.name, "to": "alice", "text": "Hello", **changed}
    spanish = await world.node("alice", path, person.credentials, body)
    english = await world.node("alice", path, person.credentials, body, Accept_Language="en")
    assert is_refusal(spanish, status, error)
    assert is_refusal(english, status, error)
    assert spanish.said["message"] != english.said["message"]
    assert person.name not in await world.talks("alice")


# --- silence ---


async def test_a_node_that_fell_silent_is_told_and_comes_back_online_by_itself_at_once(tmp_path: Path) -> None:
    org = RealTelegraph(tmp_path, "--heartbeat-interval", "0.3", "--offline-after", "1")
    try:
        org.start("alice")
        await asyncio.to_thread(org.post, "alice", "/account", username="alice", password=PASSWORD)
        async with world_of(org) as world:
            alice = await world.look_up("alice")
            async with world.events((await world.person()).token) as stream:
                await stream.send_json({"type": "watch", "users": [alice.user_id]})
                await next_that(stream, lambda event: event.get("user", {}).get("status") == "online")
                org.nodes["alice"].signal(signal.SIGSTOP)
                await next_that(stream, lambda event: event["user"]["status"] == "offline")
                org.nodes["alice"].signal(signal.SIGCONT)
                await next_that(stream, lambda event: event.get("user", {}).get("status") == "online", within=2.0)
            async with asyncio.timeout(SOON):
                while not await heard(world):  # its answer comes a moment after its heartbeat
                    pass
    finally:
        org.close()


async def heard(world: World) -> bool:
    """Whether a node has answered the manager's /disconnect."""
    return 'telegraph_manager_disconnect_calls_total{heard="true"} 1.0' in (await world.manager("GET", "/metrics")).said
