import asyncio
from collections.abc import Mapping, Sequence

import pytest
from structlog.testing import capture_logs

from telegraph import supervision
from telegraph.errors import DiskFailed
from telegraph.supervision import supervise


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "_AGAIN_AFTER", 0.0)


def _told(logs: Sequence[Mapping[str, object]]) -> list[tuple[object, ...]]:
    return [(entry["event"], entry["task"], entry.get("kind")) for entry in logs]


async def test_work_that_fails_is_begun_again_and_told_without_its_values() -> None:
    failures: list[Exception] = [ValueError("correct horse"), KeyError("battery")]
    left = iter(failures)

    async def work() -> None:
        for failure in left:
            raise failure

    with capture_logs() as logs:
        await asyncio.wait_for(supervise("carrying", work), 5)

    assert _told(logs) == [("task_failed", "carrying", "ValueError"), ("task_failed", "carrying", "KeyError")]
    assert "horse" not in str(logs)
    assert "battery" not in str(logs)


async def test_the_same_failure_again_and_again_is_told_once() -> None:
    tries: list[int] = []

    async def work() -> None:
        tries.append(1)
        if len(tries) < 50:
            raise DiskFailed(detail="the disk is full")

    with capture_logs() as logs:
        await asyncio.wait_for(supervise("indexing", work), 5)

    assert len(tries) == 50
    assert _told(logs) == [("task_failed", "indexing", "DiskFailed")]


async def test_that_work_goes_on_is_told_and_then_a_failure_is_news_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "_WELL_AFTER", 0.0)
    well = asyncio.Event()
    monkeypatch.setattr(supervision.log, "info", lambda *_, **__: well.set())
    tries: list[int] = []

    async def work() -> None:
        tries.append(1)
        if len(tries) == 2:
            await well.wait()  # it works for a while
        if len(tries) < 4:
            raise DiskFailed(detail="the disk is full")

    with capture_logs() as logs:
        await asyncio.wait_for(supervise("indexing", work), 5)

    assert _told(logs) == [("task_failed", "indexing", "DiskFailed")] * 2


async def test_work_that_is_cancelled_stays_cancelled() -> None:
    task = asyncio.create_task(supervise("waiting", asyncio.Event().wait))  # type: ignore[arg-type]
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
