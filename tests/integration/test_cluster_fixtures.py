"""The testing room's own promise: a whole Telegraph inside a test, in a moment."""

import asyncio
import os
from pathlib import Path

import pytest

import telegraph
from telegraph.errors import TestingOnly, WrongCredentials
from telegraph.manager.app import Manager
from telegraph.manager.settings import ManagerSettings
from telegraph.node.app import Node
from telegraph.testing.cluster import PASSWORD, Cluster, make_cluster


async def next_message(node: Node, cursor: int) -> telegraph.Message:
    async with asyncio.timeout(10):
        async for event in node.events(cursor):
            if isinstance(event, telegraph.MessageReceived):
                return event.message
    raise AssertionError("the stream of events ended")


async def in_state(node: Node, user: str, state: str, cursor: int) -> telegraph.Message:
    """A message to a user once it is in a state."""
    async with asyncio.timeout(10):
        async for event in node.events(cursor):
            if isinstance(event, telegraph.StateChanged) and event.message.state == state:
                assert event.message.recipient == user
                return event.message
    raise AssertionError("the stream of events ended")


async def test_alice_and_bob_can_talk_at_once(alice: Node, bob: Node) -> None:
    there, here = bob.cursor, alice.cursor
    sent = await alice.send("bob", "hello")
    received = await next_message(bob, there)
    assert (received.sender, received.text, received.id) == ("alice", "hello", sent.id)
    assert (await in_state(alice, "bob", "delivered", here)).id == sent.id
    await bob.read("alice")
    assert (await in_state(alice, "bob", "read", here)).id == sent.id


async def test_the_fixtures_share_one_manager(cluster: Cluster, alice: Node, bob: Node) -> None:
    assert cluster.nodes == {"alice": alice, "bob": bob}
    assert {user.username for user in await alice.people()} >= {"bob"}


async def test_a_node_that_was_stopped_is_itself_again_and_gets_what_waited(cluster: Cluster, alice: Node) -> None:
    await cluster.join("bob")
    await cluster.stop("bob")
    sent = await alice.send("bob", "when you are back")
    bob = await cluster.start("bob")
    cursor = 0
    message = await next_message(bob, cursor)
    assert (bob.username, message.id) == ("bob", sent.id)


async def test_a_cluster_of_ones_own_takes_the_managers_settings(tmp_path: Path) -> None:
    async with make_cluster(tmp_path, "carol", "dave", site="north", login_failures_per_minute=3) as running:
        assert set(running.nodes) == {"carol", "dave"}
        assert running.manager.settings.site == "north"
        with pytest.raises(WrongCredentials):
            await running.nodes["carol"].login("carol", PASSWORD + "?")


async def test_cheap_passwords_stay_forbidden_outside(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cluster.manager.settings.bcrypt_cost == 4
    monkeypatch.delenv("TELEGRAPH_TESTING", raising=False)
    async with make_cluster(tmp_path / "inner"):
        assert "TELEGRAPH_TESTING" not in os.environ
    with pytest.raises(TestingOnly):
        await Manager(ManagerSettings(data=tmp_path / "other", port=0, udp_port=0, bcrypt_cost=4)).start()
