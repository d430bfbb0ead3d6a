"""A manager's life as a process: start, restart, crash, refusal to start, invites, and telling nodes."""

import asyncio
import json
import socket
import ssl
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from telegraph.manager.app import Manager
from telegraph.manager.settings import ManagerSettings
from telegraph.node.keys import DeviceKey
from telegraph.peer.credentials import Credentials, server_context
from telegraph.protocol.identity import holder_of
from telegraph.protocol.invites import parse_invite
from telegraph.testing.processes import Finished, RunningProcess, start_manager, telegraph

PASSWORD = "correct horse"


def client(data: Path, url: str) -> httpx.Client:
    return httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=data / "ca.pem"), timeout=15)


def url_of(process: RunningProcess) -> str:
    assert process.match is not None
    return process.match["url"]


def account(name: str, **more: Any) -> dict[str, Any]:
    return {"username": name, "password": PASSWORD, "ip": "127.0.0.1", "port": 9000, **more}


@contextmanager
def running(data: Path, *options: str) -> Iterator[tuple[RunningProcess, httpx.Client]]:
    with start_manager(data, *options) as process, client(data, url_of(process)) as web:
        yield process, web


def test_a_restart_keeps_accounts_and_sessions(tmp_path: Path) -> None:
    data = tmp_path / "manager"
    with running(data) as (process, web):
        web.post("/register", json=account("alice"))
        token = web.post("/login", json=account("alice")).json()["token"]
        assert (data / "endpoint").read_text().strip() == url_of(process)
        assert process.stop() == 0
    assert not (data / "endpoint").exists()
    with running(data) as (_, web):
        shown = web.get("/users/alice", headers={"Authorization": f"Bearer {token}"}).json()["message"]
        assert (shown["username"], shown["status"]) == ("alice", "online")
        assert web.post("/login", json=account("alice")).status_code == 200


def test_nothing_acknowledged_is_lost_by_a_crash(tmp_path: Path) -> None:
    data = tmp_path / "manager"
    acknowledged: list[str] = []
    with running(data) as (process, web):
        enough = threading.Event()

        def register(worker: int) -> None:
            for number in range(1000):
                try:
                    answer = web.post("/register", json=account(f"user-{worker}-{number}"))
                except httpx.HTTPError:
                    return
                assert answer.status_code == 201
                acknowledged.append(f"user-{worker}-{number}")
                if len(acknowledged) >= 60:
                    enough.set()

        with ThreadPoolExecutor(4) as pool:
            workers = [pool.submit(register, worker) for worker in range(4)]
            assert enough.wait(30)
            process.kill()
        for worker in workers:
            worker.result()
    with running(data) as (_, web):
        headers = {"Authorization": f"Bearer {web.post('/login', json=account(acknowledged[0])).json()['token']}"}
        for name in acknowledged:
            assert web.get(f"/users/{name}", headers=headers).status_code == 200


def test_what_was_given_up_and_deleted_stays_so_after_a_crash(tmp_path: Path) -> None:
    data, key = tmp_path / "manager", DeviceKey.create()
    with running(data) as (process, web):
        for name in ("alice", "bob"):
            web.post("/register", json=account(name))
        web.post("/login", json=account("alice", csr=key.csr()))
        web.post("/login", json=account("alice", csr=DeviceKey.create().csr()))
        bob = {"Authorization": f"Bearer {web.post('/login', json=account('bob')).json()['token']}"}
        assert web.request("DELETE", "/account", json={"password": PASSWORD}, headers=bob).status_code == 200
        process.kill()
    with running(data) as (_, web):
        refused = web.post("/login", json=account("alice", csr=key.csr()))
        assert (refused.status_code, refused.json()["error"]) == (403, "revoked_key")
        taken = web.post("/register", json=account("bob"))
        assert (taken.status_code, taken.json()["error"]) == (409, "name_taken")
        assert web.get("/peers", headers=bob).status_code == 401


def test_of_two_devices_logging_in_at_once_one_stays(tmp_path: Path) -> None:
    with running(tmp_path / "manager") as (_, web):
        web.post("/register", json=account("alice"))
        with ThreadPoolExecutor(4) as pool:
            answers = list(
                pool.map(lambda _: web.post("/login", json=account("alice", csr=DeviceKey.create().csr())), range(4))
            )
        assert [answer.status_code for answer in answers] == [200] * 4
        tokens = [answer.json()["token"] for answer in answers]
        beats = [
            web.post("/heartbeat", json={"username": "alice"}, headers={"Authorization": f"Bearer {token}"})
            for token in tokens
        ]
        assert sorted(beat.status_code for beat in beats) == [200, 401, 401, 401]


