"""A group of managers on hosts of their own, two people who chat all the while, and many who use the directory.

What befalls the managers is a list of faults; each holds for a while, and is over before the next begins.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from directory_load import Fault, Load
from directory_town import Https, put_to_the_test
from people import HERE, RealTown
from slow_disk import stand_in
from storms import Traffic

from telegraph.testing.groups import ManagerGroup
from telegraph.testing.switch import Line
from telegraph.testing.validators import Violation, check

PEOPLE = ("alice", "bob")
CROWD = "crowd"
"""The host of those who use the directory."""

SAID_WITHIN = 15.0
"""Seconds in which a message from each to the other must arrive, whatever the managers go through."""

LED_WITHIN = 20.0

WRITTEN = 20
"""Changes of the directory that must go through while the leader's disk is slow."""

REMEMBERED = 4.0
"""Seconds for which a member that is cut off may answer look-ups from memory: 2, and etcd's election time-out."""


class GroupTown(RealTown):
    """Alice and bob, whose managers are a group of ``count``, perhaps with a bug of planted_manager.py."""

    def __init__(self, root: Path, count: int, seed: int, bug: str = "") -> None:
        self.count = count
        path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        module = ("planted_manager", bug) if bug else ("telegraph",)
        self._command = (f"PYTHONPATH={path}", sys.executable, "-m", *module)
        self._etcd = shutil.which("etcd")
        assert self._etcd is not None
        managers = [_host_name(number) for number in range(1, count)]
        super().__init__(root, PEOPLE, seed=seed, guests=(*managers, CROWD))
        self.group: ManagerGroup | None = None

    # --- the managers ---

    def start_manager(self) -> None:
        self.group = ManagerGroup(
            self.root,
            self.count,
            *("--login-failures-per-minute", "0", "--heartbeat-interval", "1", "--offline-after", "4"),
            host=lambda number: self.network[_host_name(number)].address,
            program=self._program,
        )

    def _program(self, number: int) -> tuple[str, ...]:
        """How a manager is started: on its host, with a disk that can be made slow."""
        self._disk(number)
        path = os.pathsep.join([str(self.root / f"disk-{number}"), os.environ["PATH"]])
        return (*self.network[_host_name(number)].enter, "env", f"PATH={path}", *self._command)

    def _disk(self, number: int) -> Path:
        """The file that says by how many seconds each sync of a manager's etcd is held up."""
        assert self._etcd is not None
        return stand_in(self.root / f"disk-{number}", self._etcd)

    def stop_managers(self) -> None:
        if self.group is not None:
            self.group.close()

    @property
    def managers(self) -> ManagerGroup:
        assert self.group is not None
        return self.group

    def logs(self) -> str:
        """The end of what all nodes printed, and of what each manager did that runs now."""
        running = {} if self.group is None else self.group.running
        of_managers = (f"--- manager {number}\n{process.log[-6000:]}" for number, process in running.items())
        return "\n".join([super().logs()[-10_000:], *of_managers])

    @property
    def manager_urls(self) -> Sequence[str]:
        return self.managers.urls

    @property
    def ca(self) -> Path:
        return self.managers.ca

    async def raft_leader(self, asked: int | None = None) -> int | None:
        """The number of the manager whose etcd leads, as one of them knows it."""
        running = next(iter(self.managers.running)) if asked is None else asked
        shown: dict[str, Any] = await asyncio.to_thread(self.managers.say, running, "status")
        leader = shown["raft_leader"]
        return None if leader is None else self.managers.urls.index(leader)

    async def _victims(self, count: int) -> list[int]:
        """The one that leads, and others."""
        async with asyncio.timeout(LED_WITHIN):
            while (leader := await self.raft_leader()) is None:  # noqa: ASYNC110 - each look is a command
                await asyncio.sleep(0.2)  # the fault before this one is just over
        return [(leader + number) % self.count for number in range(count)]

    # --- faults ---

    def killed(self, count: int, hold: float) -> Fault:
        """The leader and others, ``count`` in all, die at once, and come back after a while."""

        async def strike() -> None:
            victims = await self._victims(count)
            await asyncio.to_thread(self.managers.kill, *victims)
            await self._said_meanwhile(hold)
            await self._another_leads(victims)
            await asyncio.to_thread(self.managers.start_all)

        return strike

    def paused(self, count: int, hold: float) -> Fault:
        """The leader and others stand still, etcd and all, and then go on as if nothing had been."""

        async def strike() -> None:
            victims = await self._victims(count)
            for victim in victims:
                self.managers.running[victim].signal(signal.SIGSTOP)
            await self._said_meanwhile(hold)
            await self._another_leads(victims)
            for victim in victims:
                self.managers.running[victim].signal(signal.SIGCONT)

        return strike

    def cut(self, count: int, hold: float, *, one_way: bool = False) -> Fault:
        """The leader and others cannot reach the rest of the managers, nor be reached unless ``one_way``."""

        async def strike() -> None:
            victims = await self._victims(count)
            rest = [number for number in range(self.count) if number not in victims]
            for victim in victims:
                for other in rest:
                    self.network.set(_host_name(victim), _host_name(other), Line(cut=True), one_way=one_way)
            await self._said_meanwhile(hold)
            await self._another_leads(victims)
            self.network.heal()

        return strike

    def bad_lines(self, hold: float, line: Line) -> Fault:
        """All lines between managers, and between them and everybody, are such for a while."""

        async def strike() -> None:
            for number in range(self.count):
                self.network.isolate(_host_name(number), line)
            await self._said_meanwhile(hold)
            self.network.heal()

        return strike

    def cold_start(self, hold: float) -> Fault:
        """All die at once, as in a power cut, and all come back at once."""

        async def strike() -> None:
            await asyncio.to_thread(self.managers.kill, *range(self.count))
            await self._said_meanwhile(hold)
            await asyncio.to_thread(self.managers.start_all)

        return strike

    def data_lost(self) -> Fault:
        """The disk of one that does not lead is gone; it joins anew, as its administrator would have it."""

        async def strike() -> None:
            _, victim = await self._victims(2)
            await asyncio.to_thread(self.managers.kill, victim)
            await asyncio.to_thread(shutil.rmtree, self.managers.data(victim))
            await self._said_meanwhile(1.0)
            joining = await asyncio.to_thread(self.managers.joining)
            await asyncio.to_thread(self.managers.start, victim, *joining, "--replace")

        return strike

    def slow_disk(self, hold: float, seconds: float) -> Fault:
        """Each sync of the leader's etcd takes so many seconds longer; the group answers on, and accepts accounts."""

        async def strike() -> None:
            (victim,) = await self._victims(1)
            disk, before = self._disk(victim), await self._revision(victim)
            disk.write_text(str(seconds))
            await self._said_meanwhile(hold)
            async with asyncio.timeout(LED_WITHIN):
                while await self._revision(victim) < before + WRITTEN:  # noqa: ASYNC110 - each look is a command
                    await asyncio.sleep(0.2)
            disk.unlink()
            assert int(disk.with_suffix(".held").read_text()) > 1

        return strike

    async def _revision(self, besides: int) -> int:
        """Of the directory, as another manager than this one knows it; 0 if it cannot say."""
        asked = next(number for number in self.managers.running if number != besides)
        shown: dict[str, Any] = await asyncio.to_thread(self.managers.say, asked, "status")
        return shown["revision"] or 0

    async def _said_meanwhile(self, hold: float) -> None:
        """A while in which alice and bob hear each other say something new, and longer if that takes longer."""
        heard = {name: person.received for name, person in self.people.items()}
        async with asyncio.timeout(hold + SAID_WITHIN):
            await asyncio.sleep(hold)
            while any(self.people[name].received <= before for name, before in heard.items()):  # noqa: ASYNC110 - streams
                await asyncio.sleep(0.05)

    async def _another_leads(self, victims: list[int]) -> None:
        """The others have gone on, so that the fault was one."""
        asked = next(number for number in self.managers.running if number not in victims)
        async with asyncio.timeout(LED_WITHIN):
            while await self.raft_leader(asked) in (None, *victims):  # noqa: ASYNC110 - each look is a command
                await asyncio.sleep(0.2)


def _host_name(number: int) -> str:
    return f"manager-{number}" if number else "manager"


async def endure(
    town: GroupTown, seed: int, faults: Sequence[tuple[str, Fault]], *, operations: int, clients: int
) -> tuple[Load, list[Violation]]:
    """A whole run: the directory is used and alice and bob chat, under each fault; every broken promise of either."""
    caller = Https(town.managers.urls, town.ca, town.network[CROWD])
    load = Load(caller, seed, clients=clients)
    traffic = Traffic(town, seed, writers=1, pause=0.1)
    try:
        violations = await put_to_the_test(
            load, operations, faults, town.root / "directory.jsonl", staleness=REMEMBERED
        )
    finally:
        await traffic.stop()
        await caller.close()
    await town.settle()
    print(json.dumps({"managers": town.count, "messages": traffic.tried, "faults": [name for name, _ in faults]}))  # noqa: T201
    return load, [*violations, *check(town.history.records)]
