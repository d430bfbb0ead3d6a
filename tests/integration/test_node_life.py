"""A node's life beside a real manager: log-ins and log-outs in quick succession, ends of sessions, failed starts."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

import telegraph
from telegraph.errors import CaUnreadable, ManagerAway, PortTaken, TelegraphError, UnknownUser
from telegraph.node import manager_client, peer_port
from telegraph.node.app import Node
from telegraph.node.manager_client import ManagerClient
from telegraph.peer.tls import Credentials
from telegraph.testing.cluster import PASSWORD, Cluster


async def first(stream: AsyncIterator[telegraph.Event], kind: type[telegraph.Event]) -> Any:
    async with asyncio.timeout(10):
        async for event in stream:
            if isinstance(event, kind):
                return event
    raise AssertionError("the stream of events ended")


def node_of(cluster: Cluster, directory: Path, **options: Any) -> Node:
    settings: dict[str, Any] = {"ca": cluster.manager.ca_path, "host": "127.0.0.1", "peer_port": 0, **options}
    return Node(directory, manager=cluster.manager.url, **settings)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_log_ins_and_log_outs_in_quick_succession_end_in_a_node_that_talks(alice: Node, bob: Node) -> None:
    async def log_out() -> None:
        with contextlib.suppress(TelegraphError):  # a log-out may find that it came late
            await alice.logout()

    for _ in range(3):
        accounts = await asyncio.gather(
            alice.login("alice", PASSWORD), log_out(), alice.login("alice", PASSWORD), log_out()
        )
        assert all(account.token for account in accounts if account is not None)
    await alice.login("alice", PASSWORD)

    events = bob.events()
    await alice.send("bob", "still here")

    assert (await first(events, telegraph.MessageReceived)).message.text == "still here"


async def test_logging_in_again_keeps_the_links_and_shows_the_new_certificate(
    alice: Node, bob: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = bob.events()
    await alice.send("bob", "one")
    await first(events, telegraph.MessageReceived)
    peers, shown = bob._peers, list[str]()

    def replace_credentials(credentials: Credentials) -> None:
        shown.append(credentials.certificate_pem)

    monkeypatch.setattr(bob._endpoint, "replace_credentials", replace_credentials)

    account = await bob.login("bob", PASSWORD)

    assert bob._peers is peers
    assert shown == [account.certificate]
    assert bob.account_state == "online"


async def test_a_session_that_a_manager_ends_by_a_call_ends_all_of_it(
    cluster: Cluster, bob: Node, tmp_path: Path
) -> None:
    member = bob._member
    await member._stop()  # no stream is open, so the manager tells by POST /disconnect
    events, port = bob.events(), bob.peer_port

    async with node_of(cluster, tmp_path / "elsewhere") as elsewhere:
        await elsewhere.login("bob", PASSWORD)
        event = await first(events, telegraph.AccountChanged)

    assert (event.account, event.reason) == ("ended", "logged_in_elsewhere")
    assert not answers(port)


async def test_a_start_that_fails_gives_everything_back(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(CaUnreadable):
        await node_of(cluster, tmp_path / "carol", ca=tmp_path / "bad.pem").start()

    async with node_of(cluster, tmp_path / "carol") as carol:
        await carol.register("carol", PASSWORD)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_two_nodes_that_start_before_anybody_logs_in_share_no_port(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_port, "DEFAULT_PEER_PORT", free_port())
    async with (
        node_of(cluster, tmp_path / "carol", peer_port=None) as carol,
        node_of(cluster, tmp_path / "dave", peer_port=None) as dave,
    ):
        await carol.register("carol", PASSWORD)
        await dave.register("dave", PASSWORD)
        events = dave.events()
        await carol.send("dave", "hello")
        assert (await first(events, telegraph.MessageReceived)).message.sender == "carol"


async def test_a_port_that_two_nodes_were_given_is_said_to_be_taken(cluster: Cluster, tmp_path: Path) -> None:
    port = free_port()
    async with (
        node_of(cluster, tmp_path / "carol", peer_port=port) as carol,
        node_of(cluster, tmp_path / "dave", peer_port=port) as dave,
    ):
        await carol.register("carol", PASSWORD)
        with pytest.raises(PortTaken):
            await dave.register("dave", PASSWORD)


@pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 65, "new\nline", "half\ud800"])
async def test_nobody_has_a_name_that_cannot_be(alice: Node, name: str) -> None:
    with pytest.raises(UnknownUser):
        await alice.send(name, "hello")


async def test_a_long_answer_of_a_manager_is_read_to_its_end() -> None:
    class Many(msgspec.Struct):
        message: list[str]

    async def peers(_: web.Request) -> web.Response:
        return web.json_response({"message": ["x" * 1000] * 2000})

    application = web.Application()
    application.router.add_get("/peers", peers)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = ManagerClient(None)
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        assert len((await client.call(url, "GET", "/peers", Many)).message) == 2000
    finally:
        await client.close()
        await runner.cleanup()


async def test_a_manager_that_hangs_is_given_up_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager_client, "_OPEN_WITHIN", 0.05)
    client = ManagerClient(None)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(ManagerAway):
            await asyncio.wait_for(client.open_stream(f"http://127.0.0.1:{silent.getsockname()[1]}", "token"), 5)
    await client.close()