# --- starting, and not ---


def test_the_data_is_private(tmp_path: Path) -> None:
    data = tmp_path / "manager"
    with running(data) as (process, web):
        web.post("/register", json=account("alice"))
        token = web.post("/login", json=account("alice")).json()["token"]
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert stat.S_IMODE((data / "ca-key.pem").stat().st_mode) == 0o600
        process.stop()
        log = process.log
    stored = b"".join(path.read_bytes() for path in data.iterdir() if path.is_file())
    secret = token.partition(".")[2]
    assert PASSWORD.encode() not in stored
    assert secret.encode() not in stored
    assert PASSWORD not in log
    assert secret not in log
    assert b"-----BEGIN PRIVATE KEY-----" in (data / "ca-key.pem").read_bytes()


def refused(*arguments: str | Path) -> Finished:
    """A start that must fail: exit code 5 and one sentence."""
    finished = telegraph("manager", "run", *arguments)
    assert finished.code == 5, finished.err
    (line,) = finished.err.strip().splitlines()
    assert line.startswith("telegraph: ")
    assert "Traceback" not in finished.err
    assert finished.out == ""
    return finished


def test_a_start_that_cannot_be_is_one_sentence_and_exit_code_5(tmp_path: Path) -> None:
    data = tmp_path / "manager"
    with start_manager(data) as process:
        port = url_of(process).rsplit(":", 1)[1]
        assert "another Telegraph process" in refused("--data", data).err
        assert port in refused("--data", tmp_path / "b", "--port", port, "--udp-port", "0").err
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        udp = str(taken.getsockname()[1])
        assert udp in refused("--data", tmp_path / "c", "--port", "0", "--udp-port", udp).err
    (data / "ca.pem").write_text("no certificate")
    assert "ca.pem" in refused("--data", data).err
    assert "--insecure-http" in refused("--data", tmp_path / "d", "--insecure-http", "--host", "0.0.0.0").err  # noqa: S104 - refused


