"""The jobs that one manager does for all: only while it leads, and no longer.

A single manager always leads. In a group the one that holds ``leader/jobs`` does (:mod:`telegraph.directory.election`);
the jobs are cancelled as soon as that ends. What they write carries the conditions that they are given, so that one who
was paused and wakes up late changes nothing (DESIGN.md 10.2).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from telegraph.directory.cluster_records import LEADER
from telegraph.directory.election import Election, Leadership
from telegraph.directory.port import Directory, Unchanged
from telegraph.manager.background import keep_running

Fence = Sequence[Unchanged]
"""Conditions that belong into every commit of a leader's job: none for a single manager."""

Job = Callable[[Fence], Awaitable[None]]


async def work(jobs: Mapping[str, Job], fence: Fence) -> None:
    """Does all jobs side by side until it is cancelled; one that fails is begun again."""

    def bound(job: Job) -> Callable[[], Awaitable[None]]:
        return lambda: job(fence)

    async with asyncio.TaskGroup() as group:
        for name, job in jobs.items():
            group.create_task(keep_running(name, bound(job)))


class Jobs:
    """A manager's share in them. ``await run()`` in the background."""

    def __init__(self, jobs: Mapping[str, Job], directory: Directory, candidate: str | None) -> None:
        """``candidate`` is this manager's URL if it is one of several, else None."""
        self._jobs = jobs
        self._election = None if candidate is None else Election(directory, LEADER, candidate)

    @property
    def is_leader(self) -> bool:
        """Whether this manager does the jobs now."""
        return self._election is None or self._election.leadership is not None

    async def run(self) -> None:
        """Does the jobs whenever this manager leads, endlessly."""
        if self._election is None:
            await work(self._jobs, ())
        else:
            await self._election.run(self._lead)

    async def _lead(self, leadership: Leadership) -> None:
        await work(self._jobs, (leadership.condition,))
