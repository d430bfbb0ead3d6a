"""One end in a process of its own, told what to do by one JSON line on stdin each, answered by one on stdout.

``python -m messaging.worker LOOP KIND ARGUMENTS``: LOOP is asyncio or uvloop, KIND is receiver, sender, node,
watched or bare, and each request ``{"do": NAME, …}`` calls that method of the end with the rest.
"""

import asyncio
import json
import sys
import traceback
from typing import Any

import uvloop

from messaging.driving import one_at_a_time, stream
from messaging.floors import FloorReceiver, FloorSender


class Sender(FloorSender):
    """The sending end of a baseline, and its driver."""

    async def stream(self, outstanding: int, count: int) -> float:
        """See :func:`messaging.driving.stream`."""
        return await stream(self.deliver, outstanding, count)

    async def one_at_a_time(self, count: int) -> list[float]:
        """See :func:`messaging.driving.one_at_a_time`."""
        return await one_at_a_time(self.deliver, count)


async def obey(end: Any) -> None:
    """Does what stdin says until it is closed."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        try:
            answer = {"answer": await getattr(end, request.pop("do"))(**request)}
        except Exception:  # noqa: BLE001 - whoever asked must hear of it
            answer = {"error": traceback.format_exc()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


async def main(kind: str, arguments: list[str]) -> None:
    """Makes the end and obeys."""
    if kind == "node":  # whose imports are no part of a baseline
        from messaging.nodes import NodeEnd

        await obey(NodeEnd(*arguments))
    elif kind in ("watched", "bare"):
        from paging.ends import BareServer, WatchedNode

        await obey(WatchedNode(*arguments) if kind == "watched" else BareServer())
    elif kind == "sender":
        await obey(Sender(*arguments))
    else:
        await obey(FloorReceiver(*arguments))


if __name__ == "__main__":
    run = {"asyncio": asyncio.run, "uvloop": uvloop.run}[sys.argv[1]]
    run(main(sys.argv[2], sys.argv[3:]))
