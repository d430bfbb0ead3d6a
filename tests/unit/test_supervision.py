import asyncio

import pytest
from structlog.testing import capture_logs

from telegraph import supervision
from telegraph.supervision import supervise


async def test_work_that_fails_is_begun_again_and_told_without_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "_AGAIN_AFTER", 0.0)
    tries: list[int] = []

    async def work() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("correct horse")

    with capture_logs() as logs:
        await asyncio.wait_for(supervise("carrying", work), 5)

    assert len(tries) == 3
    assert [(entry["event"], entry["task"], entry["kind"]) for entry in logs] == [
        ("task_failed", "carrying", "ValueError")
    ] * 2
    assert "horse" not in str(logs)


async def test_work_that_is_cancelled_stays_cancelled() -> None:
    task = asyncio.create_task(supervise("waiting", asyncio.Event().wait))  # type: ignore[arg-type]
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