def test_a_database_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    import sqlite3

    data = tmp_path / "manager"
    data.mkdir()
    with sqlite3.connect(data / "directory.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "newer" in refused("--data", data, "--port", "0", "--udp-port", "0").err


def test_plain_http_on_loopback_for_tests(tmp_path: Path) -> None:
    with start_manager(tmp_path / "manager", "--insecure-http") as process:
        assert url_of(process).startswith("http://127.0.0.1:")
        assert httpx.get(url_of(process) + "/livez").status_code == 200


# --- invites ---


def test_invites_from_beside_a_running_manager(tmp_path: Path) -> None:
    data = tmp_path / "manager"
    with running(data, "--registration", "invite") as (process, web):
        assert web.post("/register", json=account("alice")).json()["error"] == "invite_needed"
        once = parse_invite(telegraph("manager", "invite", "--data", data, "--single-use").out)
        assert once.managers == (url_of(process),)
        assert web.post("/register", json=account("alice", invite=once.code)).status_code == 201
        again = web.post("/register", json=account("bob", invite=once.code))
        assert (again.status_code, again.json()["error"]) == (400, "illegal_invite")
        many = parse_invite(telegraph("manager", "invite", "--data", data, "--url", "https://chat.example.org").out)
        assert many.managers == ("https://chat.example.org:8000",)
        for name in ("bob", "carol"):
            assert web.post("/register", json=account(name, invite=many.code)).status_code == 201
        assert many.ca in "".join(process.output)


def test_an_invite_needs_a_code_only_where_registration_does(tmp_path: Path) -> None:
    data = tmp_path / "manager"
    nothing = telegraph("manager", "invite", "--data", data)
    assert nothing.code == 5
    assert "no manager has run here" in nothing.err
    with running(data):
        assert parse_invite(telegraph("manager", "invite", "--data", data).out).code is None
    stopped = telegraph("manager", "invite", "--data", data, "--url", "https://chat.example.org")
    assert parse_invite(stopped.out).code is None


def test_closed_is_closed(tmp_path: Path) -> None:
    with running(tmp_path / "manager", "--registration", "closed") as (_, web):
        answer = web.post("/register", json=account("alice"))
        assert (answer.status_code, answer.json()["error"]) == (403, "registration_closed")


# --- silence, and telling nodes ---


class NodeServer:
    """A node's ``POST /disconnect`` behind mutual TLS; keeps what it was told and by whom."""

    def __init__(self) -> None:
        self.key = DeviceKey.create()
        told = self.told = []  # type: ignore[var-annotated]
        self.heard = threading.Event()
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                der = self.connection.getpeercert(binary_form=True)
                told.append((self.path, body, holder_of(der).role))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                heard.set()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port

    def serve(self, logged_in: dict[str, Any]) -> None:
        """Shows the certificate of a log-in from now on."""
        context = server_context(Credentials(logged_in["certificate"], self.key.private_pem, logged_in["ca"]))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def node() -> Iterator[NodeServer]:
    made = NodeServer()
    yield made
    made.close()


def log_in(web: httpx.Client, name: str, node: NodeServer) -> dict[str, Any]:
    found: dict[str, Any] = web.post("/login", json=account(name, csr=node.key.csr(), port=node.port)).json()
    return found


def test_silence_makes_offline_the_node_is_told_and_a_heartbeat_brings_it_back(
    tmp_path: Path, node: NodeServer
) -> None:
    options = ("--heartbeat-interval", "0.2", "--offline-after", "0.6")
    with running(tmp_path / "manager", *options) as (_, web):
        web.post("/register", json=account("alice"))
        logged_in = log_in(web, "alice", node)
        assert (logged_in["heartbeat_interval"], logged_in["offline_after"]) == (0.2, 0.6)
        node.serve(logged_in)
        assert node.heard.wait(10)
        alice = {"Authorization": f"Bearer {logged_in['token']}"}
        (path, body, role) = node.told[0]
        assert (path, role) == ("/disconnect", "manager")
        assert body == {"username": "alice", "user_id": logged_in["user_id"], "reason": "inactive"}
        web.post("/register", json=account("bob"))
        bob = {"Authorization": f"Bearer {web.post('/login', json=account('bob')).json()['token']}"}
        assert web.get("/users/alice", headers=bob).json()["message"]["status"] == "offline"
        assert web.post("/heartbeat", json={"username": "alice"}, headers=alice).status_code == 200
        assert web.get("/users/alice", headers=bob).json()["message"]["status"] == "online"
        assert 'disconnect_calls_total{heard="true"}' in web.get("/metrics").text


def test_the_node_that_is_displaced_is_told_if_it_has_no_stream(tmp_path: Path, node: NodeServer) -> None:
    with running(tmp_path / "manager") as (_, web):
        web.post("/register", json=account("alice"))
        node.serve(log_in(web, "alice", node))
        web.post("/login", json=account("alice", csr=DeviceKey.create().csr(), ip="127.0.0.1", port=9))
        assert node.heard.wait(10)
        assert [(path, body["reason"]) for path, body, _ in node.told] == [("/disconnect", "session_ended")]


def test_somebody_elses_node_at_her_address_is_told_nothing(tmp_path: Path, node: NodeServer) -> None:
    options = ("--heartbeat-interval", "0.2", "--offline-after", "0.6")
    with running(tmp_path / "manager", *options) as (process, web):
        web.post("/register", json=account("mallory"))
        web.post("/register", json=account("alice"))
        node.serve(log_in(web, "mallory", node))
        alice = web.post("/login", json=account("alice", csr=DeviceKey.create().csr(), port=node.port)).json()
        assert node.heard.wait(10), "mallory's own"
        deadline = time.monotonic() + 10
        while 'disconnect_calls_total{heard="false"}' not in web.get("/metrics").text:
            assert time.monotonic() < deadline
        assert f"user_id={alice['user_id']} problem=WrongRole" in process.log
        assert {body["username"] for _, body, _ in node.told} == {"mallory"}


# --- inside another process ---


async def test_a_manager_lives_inside_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAPH_TESTING", "1")
    data = tmp_path / "manager"
    settings = ManagerSettings(data=data, port=0, udp_port=0, bcrypt_cost=4)
    async with Manager(settings) as manager:
        assert manager.url == f"https://127.0.0.1:{manager.port}"
        assert manager.udp_port
        tls = ssl.create_default_context(cafile=manager.ca_path)
        with httpx.Client(base_url=manager.url, verify=tls) as web:
            assert (await asyncio.to_thread(web.post, "/register", json=account("alice"))).status_code == 201
        waiting = asyncio.create_task(manager.serve_forever())
        await asyncio.sleep(0)
        assert not waiting.done()
        manager.request_stop()
        await asyncio.wait_for(waiting, 5)
    await manager.stop()
    async with Manager(settings) as again:
        assert again.fingerprint == manager.fingerprint
    assert files(data) == {"ca-key.pem", "ca.pem", "directory.sqlite3", "lock", "manager-id"}


def files(data: Path) -> set[str]:
    return {path.name for path in data.iterdir()}
