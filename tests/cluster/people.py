"""People on hosts of their own: real nodes as processes, driven by their local APIs, everything written down."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
import msgspec
from planted import NO_BUG

from telegraph.protocol import node_api as api
from telegraph.protocol.manager_api import ErrorAnswer
from telegraph.testing.history import (
    Called,
    Final,
    GivenUp,
    History,
    Kept,
    ReadCalled,
    Refused,
    Returned,
    Shown,
    Told,
    TriedAgain,
)
from telegraph.testing.hosts import Host, Network
from telegraph.testing.processes import PASSWORD, RunningProcess, start_manager, start_node

RELAY = "relay"
HERE = Path(__file__).parent
PAGE = 1000
CALL_WITHIN = 60.0
DISK_BYTES = 1 << 30
QUIET_WITHIN = 120.0

_AWAY = (aiohttp.ClientError, OSError, TimeoutError)

_decode_event = msgspec.json.Decoder(api.Event).decode


class ToolMissing(Exception):
    """Something from the system is needed that is not there; the message says what."""


def faketime() -> Path:
    """The library that fakes the clock of a process."""
    for found in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"):
        return found
    raise ToolMissing("tests of clock jumps need libfaketime: apt-get install libfaketime")


class Person:
    """Somebody's node on a host, and the one who writes and reads there."""

    def __init__(self, town: "RealTown", host: Host, bug: str = "") -> None:
        self.town, self.host, self.name = town, host, host.name
        self.data = town.root / self.name
        self.clock_file = town.root / f"{self.name}-clock"
        self.identity_file = town.root / f"{self.name}-identity"
        self.relay_port = 9000 + int(host.address.rsplit(".", 1)[1])
        self.process: RunningProcess | None = None
        self.logs: list[str] = []
        self.up = asyncio.Event()
        self.cursor = 0
        self.port = 8000
        self.count = 0
        self.received = 0
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, socket_factory=host.socket),
            timeout=aiohttp.ClientTimeout(total=CALL_WITHIN),
        )
        self._bug = bug
        self._following: asyncio.Task[None] | None = None

    # --- the process ---

    async def start(self) -> None:
        self.process = await asyncio.to_thread(self._start)
        self.up.set()
        if self._following is None:
            self._following = asyncio.create_task(self._follow())

    def _start(self) -> RunningProcess:
        bug = self._bug or (NO_BUG if self.town.relay else "")
        module = ("planted", bug) if bug else ("telegraph",)
        return start_node(
            self.data,
            self.town.manager_urls[0],
            self.town.ca,
            *("--host", "0.0.0.0", "--peer-port", str(self.port), *self._by_relay()),  # noqa: S104 - its own host
            *(word for url in self.town.manager_urls[1:] for word in ("--manager", url)),
            env={
                "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
                "TELEGRAPH_TEST_IDENTITY": str(self.identity_file),
                **self._clock(),
            },
            program=(*self.host.enter, sys.executable, "-m", *module),
        )

    def _by_relay(self) -> tuple[str, ...]:
        if not self.town.relay:
            return ()
        return ("--advertise", f"{self.town.network[RELAY].address}:{self.relay_port}")

    def _clock(self) -> dict[str, str]:
        if not self.town.fake_clocks:
            return {}
        if not self.clock_file.exists():
            self.set_clock(0)
        return {
            "LD_PRELOAD": str(faketime()),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock_file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # with it, every timed wait of a thread takes milliseconds more
        }

    def set_clock(self, seconds: int) -> None:
        """Within a second the node's wall clock is that far off."""
        fresh = self.clock_file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(self.clock_file)

    async def kill(self) -> None:
        """Kill -9."""
        self.up.clear()
        if self.process is not None:
            await asyncio.to_thread(self.process.kill)
            self.logs.append(self.process.log)
            self.process = None

    async def stop(self) -> None:
        """SIGTERM, as at the end of a day."""
        self.up.clear()
        if self.process is not None:
            code = await asyncio.to_thread(self.process.stop)
            self.logs.append(self.process.log)
            self.process = None
            assert code == 0, self.logs[-1]

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.signal(number)

    async def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self.kill()
        await self.session.close()

    # --- the disk ---

    def put_on_small_disk(self) -> None:
        """A file system of its own, for :meth:`fill_disk`."""
        self.data.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "telegraph", self.data], check=True)

    def fill_disk(self) -> None:
        """Hardly a page is free any more."""
        for pages in (2, 8, 32, 128, 512):  # the node goes on writing meanwhile, and below its use no disk can shrink
            found = os.statvfs(self.data)
            used = found.f_blocks - found.f_bfree
            with contextlib.suppress(subprocess.CalledProcessError):
                self._resize((used + pages) * found.f_frsize)
                return
        raise AssertionError(f"{self.name}'s disk cannot be made small")

    def empty_disk(self) -> None:
        self._resize(DISK_BYTES)

    def _resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", self.data], check=True, capture_output=True)

    def unmount(self) -> None:
        if self.data.is_mount():
            subprocess.run(["umount", "-l", self.data], check=True)

    # --- what the person does ---

    async def register(self) -> None:
        status, answer = await self.call("POST", "/account", {"username": self.name, "password": PASSWORD})
        assert status == 201, answer

    async def send(self, peer: str, filler: str = "", *, expires_in: float | None = None) -> api.Message | None:
        """Sends the next message; None if it was refused or nobody knows."""
        self.count += 1
        note, text = self.town.history.note, f"{self.name} to {peer}, number {self.count} {filler}".rstrip()
        note(Called, node=self.name, peer=peer, text=text)
        if expires_in is not None:
            note(GivenUp, node=self.name, peer=peer, text=text)
        try:
            status, answer = await self.call("POST", "/messages", {"to": peer, "text": text, "expires_in": expires_in})
        except _AWAY:
            return None
        if status == 201:
            message = msgspec.json.decode(answer, type=api.Message)
            note(Returned, node=self.name, peer=peer, text=text, id=message.id)
            return message
        error = msgspec.json.decode(answer, type=ErrorAnswer)
        if error.error != "fate_unknown":
            note(Refused, node=self.name, peer=peer, text=text, error=error.error)
        return None

    async def regret(self, message: api.Message, *, again: bool) -> None:
        """Cancels a message, or asks that it is sent ``again`` after all; it may be too late for either."""
        kind, word = (TriedAgain, "retry") if again else (GivenUp, "cancel")
        self.town.history.note(kind, node=self.name, peer=message.recipient, text=message.text)
        with contextlib.suppress(*_AWAY):
            status, answer = await self.call("POST", f"/messages/{message.id}/{word}")
            assert status in (200, 409, 500, 503), answer  # it is delivered, or the disk is full

    async def read(self, peer: str) -> None:
        self.town.history.note(ReadCalled, node=self.name, peer=peer)
        with contextlib.suppress(*_AWAY):
            status, answer = await self.call("POST", f"/conversations/{peer}/read")
            assert status in (200, 404, 500, 503), answer  # unknown yet, disk full, no manager to ask

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        async with self.session.request(method, f"{self._url}{path}", json=body, headers=self._headers) as answer:
            return answer.status, await answer.read()

    @property
    def _url(self) -> str:
        return (self.data / api.ENDPOINT_FILE).read_text().strip() + api.API_PREFIX

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {(self.data / api.TOKEN_FILE).read_text().strip()}"}

    # --- what the person sees ---

    async def _follow(self) -> None:
        while True:
            await self.up.wait()
            with contextlib.suppress(*_AWAY):
                await self._listen()
            await asyncio.sleep(0.05)

    async def _listen(self) -> None:
        url = f"{self._url}/events?cursor={self.cursor}"
        async with self.session.ws_connect(url, headers=self._headers, heartbeat=20, max_msg_size=0) as stream:
            async for frame in stream:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._see(_decode_event(frame.data))

    def _see(self, event: api.Event) -> None:
        match event:
            case api.MessageEvent(message=message):
                self._note(Shown, message, id=message.id, text=message.text)
                self.received += not message.mine
            case api.StateEvent(message=message):
                self._note(Told, message, id=message.id, state=message.state)
            case api.ResetEvent():
                raise AssertionError(f"{self.name}'s event stream forgot where it was")
            case _:
                return
        self.cursor = event.cursor

    def _note(self, kind: type[Shown] | type[Told], message: api.Message, **fields: Any) -> None:
        peer = message.recipient if message.mine else message.sender
        self.town.history.note(kind, node=self.name, peer=peer, mine=message.mine, **fields)

    # --- the end ---

    def still_follows(self) -> None:
        """Raises what ended the following of the event stream, which nothing should."""
        if self._following is not None and self._following.done():
            self._following.result()

    async def pending(self) -> int | None:
        """How many messages wait; None if the node cannot be asked."""
        try:
            status, answer = await self.call("GET", "/status")
        except _AWAY:
            return None
        return msgspec.json.decode(answer, type=api.NodeStatus).pending if status == 200 else None

    async def kept(self, peer: str) -> list[Kept]:
        """Everything in the store of the conversation with somebody, oldest first."""
        pages: list[list[api.Message]] = []
        query, more = f"limit={PAGE}", True
        while more:
            status, answer = await self.call("GET", f"/conversations/{peer}/messages?{query}")
            assert status == 200, answer
            page = msgspec.json.decode(answer, type=api.MessagesPage)
            pages.append(page.messages)
            more = page.more
            query = f"limit={PAGE}&before={page.messages[0].id}" if more else ""
        return [Kept(m.id, m.text, m.mine, m.state, m.kind) for page in reversed(pages) for m in page]


