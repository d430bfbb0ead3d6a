"""Real managers for the load of directory_load.py: their HTTPS API, and what befalls their processes."""

import asyncio
import signal
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
from directory_load import Fault, Load, NotSent, Unanswered

from telegraph.testing.directory_model import Happened, judge, save
from telegraph.testing.hosts import Host
from telegraph.testing.processes import RunningProcess, start_manager
from telegraph.testing.validators import Violation

CALL_WITHIN = 5.0


class Https:
    """Calls managers by their URLs, as :class:`directory_load.Caller`; from a host of its own if one is given."""

    def __init__(self, managers: Sequence[str], ca: Path, host: Host | None = None) -> None:
        """``managers`` may change later."""
        self.managers = managers
        connector = aiohttp.TCPConnector(
            limit=0,
            ssl=ssl.create_default_context(cafile=str(ca)),
            socket_factory=host.socket if host else None,
        )
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=CALL_WITHIN))
        self._session._retry_connection = False  # a DELETE that aiohttp repeats by itself would be another call

    async def call(
        self, manager: str, method: str, path: str, body: dict[str, Any] | None = None, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with self._session.request(method, manager + path, json=body, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None)
        except aiohttp.ClientConnectorError as problem:
            raise NotSent from problem
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as problem:
            raise Unanswered from problem

    async def close(self) -> None:
        await self._session.close()


class OneManager:
    """A manager on SQLite, which stays on its port."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.process = self._start(0)
        assert self.process.match is not None
        self.url = self.process.match["url"]
        self.ca = data / "ca.pem"

    def _start(self, port: int) -> RunningProcess:
        return start_manager(self.data, "--port", str(port), "--login-failures-per-minute", "0")

    async def killed_and_started(self) -> None:
        """Kill -9, and at once again."""
        await asyncio.to_thread(self.process.kill)
        self.process = await asyncio.to_thread(self._start, int(self.url.rsplit(":", 1)[1]))

    async def paused(self, seconds: float) -> None:
        self.process.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.process.signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()


async def put_to_the_test(
    load: Load, operations: int, faults: Sequence[tuple[str, Fault]], history: Path, *, staleness: float = 0.0
) -> list[Violation]:
    """Runs a load under faults, which are noted by their names: every broken promise; then the history is in a file."""

    def noted(name: str, fault: Fault) -> Fault:
        async def strike() -> None:
            called = load.clock()
            await fault()
            load.note(Happened(name), called)

        return strike

    try:
        await load.run(operations, [noted(name, fault) for name, fault in faults])
        violations = await asyncio.to_thread(judge, load.records, staleness=staleness)
    except BaseException:
        save(load.records, history)
        raise
    print(load.report())  # noqa: T201 - pytest -s shows it
    if violations:
        save(load.records, history)
        print(f"{history}\n{violations[0].sentence}")  # noqa: T201 - pytest shows it with the failure
    return violations
