"""Presence in a group of real managers: who shows life is never seen offline, who is silent is told so once."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from telegraph.protocol.identity import MANAGER_ALIAS
from telegraph.testing.groups import ManagerGroup
from telegraph.testing.processes import PASSWORD

BEAT: Final = 0.5
OFFLINE_AFTER: Final = 3.0
OPTIONS: Final = ("--heartbeat-interval", str(BEAT), "--offline-after", str(OFFLINE_AFTER))


class Callers:
    """Calls managers as nodes do."""

    def __init__(self, group: ManagerGroup, session: aiohttp.ClientSession) -> None:
        self.group = group
        self._session = session
        self._trust = ssl.create_default_context(cafile=str(group.ca))

    async def call(self, number: int, method: str, path: str, token: str = "", **body: object) -> Any:
        async with self._session.request(
            method,
            self.group.urls[number] + path,
            json=body or None,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            ssl=self._trust,
        ) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def join(self, number: int, name: str) -> Any:
        """Registers and logs in at a manager."""
        about: dict[str, Any] = {"username": name, "password": PASSWORD, "ip": "127.0.0.1", "port": 9000}
        await self.call(number, "POST", "/register", **about)
        return await self.call(number, "POST", "/login", **about)

    async def beat(self, number: int, name: str, token: str) -> None:
        """A heartbeat; while the manager does not answer, it is sent to the next that runs."""
        try:
            await self.call(number, "POST", "/heartbeat", token, username=name)
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(0.1)
            others = [each for each in self.group.running if each != number]
            await self.beat(others[0], name, token)

    @asynccontextmanager
    async def watching(self, number: int, token: str, user_id: str) -> AsyncIterator[list[str]]:
        """What an event stream of a manager tells of a user's status, as it comes."""
        statuses: list[str] = []

        async def hear(stream: aiohttp.ClientWebSocketResponse) -> None:
            async for message in stream:
                event = message.json()
                if event["type"] == "user":
                    statuses.append(event["user"]["status"])

        async def live(stream: aiohttp.ClientWebSocketResponse) -> None:
            while True:
                await stream.send_json({"type": "heartbeat"})
                await asyncio.sleep(BEAT)

        async with self._session.ws_connect(
            f"{self.group.urls[number]}/events",
            headers={"Authorization": f"Bearer {token}"},
            ssl=self._trust,
            server_hostname=MANAGER_ALIAS,
        ) as stream:
            await stream.send_json({"type": "watch", "users": [user_id]})
            tasks = [asyncio.ensure_future(each) for each in (hear(stream), live(stream))]
            yield statuses
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def until(statuses: list[str], expected: list[str], within: float = 15.0) -> None:
    """Waits until a stream has told this."""
    async with asyncio.timeout(within):
        while statuses != expected:  # noqa: ASYNC110 - filled by another task, in a list that the test reads
            await asyncio.sleep(0.02)


async def test_nobody_flaps_when_managers_die_and_who_is_silent_is_told_so_by_whoever_leads(tmp_path: Path) -> None:
    with ManagerGroup(tmp_path, 3, *OPTIONS) as group:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            await story(group, Callers(group, session))


async def story(group: ManagerGroup, callers: Callers) -> None:
    leader = group.urls.index(group.say(0, "status")["leader"])
    first, stays = (number for number in range(3) if number != leader)
    alice, bob = await callers.join(first, "alice"), await callers.join(stays, "bob")
    async with callers.watching(stays, bob["token"], alice["user_id"]) as statuses:
        # her manager crashes; she goes on with another one
        await callers.beat(first, "alice", alice["token"])
        for number in range(3):
            peers = (await callers.call(number, "GET", "/peers", bob["token"]))["message"]
            assert [peer["username"] for peer in peers] == ["alice", "bob"]
        before = group.say(stays, "status")["revision"]
        for _ in range(20):
            await callers.beat(first, "alice", alice["token"])
        assert group.say(stays, "status")["revision"] == before
        group.kill(first)
        for _ in range(int(OFFLINE_AFTER / BEAT) + 1):
            await callers.beat(leader, "alice", alice["token"])
            await asyncio.sleep(BEAT)
        assert statuses == ["online"]
        # she falls silent: told once
        await until(statuses, ["online", "offline"])
        await callers.beat(leader, "alice", alice["token"])
        await until(statuses, ["online", "offline", "online"])
        # she falls silent, and the leader crashes: the next one says so
        group.start(first)
        await callers.beat(first, "alice", alice["token"])
        group.kill(leader)
        await until(statuses, ["online", "offline", "online", "offline"], within=20)
        assert group.urls.index(group.say(stays, "status")["leader"]) != leader
        for number in (first, stays):
            found = (await callers.call(number, "GET", "/users/alice", bob["token"]))["message"]
            assert found["status"] == "offline"