class RealTown:
    """A manager and people, each on a host; what they see goes into one history."""

    def __init__(  # noqa: PLR0913 - the parts of a town
        self,
        root: Path,
        names: Sequence[str],
        *,
        seed: int = 0,
        bug: str = "",
        bug_of: str = "",
        fake_clocks: bool = False,
        small_disks: bool = False,
        relay: bool = False,
        guests: Sequence[str] = (),
    ) -> None:
        """``relay``: everybody gives the address of a host called :data:`RELAY` as theirs; see relay.py.

        ``guests`` are hosts without a node. ``bug_of``: only this one has the bug, else everybody.
        """
        self.root = root
        self.fake_clocks = fake_clocks
        self.relay = relay
        self.network = Network("manager", *names, *guests, *((RELAY,) if relay else ()), seed=seed)
        self.history = History(root / "history.jsonl")
        self.people = {name: Person(self, self.network[name], bug if bug_of in ("", name) else "") for name in names}
        self.manager: RunningProcess | None = None
        self._small_disks = small_disks

    @property
    def manager_urls(self) -> Sequence[str]:
        return [f"https://{self.network['manager'].address}:8000"]

    @property
    def ca(self) -> Path:
        return self.root / "manager" / "ca.pem"

    def start_manager(self) -> None:
        host = self.network["manager"]
        self.manager = start_manager(
            self.root / "manager",
            *("--host", host.address, "--port", "8000", "--heartbeat-interval", "1", "--offline-after", "4"),
            program=(*host.enter, sys.executable, "-m", "telegraph"),
        )

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self.start_manager)
            for person in self.people.values():
                if self._small_disks:
                    person.put_on_small_disk()
                await person.start()
                await person.register()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        for person in self.people.values():
            await person.close()
            person.unmount()
        self.stop_managers()
        self.network.close()
        self.history.close()

    def stop_managers(self) -> None:
        if self.manager is not None:
            self.manager.kill()

    def others(self, name: str) -> list[str]:
        return [other for other in self.people if other != name]

    async def seen(self, name: str, messages: int) -> None:
        """Waits until somebody was shown so many messages of others."""
        async with asyncio.timeout(QUIET_WITHIN):
            while self.people[name].received < messages:  # noqa: ASYNC110 - the stream that says so is its own
                await asyncio.sleep(0.01)

    async def settle(self, within: float = QUIET_WITHIN) -> None:
        """Waits until nothing waits anywhere and everybody has seen everything, then writes down what is kept.

        Raises:
            TimeoutError: it did not become quiet.
        """
        async with asyncio.timeout(within):
            while not await self._is_quiet():  # noqa: ASYNC110 - it is spread over several processes
                await asyncio.sleep(0.2)
        await self.finish()

    async def _is_quiet(self) -> bool:
        before = len(self.history.records)
        waiting = [await person.pending() for person in self.people.values()]
        for person in self.people.values():
            person.still_follows()
        await asyncio.sleep(1.0)  # for receipts and streams, which nothing else tells of
        return waiting == [0] * len(waiting) and len(self.history.records) == before

    async def finish(self) -> None:
        """Writes down what every store keeps."""
        for name, person in self.people.items():
            for peer in self.others(name):
                self.history.note(Final, node=name, peer=peer, messages=await person.kept(peer))

    def logs(self) -> str:
        """What all nodes printed, also those that were killed."""
        return "\n".join(
            f"--- {person.name}\n{log}"
            for person in self.people.values()
            for log in (*person.logs, person.process.log if person.process else "")
        )


@contextlib.asynccontextmanager
async def town(root: Path, *names: str, **options: Any) -> AsyncIterator[RealTown]:
    """A running town; on a failure its nodes' logs are printed."""
    async with RealTown(root, names, **options) as running:
        try:
            yield running
        except BaseException:
            print(running.logs()[-20_000:])  # noqa: T201 - pytest shows it with the failure
            raise
