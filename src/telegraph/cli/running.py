"""Running a daemon in the foreground until a signal stops it."""

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import uvloop

from telegraph.cli.lean import structlog

_STOPPED_WITHIN = 5.0
"""Seconds that a daemon gets to end by itself once it was told to."""


def run_until_stopped(serve: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Runs ``serve`` on uvloop; SIGTERM and SIGINT set the event that it is given, and a second one ends it at once.

    Everything that was acknowledged is on disk at any moment, so an end without farewell loses nothing. ``serve`` is
    cancelled if it has not ended a while after the first signal: it may not have come to wait for the event yet.
    """
    configure_logging()
    allow_many_connections()
    hand_over_quickly()
    uvloop.run(_run(serve))


def allow_many_connections() -> None:
    """Takes all file descriptors that this process may have; each connection is one, and 1024 is the usual default.

    The low default is there for programs that call select(), which uvloop does not.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # then it stays as it was
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def hand_over_quickly() -> None:
    """Lets a thread that computes hand over after half a millisecond, instead of five, when another wants to go on.

    The thread that writes to the database needs Python only for moments between two statements, and each time it would
    wait so long for an event loop that is busy.
    """
    sys.setswitchinterval(0.0005)


def collect_seldom() -> None:
    """Once started: lets Python look for cyclic garbage less often, and never again in what is there by now.

    A manager holds a hundred objects for each node that is connected, and looking through a million of them stops
    everything for a good part of a second. Nearly all garbage goes without being looked for.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


COLLECT_AFTER: Final = (10_000, 10, 10)
"""Instead of (700, 10, 10). What this can leave lying: some kilobytes for each of so many thousand closed streams."""


async def _run(serve: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, stop, number)
    serving = asyncio.ensure_future(serve(stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        _, late = await asyncio.wait((serving,), timeout=_STOPPED_WITHIN)
        for task in late:
            task.cancel()
        await asyncio.wait((serving,))
    stopping.cancel()
    if not serving.cancelled():
        serving.result()


def _stop(stop: asyncio.Event, number: int) -> None:
    if stop.is_set():
        os._exit(128 + number)  # the shell's convention for an end by a signal
    stop.set()


def configure_logging() -> None:
    """One line per event on stderr, key=value; TELEGRAPH_LOG chooses the level (default INFO)."""
    level = logging.getLevelNamesMapping().get(os.environ.get("TELEGRAPH_LOG", "INFO").upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=os.fdopen(os.dup(2), "w", buffering=1)),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, format="level=%(levelname)s logger=%(name)s event=%(message)s")
