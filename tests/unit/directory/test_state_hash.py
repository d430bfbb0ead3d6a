"""The state hash: the same content gives the same hash, any difference in what counts another one."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory import records
from telegraph.directory.port import Entry
from telegraph.directory.state_hash import CONSISTENT, StateHash, state_hash

EMPTY = "3faa0ac66d06ff7b5b70b2b110ad4bafffff67f6830493573a7455729bba905b"
OUTSIDE = (records.SESSIONS, records.USES, records.ENDINGS, records.PRESENCES, records.INVITES, "setting/", "manager/")

names = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=8)
counting_keys = st.builds(str.__add__, st.sampled_from(CONSISTENT), names)
contents = st.dictionaries(counting_keys, st.binary(max_size=8), max_size=6)
outside = st.dictionaries(st.builds(str.__add__, st.sampled_from(OUTSIDE), names), st.binary(max_size=8), max_size=4)


def entries(content: dict[str, bytes], revision: int = 1) -> list[Entry]:
    return [Entry(key, value, revision) for key, value in content.items()]


@given(contents, contents)
def test_equal_contents_have_equal_hashes_and_no_others(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert (state_hash(entries(one)) == state_hash(entries(other))) == (one == other)


@given(contents, outside, st.randoms(use_true_random=False))
def test_order_revisions_and_what_is_of_one_moment_do_not_count(
    content: dict[str, bytes], more: dict[str, bytes], random: Random
) -> None:
    mixed = entries({**more, **content}, revision=7)
    random.shuffle(mixed)
    assert state_hash(mixed) == state_hash(entries(content))


@given(contents, counting_keys, st.binary(max_size=8))
def test_every_change_of_what_counts_shows(content: dict[str, bytes], key: str, value: bytes) -> None:
    changed = {**content, key: value}
    assert (state_hash(entries(changed)) == state_hash(entries(content))) == (content.get(key) == value)


@given(contents, outside)
def test_it_can_be_made_entry_by_entry_in_key_order(content: dict[str, bytes], more: dict[str, bytes]) -> None:
    hashed = StateHash()
    for entry in sorted(entries({**more, **content}), key=lambda entry: entry.key):
        hashed.add(entry)
    assert hashed.text == state_hash(entries(content))


def test_entries_out_of_order_or_twice_are_not_hashed() -> None:
    for key in ("account/a", "account/b"):
        hashed = StateHash()
        hashed.add(Entry("account/b", b"", 1))
        with pytest.raises(ValueError, match="key order"):
            hashed.add(Entry(key, b"", 1))


def test_bytes_cannot_move_between_key_and_value() -> None:
    assert state_hash([Entry("account/a", b"b", 1)]) != state_hash([Entry("account/ab", b"", 1)])


def test_the_hash_of_nothing_is_written_down_so_that_releases_agree() -> None:
    assert state_hash([]) == EMPTY
