"""What the cluster secret seals, nobody opens who has another secret, another name or another byte."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import DataUnreadable, SealBroken
from telegraph.manager.cluster.secret import SECRET_FILE, ClusterSecret

SECRET = ClusterSecret(bytes(range(32)))
names = st.text(max_size=8)


@given(names, st.binary(max_size=64))
def test_what_was_sealed_opens_under_its_name(name: str, content: bytes) -> None:
    sealed = SECRET.seal(name, content)
    assert SECRET.unseal(name, sealed) == content
    assert len(content) < 8 or content not in sealed


@given(names, names, st.binary(max_size=16))
def test_under_another_name_it_does_not(name: str, other: str, content: bytes) -> None:
    if name != other:
        with pytest.raises(SealBroken):
            SECRET.unseal(other, SECRET.seal(name, content))


@given(st.binary(max_size=16), st.data())
def test_a_changed_byte_breaks_the_seal(content: bytes, data: st.DataObject) -> None:
    sealed = bytearray(SECRET.seal("key", content))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken):
        SECRET.unseal("key", bytes(sealed))


@given(st.binary(max_size=40))
def test_anything_else_breaks_it_too(sealed: bytes) -> None:
    with pytest.raises(SealBroken):
        SECRET.unseal("key", sealed)


def test_another_secret_opens_nothing() -> None:
    with pytest.raises(SealBroken):
        ClusterSecret.create().unseal("key", SECRET.seal("key", b"content"))


def test_it_is_kept_for_its_owner_only_and_never_shown(tmp_path: Path) -> None:
    SECRET.save(tmp_path)
    assert (tmp_path / SECRET_FILE).stat().st_mode & 0o777 == 0o600
    assert ClusterSecret.load(tmp_path).text == SECRET.text
    assert SECRET.text not in repr(SECRET)


@pytest.mark.parametrize("content", ["", "zz", "00" * 31, "00" * 33])
def test_a_damaged_one_is_said_to_be(tmp_path: Path, content: str) -> None:
    (tmp_path / SECRET_FILE).write_text(content)
    with pytest.raises(DataUnreadable, match=SECRET_FILE):
        ClusterSecret.load(tmp_path)
