from pathlib import Path

import pytest

from telegraph.errors import IllegalAddress, IllegalInvite
from telegraph.node.settings import NodeSettings, settings_of

DATA = Path("data")
CA = "ab" * 32
LINK = f"telegraph://join?manager=https://m.example:8000&ca={CA}&invite=code"


def test_an_invite_link_says_manager_ca_and_code() -> None:
    settings = settings_of(NodeSettings(data=DATA), LINK)

    assert settings.managers == ("https://m.example:8000",)
    assert settings.ca_fingerprint == CA
    assert settings.invite_code == "code"


def test_managers_that_were_named_come_before_those_of_the_link_and_each_is_kept_once() -> None:
    named = NodeSettings(data=DATA, managers=("first.example", "https://m.example:8000"))

    assert settings_of(named, LINK).managers == ("https://first.example:8000", "https://m.example:8000")


def test_a_fingerprint_may_be_written_with_colons_and_capitals() -> None:
    written = ":".join(["AB"] * 32)

    assert settings_of(NodeSettings(data=DATA, ca_fingerprint=written), None).ca_fingerprint == CA


@pytest.mark.parametrize(
    "manager", ["ftp://m.example", "https://m.example/path", "https://", "https://m.example:99999"]
)
def test_a_manager_that_cannot_be_called_is_refused(manager: str) -> None:
    with pytest.raises((IllegalInvite, IllegalAddress)):
        settings_of(NodeSettings(data=DATA, managers=(manager,)), None)


def test_a_link_that_is_none_is_refused() -> None:
    with pytest.raises(IllegalInvite):
        settings_of(NodeSettings(data=DATA), "https://m.example")
