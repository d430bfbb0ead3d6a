"""Bugs that are planted on purpose, to see that the validators catch them. No code of the package can do this.

``python -m planted BUG … `` with this folder on PYTHONPATH is ``python -m telegraph …`` with a bug in it; with
:data:`NO_BUG` for it, it is the same. Either way the node's certificate and key are written to
``$TELEGRAPH_TEST_IDENTITY``, for a relay between two nodes.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from telegraph.node import database, streams, talk
from telegraph.node.order import Place
from telegraph.peer import credentials, tls
from telegraph.protocol.frames import MessageFrame, Stored
from telegraph.storage import schema

Patch = Callable[[Any, str, Any], None]
"""As ``setattr``, or as pytest's ``monkeypatch.setattr``, which takes it back."""


def acknowledge_before_commit(patch: Patch) -> None:
    """Says *stored* as soon as messages arrive, and stores them a moment later."""
    store = talk._take

    async def take(messages: list[MessageFrame], open_link: Any, around: Any) -> None:
        if messages:
            open_link.answer(Stored(messages[-1].seq))
            await asyncio.sleep(0.2)  # long enough for a test to crash it in between
            await store(messages, open_link, around)

    patch(talk, "_take", take)


def do_not_deduplicate(patch: Patch) -> None:
    """Stores what comes again as if it were new, under an id of its own."""
    receive = streams.receive

    def receive_all(connection: Any, contact: int, frames: list[MessageFrame]) -> Any:
        received = streams.received(connection, contact)
        for frame in frames:
            if frame.seq <= received:
                again = uuid4().bytes
                streams.receive_outside(
                    connection, contact, again, frame.text, sent_us=frame.sent_at, now_us=frame.sent_at
                )
        return receive(connection, contact, frames)

    patch(streams, "receive", receive_all)


def order_by_wall_clock(patch: Patch) -> None:
    """Puts a message where its sender's clock says."""

    def place(message_id: bytes, *_: Any, **__: Any) -> Place:
        return Place(message_id, 0, message_id)

    patch(streams, "place", place)


BUGS: dict[str, tuple[Callable[[Patch], None], str]] = {
    "acknowledge_before_commit": (acknowledge_before_commit, "ticked_too_early"),
    "do_not_deduplicate": (do_not_deduplicate, "doubled"),
    "order_by_wall_clock": (order_by_wall_clock, "inverted"),
}
"""Each bug, and the promise that it breaks."""

NO_BUG = "no_bug"


def store_in_the_clear(patch: Patch) -> None:
    """Opens every database without its key."""
    connect = schema.connect
    patch(database, "connect", lambda path, _key=None: connect(path))


def give_identity_away(patch: Patch, file: Path) -> None:
    """Writes what the node shows to others into a file, its private key included."""
    make = credentials.server_context

    def server_context(identity: credentials.Credentials) -> Any:
        fresh = file.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(identity))
        fresh.replace(file)
        return make(identity)

    patch(tls, "server_context", server_context)


if __name__ == "__main__":
    bug = sys.argv.pop(1)
    if bug == store_in_the_clear.__name__:
        store_in_the_clear(setattr)
    elif bug != NO_BUG:
        BUGS[bug][0](setattr)
    if "TELEGRAPH_TEST_IDENTITY" in os.environ:
        give_identity_away(setattr, Path(os.environ["TELEGRAPH_TEST_IDENTITY"]))
    from telegraph.cli.main import main

    main()
