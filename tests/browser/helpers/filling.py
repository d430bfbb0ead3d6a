"""A long conversation for a store whose node does not run: ``python filling.py DATA MANAGER CA COUNT``."""

import asyncio
import subprocess
import sys
from pathlib import Path
from random import Random

from telegraph import Node
from telegraph.node import streams
from telegraph.node.ids import next_id
from telegraph.protocol.frames import MessageFrame
from telegraph.storage.engine import sqlite3
from telegraph.testing.processes import RealTelegraph

PEN_PAL = "penpal"
"""Somebody whom no manager knows."""


def fill(people: RealTelegraph, name: str, count: int) -> None:
    """Stops somebody's node, stores so many messages ``number N`` of a pen pal as read ones, and starts it again."""
    people.nodes[name].stop()
    ca = people.root / "manager" / "ca.pem"
    arguments = [str(people.root / name), people.url, str(ca), str(count)]
    subprocess.run([sys.executable, __file__, *arguments], check=True, timeout=60)
    people.start(name)


async def _fill(data: Path, manager: str, ca: Path, count: int) -> None:
    key = data.with_name(f"{data.name}.key")
    async with Node(data, manager=manager, ca=ca, host="127.0.0.1", peer_port=0, key_file=key) as node:
        await node.database.write(lambda connection: _store(connection, count))


def _store(connection: sqlite3.Connection, count: int) -> None:
    connection.execute(
        "INSERT INTO contacts (user_id, username, name_key, device_key) VALUES (?, ?, ?, ?)",
        (f"{PEN_PAL}-id", PEN_PAL, PEN_PAL, PEN_PAL.encode().ljust(32)),
    )
    (contact,) = connection.execute("SELECT id FROM contacts WHERE username = ?", (PEN_PAL,)).fetchone()
    streams.receive(connection, contact, [_message(number) for number in range(count)])
    streams.read_here(connection, contact)


def _message(number: int) -> MessageFrame:
    seconds = 1_700_000_000 + number * 600
    return MessageFrame(
        id=next_id(b"", seconds * 1000, Random(number)),
        seq=number + 1,
        seen=0,
        sender=f"{PEN_PAL}-id",
        recipient="",
        sent_at=seconds * 1_000_000,
        text=f"number {number}" + "\nand a second line" * (number % 3),
    )


if __name__ == "__main__":
    asyncio.run(_fill(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))
