"""What bob types and what he is called, after a heal between sites has named him bob~lima."""

import pytest

from telegraph.errors import OtherAccount
from telegraph.node.account import Account
from telegraph.node.own_name import name_to_log_in, named
from telegraph.protocol.manager_api import User


def account(username: str, *, provisional: bool = False) -> Account:
    return Account("bob-id", username, "certificate", "ca", "token", 1, provisional=provisional)


def told(username: str, *, provisional: bool = False, user_id: str = "bob-id") -> User:
    return User(username, user_id, "192.0.2.7", 8000, "online", None, provisional=provisional)


@pytest.mark.parametrize(
    ("stored", "typed", "asked"),
    [
        ("Bob", "bob", "Bob"),
        ("Bob~lima", "bob", "Bob~lima"),
        ("Bob", "bob~lima", "bob~lima"),  # renamed while this node was away
        ("Bob~lima", "BOB~LIMA", "BOB~LIMA"),
    ],
)
def test_bob_logs_in_by_the_name_of_before_and_of_now(stored: str, typed: str, asked: str) -> None:
    assert name_to_log_in(account(stored), typed) == asked


def test_anybody_can_log_in_where_nobody_has() -> None:
    assert name_to_log_in(None, "carol") == "carol"


def test_carol_cannot_log_in_where_bob_lives() -> None:
    with pytest.raises(OtherAccount, match="Bob~lima"):
        name_to_log_in(account("Bob~lima"), "carol")


def test_bob_hears_that_he_is_called_otherwise_or_that_his_name_is_confirmed() -> None:
    provisional = account("Bob", provisional=True)

    assert named(provisional, told("Bob~lima")) == account("Bob~lima")
    assert named(provisional, told("Bob")) == account("Bob")
    assert named(provisional, told("Bob", provisional=True)) is None
    assert named(provisional, told("Bob", user_id="another")) is None
