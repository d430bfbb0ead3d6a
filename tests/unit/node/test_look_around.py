"""alice looks for her organisation, before she has an account."""

from pathlib import Path

import pytest

from telegraph.errors import IllegalInvite, ManagerAway, NobodyThere
from telegraph.node import organisation
from telegraph.node.settings import NodeSettings

INVITE = f"telegraph://join?manager=https://a.example:8000&manager=https://b.example:8000&ca={'ab' * 32}"


@pytest.fixture
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(url: str) -> str:
        raise ManagerAway(url=url)

    monkeypatch.setattr(organisation, "fetch_ca", away)


@pytest.mark.usefixtures("nobody_answers")
@pytest.mark.parametrize(
    ("typed", "named"),
    [("https://nowhere.example:8000", "https://nowhere.example:8000"), (INVITE, "a.example:8000, https://b.example")],
)
async def test_where_nobody_answers_she_is_told_which_address_it_was(typed: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(NobodyThere) as refusal:
        await organisation.look(NodeSettings(data=tmp_path), typed)

    assert named in refusal.value.sentence("en")
    assert refusal.value.status == 404


async def test_what_is_no_address_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(IllegalInvite):
        await organisation.look(NodeSettings(data=tmp_path), "ftp://x")
