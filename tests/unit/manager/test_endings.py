from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory import records
from telegraph.directory.port import Delete, Entry, Put
from telegraph.directory.records import Account, Ending, Revocation, Session
from telegraph.manager.endings import MARGIN, end_writes, ended_of, revoke_writes
from telegraph.manager.moment import Moment, as_text
from telegraph.protocol.addresses import Address
from telegraph.protocol.identity import key_fingerprint
from telegraph.protocol.manager_events import EndReason

NOW = Moment(mono=1000.0, wall=1_900_000_000.0)
MONTH = timedelta(days=30)
HERE = Address("10.0.0.7", 8001)


def session(token_hash: str, *, device: bool) -> tuple[Entry, Session]:
    record = Session(device=device, created="2026-01-01T00:00:00.000000Z")
    return Entry(records.session_key("u1", token_hash), records.encode(record), 7), record


def account(key: bytes | None = b"k" * 32, until: str = "") -> Account:
    return Account("u1", "alice", "hash", NOW.text, device_key=key, certified_until=until)


@pytest.mark.parametrize("reason", ["logged_in_elsewhere", "password_changed", "ended_elsewhere", "removed"])
def test_a_device_that_was_away_can_learn_later_why_its_session_ended(reason: EndReason) -> None:
    writes = end_writes("u1", [session("aa", device=True)], reason, NOW)
    assert Delete(records.session_key("u1", "aa")) in writes
    (kept,) = [write for write in writes if isinstance(write, Put)]
    ending = records.decode(kept.value, Ending)
    assert (kept.key, ending.reason, ending.at) == (records.ending_key("u1", "aa"), reason, NOW.text)
    assert ending.until > NOW.text


def test_a_log_out_and_the_end_of_a_plain_session_leave_nothing_behind() -> None:
    writes = end_writes("u1", [session("aa", device=True)], "logged_out", NOW)
    writes += end_writes("u1", [session("bb", device=False)], "password_changed", NOW)
    assert [type(write) for write in writes] == [Delete] * 4
    assert {write.key for write in writes} == {
        *(records.session_key("u1", token_hash) for token_hash in ("aa", "bb")),
        *(records.use_key("u1", token_hash) for token_hash in ("aa", "bb")),
    }


@given(
    known=st.none() | st.timedeltas(timedelta(days=-400), timedelta(days=400)),
    lifetime=st.timedeltas(timedelta(minutes=1), timedelta(days=400)),
)
def test_a_revocation_outlives_the_certificate_by_the_margin_at_least(
    known: timedelta | None, lifetime: timedelta
) -> None:
    until = "" if known is None else as_text(NOW.utc + known)
    (write,) = revoke_writes(account(until=until), NOW, lifetime)
    revocation = records.decode(write.value, Revocation)
    valid_until = NOW.utc + (lifetime if known is None else known)
    assert datetime.fromisoformat(revocation.until) == max(valid_until, NOW.utc) + MARGIN
    assert revocation.at == NOW.text


def test_a_revocation_names_the_user_and_the_key_by_its_fingerprint() -> None:
    (write,) = revoke_writes(account(b"x" * 32), NOW, MONTH)
    assert write.key == f"revoked/u1/{key_fingerprint(b'x' * 32)}"
    assert b"x" * 32 not in write.value


def test_an_account_without_a_device_has_nothing_to_revoke() -> None:
    assert revoke_writes(account(None), NOW, MONTH) == []


def test_the_place_of_the_device_is_told_only_if_a_device_is_among_those_that_ended() -> None:
    both = [session("aa", device=False), session("bb", device=True)]
    ended = ended_of(account(), both, "removed", NOW, HERE)
    assert (ended.token_hashes, ended.device_hash, ended.device, ended.at) == (("aa", "bb"), "bb", HERE, NOW.text)
    plain = ended_of(account(), both[:1], "removed", NOW, HERE)
    assert (plain.token_hashes, plain.device_hash, plain.device) == (("aa",), "", None)


def test_texts_of_times_sort_as_the_times_do() -> None:
    times = [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC), NOW.utc]
    assert sorted(as_text(time) for time in times) == [as_text(time) for time in sorted(times)]
