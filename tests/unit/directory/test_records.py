import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory import records
from telegraph.directory.records import Account, InviteCode, NameClaim, Presence, Session
from telegraph.protocol.names import name_key

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
BYTES = st.none() | st.binary(max_size=64)


@given(st.builds(Account, TEXT, TEXT, TEXT, TEXT, TEXT, BYTES))
def test_an_account_survives_encoding(account: Account) -> None:
    assert records.decode(records.encode(account), Account) == account


@given(st.builds(Presence, TEXT, st.integers(1, 65535), st.integers(0, 2**63 - 1), st.just("online"), TEXT, BYTES))
def test_a_presence_survives_encoding(presence: Presence) -> None:
    assert records.decode(records.encode(presence), Presence) == presence


@given(st.booleans(), TEXT)
def test_sessions_and_invites_survive_encoding(flag: bool, created: str) -> None:
    assert records.decode(records.encode(Session(flag, created)), Session) == Session(flag, created)
    assert records.decode(records.encode(InviteCode(created, flag)), InviteCode) == InviteCode(created, flag)


def test_fields_are_stored_in_the_order_of_their_names() -> None:
    stored = records.encode(Account("u1", "alice", "$2b$", "2026-01-01T00:00:00.000000Z"))
    assert list(json.loads(stored)) == sorted(json.loads(stored))


def test_a_field_of_a_newer_release_is_ignored() -> None:
    assert records.decode(b'{"user_id": "u1", "site": "north"}', NameClaim) == NameClaim("u1")


def test_a_field_that_an_older_release_did_not_write_has_its_default() -> None:
    old = b'{"user_id":"u1","username":"alice","password_hash":"x","created":"y"}'
    assert records.decode(old, Account).device_key is None


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        records.decode(b"{}", NameClaim)


@given(st.text(max_size=30))
def test_every_name_whatever_is_in_it_gives_a_key_of_printable_ascii(name: str) -> None:
    key = records.name_record_key(name)
    assert key.isascii()
    assert key.isprintable()
    assert key.startswith("name/")
    assert "/" not in key.removeprefix("name/")


@given(st.text("aábß中ﬁ.", max_size=8), st.text("aábß中ﬁ.", max_size=8))
def test_two_names_have_one_key_exactly_if_they_are_the_same_name(one: str, other: str) -> None:
    same = name_key(one) == name_key(other)
    assert (records.name_record_key(one) == records.name_record_key(other)) == same


@given(st.text("abñ中-", max_size=8), st.text("abñ中-", max_size=8))
def test_the_beginning_of_a_name_gives_the_beginning_of_its_key(beginning: str, rest: str) -> None:
    assert records.name_record_key(beginning + rest).startswith(records.name_record_key(beginning))


def test_tokens_and_codes_are_stored_as_hashes_only() -> None:
    assert "secret" not in records.invite_key("secret")
    assert records.secret_hash("secret") != records.secret_hash("Secret")
    assert len(records.secret_hash("\ud800")) == 64


def test_a_users_sessions_lie_below_one_prefix() -> None:
    assert records.session_key("u1", "ff").startswith(records.sessions_of("u1"))
    assert not records.session_key("u10", "ff").startswith(records.sessions_of("u1"))
    assert records.account_key("u1") == "account/u1"
    assert records.presence_key("u1") == "presence/u1"


def test_what_is_far_too_long_for_a_name_is_not_normalised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "name_key", lambda _name: pytest.fail("it was normalised"))
    key = records.name_record_key("a" + "\u0301\u0316" * 5000)
    assert key not in {records.NAMES, records.NAMES + "a"}
