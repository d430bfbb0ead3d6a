"""The join token as text."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory.records import secret_hash
from telegraph.errors import CannotJoin
from telegraph.manager.cluster.token import JoinToken, group_name, is_secret, new_secret, parse_token, read_token

CA = "ab" * 32


def test_a_token_reads_as_it_was_written() -> None:
    token = JoinToken(CA, new_secret())
    assert parse_token(f" {token.text}\n") == token


@given(st.text(max_size=120))
def test_other_text_is_no_token(text: str) -> None:
    with pytest.raises(CannotJoin, match="telegraph manager token"):
        parse_token(text)


def test_a_file_with_a_token_reads_and_others_say_what_is_wrong(tmp_path: Path) -> None:
    token = JoinToken(CA, new_secret())
    (tmp_path / "token").write_text(token.text + "\n")
    assert read_token(tmp_path / "token") == token
    with pytest.raises(CannotJoin, match="cannot be read"):
        read_token(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    with pytest.raises(CannotJoin, match="cannot be read"):
        read_token(tmp_path / "binary")


@given(st.text(max_size=50), st.text(max_size=50))
def test_only_the_secret_itself_has_its_hash(given_secret: str, secret: str) -> None:
    assert is_secret(given_secret, secret_hash(secret)) == (given_secret == secret)


def test_groups_of_different_cas_have_different_names() -> None:
    assert group_name("one") != group_name("two")
