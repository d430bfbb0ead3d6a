import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory.port import Delete, Put
from telegraph.directory.transactions import check_writes, prefix_end

KEYS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=8)


@given(KEYS, KEYS)
def test_a_key_lies_between_a_prefix_and_its_end_exactly_if_it_begins_so(prefix: str, key: str) -> None:
    assert (prefix <= key < prefix_end(prefix)) == key.startswith(prefix)


@given(st.lists(KEYS, unique=True))
def test_any_set_of_keys_can_be_written(keys: list[str]) -> None:
    check_writes([Put(key, b"") for key in keys])


@given(st.lists(KEYS, unique=True, min_size=1))
def test_no_key_can_be_written_twice(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="twice"):
        check_writes([*(Put(key, b"") for key in keys), Delete(keys[0])])


@pytest.mark.parametrize("key", ["", "ñ", "a\0b", "\x7f"])
def test_a_key_is_printable_ascii(key: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        check_writes([Delete(key)])
