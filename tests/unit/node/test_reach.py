import ssl
from dataclasses import dataclass

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.model import Contact
from telegraph.node.reach import cause, cause_of
from telegraph.peer.port import Unreachable
from telegraph.protocol.addresses import Address
from telegraph.protocol.doctor_api import ReachCause

BOB = Contact(2, "b" * 32, "bob", b"k" * 32, Address("192.0.2.2", 8000), 1, key_changed=False)


@dataclass
class Key:
    """As aiohttp names the connection that failed."""

    host: str = "192.0.2.2"
    port: int = 8000
    is_ssl: bool = True
    ssl: bool = True


def failed(by: BaseException | None, text: str = "192.0.2.2:8000: it") -> Unreachable:
    problem = Unreachable(text)
    problem.__cause__ = by
    return problem


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (failed(None, "no address"), "no_address"),
        (failed(None, "their device's key is revoked"), "revoked"),
        (failed(None, "192.0.2.2:8000: somebody else is there"), "certificate"),
        (failed(ConnectionRefusedError()), "refused"),
        (failed(TimeoutError()), "no_answer"),
        (failed(ssl.SSLError()), "certificate"),
        (failed(OSError(101, "Network is unreachable")), "no_route"),
        (failed(aiohttp.ClientConnectorError(Key(), ConnectionRefusedError())), "refused"),  # type: ignore[arg-type]
        (failed(None), "unknown"),
    ],
)
def test_what_an_attempt_failed_by_has_a_name(failure: Unreachable, expected: ReachCause) -> None:
    assert cause_of(failure) == expected


def test_somebody_who_is_away_is_away_whatever_their_machine_says() -> None:
    refused = failed(ConnectionRefusedError())
    assert cause(BOB, deleted=False, logged_in=True, online=False, failure=refused) == "offline"
    assert cause(BOB, deleted=False, logged_in=True, online=True, failure=refused) == "refused"
    assert cause(BOB, deleted=False, logged_in=True, online=None, failure=refused) == "refused"


@given(st.booleans(), st.booleans(), st.sampled_from([None, True, False]))
def test_what_the_user_decided_is_named_before_all_else(deleted: bool, logged_in: bool, online: bool | None) -> None:
    blocked = Contact(2, "b" * 32, "bob", b"k" * 32, None, 1, key_changed=False, blocked=True)
    assert cause(blocked, deleted=deleted, logged_in=logged_in, online=online, failure=None) == "blocked"


def test_a_certificate_that_does_not_fit_is_never_explained_away() -> None:
    somebody_else = failed(None, "192.0.2.2:8000: somebody else is there")
    assert cause(BOB, deleted=False, logged_in=True, online=False, failure=somebody_else) == "certificate"


def test_without_an_attempt_it_says_what_is_known() -> None:
    nowhere = Contact(2, "b" * 32, "bob", None, None, 0, key_changed=False)
    assert cause(nowhere, deleted=False, logged_in=True, online=True, failure=None) == "no_address"
    assert cause(BOB, deleted=False, logged_in=True, online=False, failure=None) == "offline"
    assert cause(BOB, deleted=False, logged_in=True, online=True, failure=None) == "not_tried"
    assert cause(BOB, deleted=True, logged_in=True, online=True, failure=None) == "account_deleted"
    assert cause(BOB, deleted=False, logged_in=False, online=True, failure=None) == "logged_out"
