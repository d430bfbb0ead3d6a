"""Devices that are given up, on real processes: the session moves or is ended elsewhere, and who still has the key."""

import asyncio
import json
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from telegraph.node.keys import DeviceKey
from telegraph.peer.credentials import Credentials, client_context
from telegraph.protocol.manager_api import User
from telegraph.testing.processes import PASSWORD, RealTelegraph, start_node


class Web:
    """The manager's API, called by hand."""

    def __init__(self, org: RealTelegraph) -> None:
        self.ca = (org.root / "manager" / "ca.pem").read_text()
        self._http = httpx.Client(base_url=org.url, verify=ssl.create_default_context(cadata=self.ca), timeout=15)

    def ask(self, method: str, path: str, token: str = "", **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self._http.request(method, path, json=body or None, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def join(self, name: str, key: DeviceKey | None = None, *, register: bool = False) -> Any:
        """Logs in, on a device that this test holds or on none."""
        account: dict[str, Any] = {"username": name, "password": PASSWORD, "ip": "127.0.0.1", "port": 9}
        if register:
            self.ask("POST", "/register", **account)
        return self.ask("POST", "/login", **account, **({"csr": key.csr()} if key else {}))

    def end_device_session(self, name: str) -> None:
        """As somebody who lost their machine does from a browser."""
        token = self.join(name)["token"]
        (device,) = [each for each in self.ask("GET", "/sessions", token)["message"] if each["kind"] == "device"]
        self.ask("DELETE", f"/sessions/{device['id']}", token)

    def user(self, name: str) -> User:
        token = self.join(name)["token"]
        found = self.ask("GET", f"/users/{name}", token)["message"]
        return User(**found)

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def web(org: RealTelegraph) -> Iterator[Web]:
    made = Web(org)
    yield made
    made.close()


def texts(org: RealTelegraph, name: str, other: str) -> list[str]:
    """What the two wrote; that a device key changed is an entry of its own, and left out."""
    return [message["text"] for message in org.ask(name, "history", other) if message["kind"] == "text"]


def account_of(org: RealTelegraph, name: str) -> str:
    return str(org.ask(name, "status")["account"])


async def write_to(user: User, credentials: Credentials, sender: str, text: str) -> tuple[int, str]:
    """The report's REST call by a hand-made TLS client: status and error code."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"https://{user.ip}:{user.port}/receive_message",
            json={"from": sender, "to": user.username, "text": text},
            ssl=client_context(credentials),
        ) as answer,
    ):
        said = json.loads(await answer.text())
        return answer.status, said.get("error", "")


def test_a_log_in_elsewhere_moves_the_session_with_a_notice_on_both_and_back_again(org: RealTelegraph) -> None:
    org.join("alice")
    org.join("bob")
    org.ask("alice", "send", "bob", "from the laptop")
    org.eventually(lambda: org.states("alice", "bob") == ["delivered"])
    org.nodes["bob"].stop()
    org.ask("alice", "send", "bob", "waits on the laptop")
    org.start("phone")
    assert org.ask("phone", "login", "alice")["moved"]

    org.eventually(lambda: account_of(org, "alice") == "ended")
    laptop = org.ask("alice", "status")
    assert (laptop["reason"], laptop["pending"]) == ("logged_in_elsewhere", 1)
    assert laptop["since"].endswith("Z")
    assert org.states("alice", "bob") == ["delivered", "pending"]  # it keeps its history
    assert org.say("alice", "send", "bob", "no").code == 4
    org.start("bob")
    org.ask("phone", "send", "bob", "from the phone")
    org.eventually(lambda: "from the phone" in texts(org, "bob", "alice"))
    assert "waits on the laptop" not in texts(org, "bob", "alice")

    org.nodes["alice"].stop()
    org.start("alice")  # a restart does not make it send either
    assert org.ask("alice", "status")["reason"] == "logged_in_elsewhere"
    assert org.ask("alice", "login", "alice")["moved"]
    org.eventually(lambda: org.states("alice", "bob") == ["delivered", "delivered"])
    assert texts(org, "bob", "alice") == ["from the laptop", "waits on the laptop", "from the phone"]
    org.eventually(lambda: account_of(org, "phone") == "ended")
    org.ask("bob", "send", "alice", "welcome back")
    org.eventually(lambda: "welcome back" in texts(org, "alice", "bob"))
    assert "welcome back" not in texts(org, "phone", "bob")


def test_a_device_that_was_off_learns_at_its_start_that_the_session_moved(org: RealTelegraph) -> None:
    org.join("alice")
    org.nodes["alice"].kill()
    org.start("phone")
    org.ask("phone", "login", "alice")
    org.start("alice")
    org.eventually(lambda: org.ask("alice", "status")["reason"] == "logged_in_elsewhere")
    assert org.ask("alice", "status")["since"].endswith("Z")


def test_the_stream_of_the_local_api_says_why_the_session_ended(org: RealTelegraph, web: Web) -> None:
    org.join("alice")

    async def hear() -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {org.token('alice')}"}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{org.api('alice')}/api/v1/events", headers=headers) as stream,
        ):
            await asyncio.to_thread(web.end_device_session, "alice")
            async with asyncio.timeout(10):
                while True:
                    event: dict[str, Any] = json.loads(await stream.receive_str())
                    if event["type"] == "account" and event["account"] == "ended":
                        return event

    event = asyncio.run(hear())
    assert (event["reason"], event["username"]) == ("ended_elsewhere", "alice")
    assert event["at"].endswith("Z")


def test_a_copy_of_a_device_whose_session_was_ended_is_refused_with_every_manager_gone(
    org: RealTelegraph, web: Web, tmp_path: Path
) -> None:
    org.join("alice")
    org.join("bob")
    org.ask("alice", "send", "bob", "one")
    org.eventually(lambda: org.states("alice", "bob") == ["delivered"])
    org.nodes["bob"].stop()
    org.ask("alice", "send", "bob", "two")
    org.nodes["alice"].kill()
    shutil.copytree(tmp_path / "alice", tmp_path / "thief")
    shutil.copy(tmp_path / "alice.key", tmp_path / "thief.key")
    org.start("bob")
    web.end_device_session("alice")
    key = web.join("carol", DeviceKey.create(), register=True)  # bob has read on: what is said later comes later
    assert key["certificate"]
    org.eventually(lambda: _heard_of_a_revocation(org))
    org.manager.kill()
    org.nodes["bob"].kill()
    org.start("bob")  # it has the list on disk

    ca = tmp_path / "manager" / "ca.pem"
    org.nodes["thief"] = start_node(tmp_path / "thief", org.url, ca)
    org.eventually(lambda: "peer_refused" in org.nodes["thief"].log)
    assert "revoked_key" in org.nodes["thief"].log
    assert texts(org, "bob", "alice") == ["one"]
    assert org.states("thief", "bob") == ["delivered", "pending"]


def _heard_of_a_revocation(org: RealTelegraph) -> bool:
    return "revoked_keys_learnt" in org.nodes["bob"].log


def test_a_hand_made_client_with_a_key_that_was_given_up_is_refused_and_nothing_is_stored(
    org: RealTelegraph, web: Web
) -> None:
    org.join("bob")
    bob, old = web.user("bob"), DeviceKey.create()
    said = web.join("mallory", old, register=True)
    credentials = Credentials(said["certificate"], old.private_pem, web.ca)
    assert asyncio.run(write_to(bob, credentials, "mallory", "one")) == (200, "")
    assert web.join("mallory", DeviceKey.create())["replaced"]
    org.eventually(lambda: _heard_of_a_revocation(org))
    assert asyncio.run(write_to(bob, credentials, "mallory", "two")) == (403, "revoked_key")
    org.manager.kill()
    assert asyncio.run(write_to(bob, credentials, "mallory", "three")) == (403, "revoked_key")
    assert texts(org, "bob", "mallory") == ["one"]
