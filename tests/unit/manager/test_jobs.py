"""Only the leader does the leader's jobs, and stops at once when it is none any more."""

import asyncio

import pytest

from telegraph import supervision
from telegraph.directory.cluster_records import LEADER
from telegraph.directory.memory import MemoryDirectory
from telegraph.directory.port import Delete
from telegraph.manager.jobs import Fence, Jobs


@pytest.fixture
def directory() -> MemoryDirectory:
    return MemoryDirectory()


class Job:
    """Runs until it is cancelled, and tells."""

    def __init__(self) -> None:
        self.fences: list[Fence] = []
        self.running = 0
        self.begun, self.ended = asyncio.Event(), asyncio.Event()

    async def __call__(self, fence: Fence) -> None:
        self.fences.append(fence)
        self.running += 1
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.running -= 1
            self.ended.set()


async def end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_single_manager_always_leads_and_needs_no_key(directory: MemoryDirectory) -> None:
    job = Job()
    jobs = Jobs({"job": job}, directory, None)
    running = asyncio.create_task(jobs.run())
    await job.begun.wait()
    assert (jobs.is_leader, job.fences, await directory.get(LEADER)) == (True, [()], None)
    await end(running)
    assert job.running == 0


async def test_of_two_managers_one_works_and_the_other_follows_when_it_ends(directory: MemoryDirectory) -> None:
    alice, bob = Job(), Job()
    first = asyncio.create_task(Jobs({"job": alice}, directory, "https://a:8000").run())
    await alice.begun.wait()
    second_jobs = Jobs({"job": bob}, directory, "https://b:8000")
    second = asyncio.create_task(second_jobs.run())
    entry = await directory.get(LEADER)
    assert entry is not None
    assert (entry.value, bob.running, second_jobs.is_leader) == (b"https://a:8000", 0, False)
    await end(first)
    await asyncio.wait_for(bob.begun.wait(), 5)
    assert (alice.running, second_jobs.is_leader) == (0, True)
    await end(second)


async def test_who_lost_the_leadership_stops_and_its_late_writes_change_nothing(directory: MemoryDirectory) -> None:
    job = Job()
    running = asyncio.create_task(Jobs({"job": job}, directory, "https://a:8000").run())
    await job.begun.wait()
    await directory.commit([], [Delete(LEADER)])
    await asyncio.wait_for(job.ended.wait(), 5)
    assert await directory.commit(job.fences[0], [Delete("account/a")]) is None
    await end(running)


async def test_a_job_that_fails_is_begun_again_beside_the_others(
    directory: MemoryDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "_AGAIN_AFTER", 0.0)
    healthy, tries = Job(), list[int]()
    again = asyncio.Event()

    async def failing(_fence: Fence) -> None:
        tries.append(1)
        if len(tries) == 3:
            again.set()
        raise OSError

    running = asyncio.create_task(Jobs({"failing": failing, "healthy": healthy}, directory, None).run())
    await asyncio.wait_for(again.wait(), 5)
    assert healthy.running == 1
    await end(running)
