"""The manager's calls of DESIGN.md section 3 over TLS, against a real process."""

import asyncio
import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from cryptography import x509

from telegraph.node.keys import DeviceKey
from telegraph.protocol.discovery import AMPLIFICATION, question, read_answer
from telegraph.protocol.identity import MANAGER_ALIAS, fingerprint, holder_of, key_fingerprint
from telegraph.testing.processes import RunningProcess, start_manager

PASSWORD = "correct horse"


class Organisation:
    """A running manager and its callers."""

    def __init__(self, data: Path, *options: str) -> None:
        self.process: RunningProcess = start_manager(data, *options)
        assert self.process.match is not None
        self.url = self.process.match["url"]
        self.ca = (data / "ca.pem").read_text()
        self.tls = ssl.create_default_context(cadata=self.ca)
        self.http = httpx.Client(base_url=self.url, verify=self.tls)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.partition("://")[2].partition(":")
        return host, int(port)

    @property
    def udp(self) -> tuple[str, int]:
        found = re.search(r"udp_port=(\d+)", self.process.log)
        assert found is not None
        return "127.0.0.1", int(found[1])

    def body(self, name: str, **more: Any) -> dict[str, Any]:
        return {"username": name, "password": PASSWORD, "ip": "127.0.0.1", "port": 9000, **more}

    def register(self, name: str, **more: Any) -> httpx.Response:
        return self.http.post("/register", json=self.body(name, **more))

    def login(self, name: str, **more: Any) -> dict[str, Any]:
        answer = self.http.post("/login", json=self.body(name, **more))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def join(self, name: str, **more: Any) -> dict[str, str]:
        """Registers, logs in: the headers of the session."""
        self.register(name)
        return self.headers(self.login(name, **more))

    def headers(self, logged_in: dict[str, Any]) -> dict[str, str]:
        return {"Authorization": f"Bearer {logged_in['token']}"}

    def user(self, name: str, headers: dict[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/users/{name}", headers=headers).json()["message"]
        return found

    def close(self) -> None:
        self.http.close()
        self.process.kill()


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    made = Organisation(tmp_path_factory.mktemp("org") / "manager")
    yield made
    made.close()


def test_the_whole_of_the_reports_calls(org: Organisation) -> None:
    assert (org.register("ana").status_code, org.register("ana").status_code) == (201, 409)
    logged_in = org.login("ana", ip="10.1.1.1", port=8001)
    assert (logged_in["message"], logged_in["status"]) == ("Login exitoso", 200)
    ana = org.headers(logged_in)
    shown = org.user("ana", ana)
    assert (shown["username"], shown["ip"], shown["port"], shown["status"]) == ("ana", "10.1.1.1", 8001, "online")
    beat = org.http.post("/heartbeat", json={"username": "ana"}, headers=ana)
    assert (beat.status_code, beat.json()) == (200, {"message": "heartbeat recibido", "status": 200})
    moved = org.http.put("/users/reconnect/10.1.1.2/ana", headers=ana)
    assert (moved.status_code, moved.json()) == (200, {"message": "IP actualizada exitosamente", "status": 200})
    assert org.user("ana", ana)["ip"] == "10.1.1.2"
    bob = org.join("bob")
    online = [user["username"] for user in org.http.get("/peers", headers=bob).json()["message"]]
    assert {"ana", "bob"} <= set(online)
    assert org.http.post("/logout", headers=ana).status_code == 200
    assert org.user("ana", bob)["status"] == "offline"
    assert org.http.get("/peers", headers=ana).status_code == 401


def test_a_device_gets_a_certificate_of_the_organisation(org: Organisation) -> None:
    key = DeviceKey.create()
    org.register("dora")
    logged_in = org.login("dora", csr=key.csr())
    ca = x509.load_pem_x509_certificate(org.ca.encode())
    leaf = x509.load_pem_x509_certificate(logged_in["certificate"].encode())
    leaf.verify_directly_issued_by(ca)
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert logged_in["ca"] == org.ca
    renewed = org.http.post("/certificate", json={"csr": key.csr()}, headers=org.headers(logged_in))
    x509.load_pem_x509_certificate(renewed.json()["certificate"].encode()).verify_directly_issued_by(ca)


def test_the_manager_shows_its_role_and_speaks_tls_1_3_only(org: Organisation) -> None:
    context = ssl.create_default_context(cadata=org.ca)
    with socket.create_connection(org.address) as raw, context.wrap_socket(raw, server_hostname=MANAGER_ALIAS) as tls:
        assert tls.version() == "TLSv1.3"
        der = tls.getpeercert(binary_form=True)
        assert der is not None
        assert holder_of(der).role == "manager"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(org.address) as raw, pytest.raises(OSError, match=r"(?i)protocol|version|alert|EOF"):
        context.wrap_socket(raw, server_hostname=MANAGER_ALIAS)


def test_the_ca_can_be_fetched_and_is_the_one_of_the_ready_line(org: Organisation) -> None:
    fetched = org.http.get("/ca").text
    assert fetched == org.ca
    shown = fingerprint(x509.load_pem_x509_certificate(fetched.encode()))
    assert f"Manager ready: {org.url} (CA SHA-256 {shown})\n" in org.process.output


def test_health_and_metrics(org: Organisation) -> None:
    assert org.http.get("/livez").status_code == 200
    assert org.http.get("/readyz").json()["checks"] == {"directory": "ok"}
    assert "telegraph_manager_users_online" in org.http.get("/metrics").text


def test_a_forwarded_address_is_not_believed(org: Organisation) -> None:
    org.register("fay")
    for number in range(20):
        headers = {"X-Forwarded-For": f"192.0.2.{number}"}
        assert org.http.post("/login", json=org.body("fay", password="wrong"), headers=headers).status_code == 401
    limited = org.http.post("/login", json=org.body("fay"), headers={"X-Forwarded-For": "192.0.2.99"})
    assert (limited.status_code, limited.json()["error"]) == (429, "rate_limited")
    assert 0 < int(limited.headers["Retry-After"]) <= 60


# --- bad input, over the wire ---

BAD: list[tuple[str, str, bytes, dict[str, str], int, str]] = [
    ("POST", "/register", b"{", {}, 400, "malformed_body"),
    ("POST", "/register", b"\xff", {}, 400, "malformed_body"),
    ("POST", "/register", b"[" * 500_000, {}, 400, "malformed_body"),
    ("POST", "/register", b'{"username": "x", "password": "y"}', {}, 400, "malformed_body"),
    ("POST", "/register", b"x" * (1024 * 1024 + 1), {}, 413, "body_too_large"),
    ("POST", "/register", b"{}", {"Content-Type": "text/plain"}, 415, "unsupported_media"),
    ("POST", "/login", b"null", {}, 400, "malformed_body"),
    ("POST", "/heartbeat", b'{"username": "mallory"}', {}, 401, "not_logged_in"),
    ("GET", "/users/mallory", b"", {"Authorization": "Bearer made.up"}, 401, "not_logged_in"),
    ("GET", "/nothing", b"", {}, 404, "unknown_path"),
    ("DELETE", "/register", b"", {}, 405, "wrong_method"),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status", "code"), BAD)
def test_bad_input_gets_its_sentence_and_changes_nothing(
    org: Organisation, method: str, path: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    watcher = org.join("watcher")
    before = _everybody(org, watcher)
    answer = org.http.request(method, path, content=body, headers={"Content-Type": "application/json", **headers})
    assert (answer.status_code, answer.json()["error"], answer.json()["status"]) == (status, code, status)
    assert _everybody(org, watcher) == before


def _everybody(org: Organisation, headers: dict[str, str]) -> list[dict[str, Any]]:
    users = org.http.get("/users", headers=headers).json()["message"]
    return [{**user, "last_seen": None} for user in users]


def test_a_body_without_end_is_cut_off(org: Organisation) -> None:
    host, port = org.address
    connection = http.client.HTTPSConnection(host, port, context=org.tls, timeout=10)
    chunks = (b"x" * 65536 for _ in range(40))
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/register", body=chunks, headers=headers, encode_chunked=True)
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)["error"]) == (413, "body_too_large")
    except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
        pass  # cut off before everything was sent: as good
    finally:
        connection.close()
    assert org.http.get("/livez").status_code == 200


def test_what_is_not_even_http_harms_nobody(org: Organisation) -> None:
    for raw in (b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n"):
        with (
            socket.create_connection(org.address) as plain,
            org.tls.wrap_socket(plain, server_hostname=MANAGER_ALIAS) as tls,
        ):
            tls.sendall(raw)
            tls.settimeout(5)
            assert not tls.recv(1000).startswith(b"HTTP/1.1 5")
    assert org.http.get("/livez").status_code == 200


# --- UDP ---


def _ask(org: Organisation, datagram: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        asking.sendto(datagram, org.udp)
        return asking.recv(2000)


def test_a_bare_question_gets_the_reports_answer(org: Organisation) -> None:
    assert json.loads(_ask(org, b'{"action": "discover"}')) == {"status": "active", "port": org.address[1]}


def test_a_padded_question_gets_all_that_a_node_needs(org: Organisation) -> None:
    answer = _ask(org, question())
    found = read_answer(answer)
    assert found is not None
    assert len(answer) <= AMPLIFICATION * len(question())
    ca = fingerprint(x509.load_pem_x509_certificate(org.ca.encode()))
    assert (found.url, found.ca, found.site) == (org.url, ca, "main")


def test_garbage_is_met_with_silence_and_the_next_question_is_answered(org: Organisation) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        for garbage in (b"", b"{", b"\xff" * 1000, b'{"action": "shout"}', b"x" * 60_000):
            asking.sendto(garbage, org.udp)
        asking.sendto(b'{"action": "discover"}', org.udp)
        assert json.loads(asking.recv(2000))["status"] == "active"  # the first answer is that of the last question


# --- the event stream ---


async def _hear(stream: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """What comes next, except which managers there are, which each stream is told first."""
    heard: dict[str, Any] = await stream.receive_json(timeout=5)
    return await _hear(stream) if heard["type"] == "managers" else heard


async def test_the_stream_tells_of_those_who_are_watched(org: Organisation) -> None:
    alice, gus = org.join("alice"), org.register("gus").json()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{org.url}/events", headers=alice, ssl=org.tls) as stream,
    ):
        await stream.send_json({"type": "watch", "users": [gus["user_id"]]})
        assert (await _hear(stream))["user"]["status"] == "offline"
        logged_in = await asyncio.to_thread(org.login, "gus", ip="10.2.2.2")
        event = await _hear(stream)
        assert (event["type"], event["user"]["status"], event["user"]["ip"]) == ("user", "online", "10.2.2.2")
        await asyncio.to_thread(org.http.put, "/users/reconnect/10.2.2.3/gus", headers=org.headers(logged_in))
        assert (await _hear(stream))["user"]["ip"] == "10.2.2.3"
        await asyncio.to_thread(org.http.post, "/logout", headers=org.headers(logged_in))
        assert (await _hear(stream))["user"]["status"] == "offline"
        await stream.send_json({"type": "heartbeat"})
        assert await _hear(stream) == {"type": "heartbeat_received"}


async def test_the_device_that_is_displaced_hears_it_on_its_stream(org: Organisation) -> None:
    org.register("hal")
    first = org.headers(org.login("hal", csr=DeviceKey.create().csr()))
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{org.url}/events", headers=first, ssl=org.tls) as stream,
    ):
        await asyncio.to_thread(org.login, "hal", csr=DeviceKey.create().csr())
        told = await _hear(stream)
        assert (told["type"], told["reason"]) == ("session_ended", "logged_in_elsewhere")
        assert told["at"].endswith("Z")
        assert (await stream.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
        async with session.ws_connect(f"{org.url}/events", headers=first, ssl=org.tls) as again:
            assert await _hear(again) == told  # for a device that was away just then
            assert (await again.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
    assert org.http.get("/peers", headers=first).status_code == 401


async def test_a_revoked_key_is_told_at_once_to_whoever_wants_to_know(org: Organisation) -> None:
    old = DeviceKey.create()
    watcher = org.join("walt")
    org.register("moira")
    moira = org.login("moira", csr=old.csr())
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{org.url}/events", headers=watcher, ssl=org.tls) as stream,
    ):
        await stream.send_json({"type": "revocations"})
        known = await _hear(stream)
        assert known["type"] == "revoked"
        await asyncio.to_thread(org.login, "moira", csr=DeviceKey.create().csr())
        (revoked,) = (await _hear(stream))["keys"]
        assert (revoked["user_id"], revoked["key"]) == (moira["user_id"], key_fingerprint(old.public))
        await stream.send_json({"type": "revocations", "after": known["cursor"]})
        assert revoked in (await _hear(stream))["keys"]
