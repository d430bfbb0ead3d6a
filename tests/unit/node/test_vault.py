"""The key of the store and who can open it. Argon2id runs with the least memory that RFC 9106 allows."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import DataUnreadable, NewerSchema, WrongPassword
from telegraph.node import vault as vaults
from telegraph.storage.stretching import Stretching

QUICK = Stretching(iterations=1, lanes=1, memory=8)
PASSWORD = "correct horse battery"


@given(password=st.text(min_size=1, max_size=72), other=st.text(min_size=1, max_size=72))
def test_the_password_opens_it_and_another_does_not(password: str, other: str) -> None:
    vault, key, _ = vaults.create(password, QUICK)

    assert vaults.open_with_password(vault, password) == key
    if other != password:
        with pytest.raises(WrongPassword):
            vaults.open_with_password(vault, other)


@pytest.mark.parametrize("typed", [str, str.lower, lambda code: code.replace("-", " "), lambda code: f" {code}\n"])
def test_the_recovery_code_opens_it_however_it_is_typed(typed: object) -> None:
    vault, key, code = vaults.create(PASSWORD, QUICK)
    assert callable(typed)
    assert vaults.open_with_password(vault, typed(code)) == key


def test_a_recovery_code_is_long_and_never_the_same() -> None:
    codes = {vaults.new_recovery_code() for _ in range(100)}
    assert len(codes) == 100
    assert {len(vaults.plain_code(code)) for code in codes} == {24}


def test_neither_key_nor_password_nor_code_is_in_what_is_written() -> None:
    vault, key, code = vaults.create(PASSWORD, QUICK)
    written = msgspec.json.encode(vault)
    for secret in (key, key.hex().encode(), PASSWORD.encode(), vaults.plain_code(code)):
        assert secret not in written


def test_two_vaults_of_one_password_have_nothing_in_common() -> None:
    (one, key, _), (other, other_key, _) = vaults.create(PASSWORD, QUICK), vaults.create(PASSWORD, QUICK)
    assert key != other_key
    assert not {wrap.salt for wrap in one.wraps} & {wrap.salt for wrap in other.wraps}


def test_while_a_password_is_changed_both_open_it_and_then_only_one_does() -> None:
    vault, key, _ = vaults.create(PASSWORD, QUICK)
    both = vaults.with_password(vault, key, "another one", QUICK)
    assert vaults.open_with_password(both, PASSWORD) == vaults.open_with_password(both, "another one") == key

    changed = vaults.only_password(both, key, "another one", QUICK)
    assert vaults.open_with_password(changed, "another one") == key
    with pytest.raises(WrongPassword):
        vaults.open_with_password(changed, PASSWORD)


def test_a_password_that_opens_nothing_yet_becomes_the_only_one() -> None:
    vault, key, code = vaults.create(PASSWORD, QUICK)
    reset = vaults.only_password(vault, key, "set elsewhere", QUICK)
    assert vaults.open_with_password(reset, "set elsewhere") == vaults.open_with_password(reset, code) == key
    with pytest.raises(WrongPassword):
        vaults.open_with_password(reset, PASSWORD)


def test_a_new_recovery_code_makes_the_one_before_worthless() -> None:
    vault, key, code = vaults.create(PASSWORD, QUICK)
    newer = vaults.new_recovery_code()
    renewed = vaults.with_secret(vault, key, "recovery", vaults.plain_code(newer))
    assert vaults.open_with_password(renewed, newer) == key
    with pytest.raises(WrongPassword):
        vaults.open_with_password(renewed, code)


def test_an_unattended_secret_opens_it_only_where_that_was_allowed() -> None:
    vault, key, _ = vaults.create(PASSWORD, QUICK)
    assert vaults.open_unattended(vault, b"s" * 32) is None
    allowed = vaults.with_secret(vault, key, "unattended", b"s" * 32)
    assert vaults.open_unattended(allowed, b"s" * 32) == key
    assert vaults.open_unattended(allowed, b"t" * 32) is None
    assert vaults.open_unattended(vaults.without(allowed, "unattended"), b"s" * 32) is None


def test_a_wrap_of_one_kind_does_not_pass_for_another() -> None:
    vault, _, code = vaults.create(PASSWORD, QUICK)
    moved = [msgspec.structs.replace(wrap, kind="unattended") for wrap in vault.wraps if wrap.kind == "recovery"]
    assert vaults.open_unattended(msgspec.structs.replace(vault, wraps=tuple(moved)), vaults.plain_code(code)) is None


def test_it_survives_the_disk(tmp_path: Path) -> None:
    assert vaults.load(tmp_path) is None
    vault, key, _ = vaults.create(PASSWORD, QUICK)
    vaults.save(tmp_path, vault)
    assert vaults.load(tmp_path) == vault
    assert (tmp_path / vaults.FILE).stat().st_mode & 0o777 == 0o600
    assert vaults.open_with_password(vault, PASSWORD) == key


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"node_id": "x", "wraps": [{}]}', "\x00"])
def test_a_damaged_one_is_said_to_be_damaged(tmp_path: Path, content: str) -> None:
    (tmp_path / vaults.FILE).write_text(content)
    with pytest.raises(DataUnreadable):
        vaults.load(tmp_path)


def test_one_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    vault, _, _ = vaults.create(PASSWORD, QUICK)
    vaults.save(tmp_path, msgspec.structs.replace(vault, version=99))
    with pytest.raises(NewerSchema):
        vaults.load(tmp_path)


@pytest.mark.parametrize("change", [(b'"memory":8', b'"memory":999999999'), (b'"lanes":1', b'"lanes":64')])
def test_a_damaged_file_can_ask_neither_for_all_memory_nor_for_the_impossible(
    tmp_path: Path, change: tuple[bytes, bytes]
) -> None:
    vault, _, _ = vaults.create(PASSWORD, QUICK)
    damaged = msgspec.json.encode(vault).replace(*change)
    (tmp_path / vaults.FILE).write_bytes(damaged)
    with pytest.raises(DataUnreadable):
        vaults.load(tmp_path)


def test_the_default_is_what_rfc_9106_recommends_for_64_mib() -> None:
    assert Stretching() == Stretching(iterations=3, lanes=4, memory=64 * 1024)
