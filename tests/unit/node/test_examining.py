from pathlib import Path

import pytest

from telegraph.errors import ManagerAway, TooMany
from telegraph.node.examining import OwnPort, free, managers


class Calls:
    """What a manager answers, in turn."""

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers = list(answers)

    async def reachable(self) -> bool:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_what_a_manager_said_lately_counts_while_it_does_not_try_again() -> None:
    now = 0.0
    port = OwnPort(lambda: now)
    calls = Calls(False, TooMany(), TooMany(), TooMany())

    assert await port.reached(calls, "192.0.2.7:8000") is False  # type: ignore[arg-type]
    assert await port.reached(calls, "192.0.2.7:8000") is False  # type: ignore[arg-type]
    assert await port.reached(calls, "192.0.2.8:8000") is None  # type: ignore[arg-type]
    now = 100.0
    assert await port.reached(calls, "192.0.2.7:8000") is None  # type: ignore[arg-type]


@pytest.mark.parametrize("refusal", [TooMany(), ManagerAway(), TimeoutError()])
async def test_without_an_answer_nothing_is_known(refusal: Exception) -> None:
    assert await OwnPort().reached(Calls(refusal), None) is None  # type: ignore[arg-type]


async def test_of_managers_that_may_be_known_to_a_locked_store_nothing_is_said() -> None:
    assert await managers(None, None, [], unknown=True) is None
    assert await managers(None, None, [], unknown=False) == []


async def test_without_a_ca_a_manager_counts_as_away() -> None:
    (found,) = await managers(None, None, ["https://192.0.2.1:8000"], unknown=True) or []
    assert found.problem == "manager_away"


async def test_a_folder_that_is_not_there_has_no_disk(tmp_path: Path) -> None:
    assert (await free(tmp_path) or 0) > 0
    assert await free(tmp_path / "nowhere") is None
