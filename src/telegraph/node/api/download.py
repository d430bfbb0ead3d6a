"""A file as the body of an answer, which has no name any more: it goes when it was sent or nobody wants it."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import IO

_PIECE = 256 * 1024


def taken(file: Path) -> IO[bytes]:
    """Opens a file and removes its name: once closed, its content is gone."""
    try:
        return file.open("rb")
    finally:
        file.unlink()


async def pieces_of(opened: IO[bytes]) -> AsyncGenerator[bytes]:
    """The content, piece by piece; read in threads, so that a slow disk holds up nothing else."""
    with opened:
        while piece := await asyncio.to_thread(opened.read, _PIECE):
            yield piece
