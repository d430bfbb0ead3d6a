"""A manager's etcd is started again, whatever ended it."""

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest

from telegraph.manager.cluster import process
from telegraph.manager.cluster.process import EtcdProcess


async def test_an_etcd_that_could_not_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries, again = 0, asyncio.Event()

    async def refused(*_words: str, **_more: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries == 3:
            again.set()
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(process, "_FIRST_PAUSE", 0.0)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", refused)
    etcd = EtcdProcess(Path("/nowhere/etcd"), [])
    await etcd.start()
    try:
        async with asyncio.timeout(5):
            await again.wait()
        assert etcd.restarts >= 2
        assert etcd.last_words == "it cannot be started: Resource temporarily unavailable"
    finally:
        await etcd.stop()
