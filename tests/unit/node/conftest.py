"""Fixtures of the node's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from town import Person, Town

from telegraph.node import peers


@pytest.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    monkeypatch.setattr(peers, "FIRST_RETRY", 0.002)
    monkeypatch.setattr(peers, "LAST_RETRY", 0.01)
    made = Town(tmp_path)
    yield made
    for person in made.people.values():
        await person.stop()
        await person.db.close()
    await made.network.close()


@pytest.fixture
async def bob_and_mallory(town: Town) -> tuple[Person, Person]:
    return await town.join("bob"), await town.join("mallory")
