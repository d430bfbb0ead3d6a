"""A manager's etcd member as a child process: started, awaited, restarted, and never left behind.

It stays in the manager's process group, and the kernel kills it when the manager ends, however that happens
(``PR_SET_PDEATHSIG``, prctl(2)). That signal is bound to the *thread* that started it, so :meth:`EtcdProcess.start` is
to be called in the main thread, as an event loop's coroutine is.
"""

import asyncio
import contextlib
import os
import platform
import secrets
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from telegraph.errors import CannotStart, NotInCluster
from telegraph.manager.cluster.command import environment

log = structlog.get_logger(__name__)

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_LIVED: Final = 10.0
"""Seconds after which an etcd that ends is started again at once."""

_ENDS_WITHIN: Final = 3.0
"""Seconds between the request to stop and the order; etcd syncs what it acknowledged before it says so."""

_HARMLESS: Final = frozenset({"error", "took", "remote-peer-id", "local-member-id", "remote-peer-name", "address"})
"""Fields of etcd's log that go into ours: none carries a key or a value of the directory."""

_NOISE: Final = frozenset(
    {
        "simple token is not cryptographically signed",  # of log-ins, which it has none
        "established TCP streaming connection with remote peer",
        "closed an existing TCP streaming connection with remote peer",
    }
)
"""What it calls a warning and is none."""

_REMOVED: Final = b"the member has been permanently removed from the cluster"
"""What etcd says when its group has removed it (rafthttp.ErrMemberRemoved)."""

_BOUND_TO_PARENT: Final = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
if os.getppid() != int(sys.argv[1]):
    os._exit(1)  # the manager has ended meanwhile
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Runs in a small interpreter that becomes etcd: code between fork and exec could deadlock a process with threads."""


class EtcdProcess:
    """One etcd member, which is kept running: ``await start()``, ``await ready()``, in the end ``await stop()``."""

    def __init__(self, program: Path, arguments: Sequence[str]) -> None:
        self._program = program
        self._arguments = [str(argument) for argument in arguments]
        self._ready = asyncio.Event()
        self._removed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._notices: socket.socket | None = None
        self.restarts = 0
        self.last_words = ""

    @property
    def pid(self) -> int | None:
        """Its process id, None while it is not running."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Starts it and keeps it running from now on."""
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        name = f"telegraph-etcd-{secrets.token_hex(8)}"
        self._notices.bind(f"\0{name}")
        asyncio.get_running_loop().add_reader(self._notices, self._noticed)
        self._keeping = asyncio.create_task(self._keep(f"@{name}"), name="etcd")

    def _noticed(self) -> None:
        """Etcd says READY=1 (sd_notify(3)) once it is part of its group, that is when there is a leader."""
        with contextlib.suppress(OSError):
            if self._notices is not None and b"READY=1" in self._notices.recv(4096):
                self._ready.set()

    async def ready(self, within: float | None = None) -> None:
        """Returns once it is part of its group, which needs a majority of its members.

        Raises:
            CannotStart: it did not get there in so many seconds; with what etcd said last.
            NotInCluster: the group has removed this member.
        """
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._ready, self._removed)]
        try:
            await asyncio.wait(waiting, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
        if self._removed.is_set():
            raise NotInCluster(detail="the group has removed it; let it join anew with --join")
        if not self._ready.is_set():
            said = self.last_words or "it says nothing"
            raise CannotStart(detail=f"etcd is not part of its group after {within} s ({said})")

    async def removed(self) -> None:
        """Returns when the group has removed this member."""
        await self._removed.wait()

    async def _keep(self, notify: str) -> None:
        pause, loop = _FIRST_PAUSE, asyncio.get_running_loop()
        while True:
            begun = loop.time()
            code = await self._once(notify)
            self._ready.clear()
            self.restarts += 1
            pause = _FIRST_PAUSE if loop.time() - begun > _LIVED else min(2 * pause, _LONGEST_PAUSE)
            log.warning("etcd_ended", code=code, again_in=pause, said=self.last_words)
            await asyncio.sleep(pause)

    async def _once(self, notify: str) -> int | None:
        """Its exit code, None if it could not be started: a machine may have no processes or files to spare now."""
        try:
            return await self._run(notify)
        except OSError as problem:
            self.last_words = f"it cannot be started: {problem.strerror}"
            return None

    async def _run(self, notify: str) -> int:
        process = self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", _BOUND_TO_PARENT, str(os.getpid())),
            *(str(self._program), *self._arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment(os.environ, notify, platform.machine()),
        )
        log.info("etcd_started", pid=process.pid)
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        await self._listen(process.stderr)
        return await process.wait()

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        """To the end: if nobody read on, etcd would stand still as soon as the pipe is full."""
        while True:
            try:
                line = await stderr.readline()
            except ValueError:  # longer than any line of a log; what is left of it comes next
                continue
            if not line:
                return
            self._heard(line)

    def _heard(self, line: bytes) -> None:
        said = read_line(line)
        if said is None or said[1] in _NOISE:
            return
        level, message, fields = said
        if _REMOVED in line:
            self._removed.set()
        self.last_words = message if "error" not in fields else f"{message}: {fields['error']}"
        (log.error if level in ("error", "fatal", "panic") else log.warning)("etcd", said=message, **fields)

    async def stop(self) -> None:
        """Ends it, in order if it can; may be called again."""
        if self._keeping is None:
            return
        keeping, self._keeping = self._keeping, None
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        process = self._process
        if process is not None and process.returncode is None:
            await _end(process)
        if self._notices is not None:
            asyncio.get_running_loop().remove_reader(self._notices)
            self._notices.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), _ENDS_WITHIN)
    except TimeoutError:
        process.kill()
        await process.wait()


def read_line(line: bytes) -> tuple[str, str, dict[str, str]] | None:
    """Level, message and harmless fields of a line of etcd's log (zap's JSON); of any other text its beginning."""
    try:
        entry = msgspec.json.decode(line, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = line.decode("utf-8", "replace").strip()
        return ("warn", text[:200], {}) if text else None
    fields = {name.replace("-", "_"): str(value)[:200] for name, value in entry.items() if name in _HARMLESS}
    return str(entry.get("level", "warn")), str(entry.get("msg", ""))[:200], fields
