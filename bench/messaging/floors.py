"""The baselines: the least that two programs do that lose and repeat nothing while both run, and nothing else.

TCP, one JSON line a message, one SQLite commit before sending and one before acknowledging. A message is the record of
the report's section 5.1 under a UUID, the table's key, so that a repeat is known. No encryption, no order, no receipts,
no search, no history, no contacts, no second try. ``floor`` commits with ``synchronous=NORMAL`` (no fsync: a power cut
loses messages that were acknowledged), ``floor-FULL`` with ``synchronous=FULL``. The *bare* floor has a number and a
text instead of the record, and knows no repeat.
"""

import asyncio
import json
import sqlite3
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Record = dict[str, Any]

_TABLES = {
    "record": "id TEXT PRIMARY KEY, sender TEXT, recipient TEXT, text TEXT, timestamp TEXT, read INTEGER, status TEXT",
    "bare": "id INTEGER PRIMARY KEY, text TEXT",
}
_INSERTS = {
    "record": "INSERT INTO messages VALUES (:id, :from, :to, :text, :timestamp, :read, :status)",
    "bare": "INSERT INTO messages VALUES (:id, :text)",
}


class Table:
    """One table of messages in WAL mode, each statement a commit of its own."""

    def __init__(self, path: Path, synchronous: str, kind: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute(f"PRAGMA synchronous={synchronous}")
        self._connection.execute(f"CREATE TABLE messages ({_TABLES[kind]})")
        self._insert = _INSERTS[kind]

    def store(self, message: Record) -> None:
        """Commits a message."""
        self._connection.execute(self._insert, message)


class FloorReceiver:
    """Stores each line, then acknowledges it."""

    def __init__(self, path: str, synchronous: str, kind: str) -> None:
        self._table = Table(Path(path), synchronous, kind)

    async def start(self) -> int:
        """Listens on a free port of loopback: which."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            message = json.loads(line)
            self._table.store(message)
            writer.write(json.dumps({"ack": message["id"]}).encode() + b"\n")
            await writer.drain()
        writer.close()


class FloorSender:
    """Stores each message, sends it, and waits for its acknowledgement."""

    def __init__(self, path: str, synchronous: str, kind: str) -> None:
        self._table = Table(Path(path), synchronous, kind)
        self._message: Callable[[str], Record] = {"record": _record, "bare": self._numbered}[kind]
        self._number = 0
        self._waiting: dict[Any, asyncio.Future[None]] = {}

    async def connect(self, port: int) -> None:
        """Dials the receiver."""
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self._listening = asyncio.create_task(self._listen(reader))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            self._waiting.pop(json.loads(line)["ack"]).set_result(None)

    async def deliver(self, text: str) -> None:
        """Sends one message: returns once it was acknowledged."""
        message = self._message(text)
        self._table.store(message)
        self._waiting[message["id"]] = acknowledged = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps(message).encode() + b"\n")
        await self._writer.drain()
        await acknowledged

    def _numbered(self, text: str) -> Record:
        self._number += 1
        return {"id": self._number, "text": text}


def _record(text: str) -> Record:
    now = datetime.now(UTC).isoformat()
    return {"id": str(uuid.uuid4()), "from": "alice", "to": "bob", "text": text, "timestamp": now, "read": False} | {
        "status": "pending"
    }
