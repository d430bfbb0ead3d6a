"""Ends in processes of their own, as the bench sees them; see :mod:`messaging.worker`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_BENCH = Path(__file__).resolve().parent.parent


class End:
    """One process; use :meth:`ask`, or :meth:`tell` and :meth:`hear` to have several work at once."""

    def __init__(self, loop: str, kind: str, *arguments: object, log: Path | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "messaging.worker", loop, kind, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("a") if log is not None else None,
            text=True,
            cwd=_BENCH,
        )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def tell(self, do: str, **rest: object) -> None:
        """Asks for something without waiting."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(json.dumps({"do": do, **rest}) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """The answer to what was told last.

        Raises:
            RuntimeError: it failed there.
        """
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        answer = json.loads(self._process.stdout.readline() or '{"error": "the process ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["answer"]

    def ask(self, do: str, **rest: object) -> Any:
        """Does something there: the answer."""
        self.tell(do, **rest)
        return self.hear()

    def close(self) -> None:
        """Ends the process: its stdin is closed, and it is waited for."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class FloorPair:
    """The two ends of a baseline, connected."""

    def __init__(self, loop: str, folder: Path, synchronous: str, kind: str = "record") -> None:
        name = folder / f"{loop}-{synchronous}-{kind}"
        self._log = folder / "floors.log"
        self._receiver = End(loop, "receiver", f"{name}-receiver.sqlite3", synchronous, kind, log=self._log)
        self._sender = End(loop, "sender", f"{name}-sender.sqlite3", synchronous, kind, log=self._log)
        self._sender.ask("connect", port=self._receiver.ask("start"))

    def stream(self, outstanding: int, count: int) -> float:
        """Messages per second."""
        return count / float(self._sender.ask("stream", outstanding=outstanding, count=count))

    def one_at_a_time(self, count: int) -> list[float]:
        """The seconds of each round trip."""
        return list(self._sender.ask("one_at_a_time", count=count))

    def close(self) -> None:
        """Ends both."""
        self._sender.close()
        self._receiver.close()
