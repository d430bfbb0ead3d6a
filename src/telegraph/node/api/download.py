"""A file as the body of an answer, removed once it was sent or nobody wants it any more."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

_PIECE = 256 * 1024


async def pieces_of(file: Path) -> AsyncIterator[bytes]:
    """The content, piece by piece; read in threads, so that a slow disk holds up nothing else."""
    try:
        with await asyncio.to_thread(file.open, "rb") as opened:
            while piece := await asyncio.to_thread(opened.read, _PIECE):
                yield piece
    finally:
        file.unlink(missing_ok=True)  # noqa: ASYNC240 - quick, and it must happen also where nothing can be awaited
