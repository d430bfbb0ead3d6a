"""Running a daemon in the foreground until a signal stops it."""

import asyncio
import contextlib
import logging
import os
import resource
import signal
from collections.abc import Awaitable, Callable

import structlog
import uvloop


def run_until_stopped(serve: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Runs ``serve`` on uvloop; SIGTERM and SIGINT set the event that it is given."""
    configure_logging()
    allow_many_connections()
    uvloop.run(_run(serve))


def allow_many_connections() -> None:
    """Takes all file descriptors that this process may have; each connection is one, and 1024 is the usual default.

    The low default is there for programs that call select(), which uvloop does not.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # then it stays as it was
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _run(serve: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(stop)


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
