"""The envelope of a backup: whatever is cut off, moved or changed is noticed, and nothing false is ever given out."""

import io
from collections.abc import Iterator
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.manager.keeping.sealing import (
    CHUNK,
    FORMAT,
    HEADER_BYTES,
    MAGIC,
    Damaged,
    NewerFormat,
    Sealer,
    WrongKey,
    unseal,
)
from telegraph.storage.stretching import Stretching

QUICK = Stretching(iterations=1, lanes=1, memory=8)
PASSPHRASE = "correct horse battery staple"
SEALED_CHUNK = CHUNK + 16

sizes = st.one_of(st.integers(0, 300), st.sampled_from([CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 5]))


def content_of(size: int) -> bytes:
    return bytes(range(251)) * (size // 251) + bytes(range(size % 251))


@lru_cache(maxsize=32)
def sealed(size: int, passphrase: str = PASSPHRASE) -> bytes:
    return b"".join(Sealer(passphrase, QUICK).seal([content_of(size)]))


def opened(file: bytes, passphrase: str = PASSPHRASE) -> bytes:
    return b"".join(unseal(io.BytesIO(file).read, passphrase))


@given(st.lists(sizes, max_size=4))
def test_what_was_sealed_comes_out_however_it_was_handed_in(lengths: list[int]) -> None:
    pieces = [content_of(length) for length in lengths]
    assert opened(b"".join(Sealer(PASSPHRASE, QUICK).seal(pieces))) == b"".join(pieces)


@given(sizes)
def test_nothing_of_the_content_shows(size: int) -> None:
    file = sealed(size)
    assert len(file) == HEADER_BYTES + size + 16 * (size // CHUNK + 1)
    assert size < 20 or content_of(size)[:20] not in file


def test_two_copies_of_the_same_have_nothing_in_common_but_the_parameters() -> None:
    one, other = (b"".join(Sealer(PASSPHRASE, QUICK).seal([b"x" * 100])) for _ in range(2))
    assert one[:17] == other[:17]
    assert one[17:33] != other[17:33]
    assert one[HEADER_BYTES:] != other[HEADER_BYTES:]


@given(st.text(max_size=20).filter(lambda text: text != PASSPHRASE))
def test_another_passphrase_opens_nothing(other: str) -> None:
    with pytest.raises(WrongKey):
        opened(sealed(10), other)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7])
def test_a_file_that_was_cut_off_at_or_beside_the_end_of_any_chunk_is_noticed(size: int) -> None:
    file = sealed(size)
    ends = [HEADER_BYTES + number * SEALED_CHUNK for number in range(size // CHUNK + 1)]
    cuts = {end + step for end in ends for step in (-1, 0, 1, 16, 17)} | {len(file) - step for step in (1, 16, 17)}
    for cut in sorted(cut for cut in cuts if cut < len(file)):
        with pytest.raises(Damaged):
            opened(file[:cut])


@given(sizes, st.data())
def test_a_file_cut_off_anywhere_gives_out_a_beginning_at_most_and_then_says_so(size: int, data: st.DataObject) -> None:
    file = sealed(size)
    cut = data.draw(st.integers(0, len(file) - 1))
    given_out = bytearray()

    def take() -> None:
        for piece in unseal(io.BytesIO(file[:cut]).read, PASSPHRASE):
            given_out.extend(piece)

    with pytest.raises(Damaged):
        take()
    assert content_of(size).startswith(bytes(given_out))
    assert len(given_out) % CHUNK == 0, "the last chunk never is"


@given(sizes, st.data())
def test_one_changed_bit_behind_the_header_is_noticed(size: int, data: st.DataObject) -> None:
    file = bytearray(sealed(size))
    bit = data.draw(st.integers(8 * HEADER_BYTES, 8 * len(file) - 1))
    file[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Damaged):
        opened(bytes(file))


@given(st.one_of(st.integers(0, 33 * 8 - 1), st.integers((HEADER_BYTES - 32) * 8, HEADER_BYTES * 8 - 1)))
def test_one_changed_bit_in_the_header_is_noticed(bit: int) -> None:
    file = bytearray(sealed(10))  # the cost of the stretching, which could be made large so, has a test of its own
    file[bit // 8] ^= 1 << bit % 8
    with pytest.raises((Damaged, NewerFormat, WrongKey)):
        opened(bytes(file))


@pytest.mark.parametrize(
    ("at", "value"), [(33, 0), (33, 17), (37, 0), (37, 9), (41, 0), (41, 2**18 + 1), (41, 2**32 - 1)]
)
def test_a_cost_that_no_backup_has_is_not_paid(at: int, value: int) -> None:
    file = bytearray(sealed(10))
    file[at : at + 4] = value.to_bytes(4, "big")
    with pytest.raises(Damaged):
        opened(bytes(file))


@given(st.binary(max_size=40))
def test_whatever_follows_the_end_is_noticed(more: bytes) -> None:
    if more:
        with pytest.raises(Damaged):
            opened(sealed(10) + more)


def test_chunks_that_were_exchanged_left_out_or_repeated_are_noticed() -> None:
    file = sealed(3 * CHUNK + 7)
    header, chunks = file[:HEADER_BYTES], list(_chunks(file))
    assert len(chunks) == 4
    for order in ([1, 0, 2, 3], [0, 2, 3], [0, 1, 1, 2, 3], [3], [0, 1, 2, 3, 3], [0, 1, 3, 2]):
        with pytest.raises(Damaged):
            opened(header + b"".join(chunks[number] for number in order))
    assert opened(header + b"".join(chunks)) == content_of(3 * CHUNK + 7)


def _chunks(file: bytes) -> Iterator[bytes]:
    for begin in range(HEADER_BYTES, len(file), SEALED_CHUNK):
        yield file[begin : begin + SEALED_CHUNK]


def test_a_chunk_of_another_file_with_the_same_passphrase_does_not_fit() -> None:
    one, other = sealed(10), b"".join(Sealer(PASSPHRASE, QUICK).seal([content_of(10)]))
    with pytest.raises(Damaged):
        opened(one[:HEADER_BYTES] + other[HEADER_BYTES:])


def test_a_newer_format_is_told_from_damage_even_without_the_right_passphrase() -> None:
    file = bytearray(sealed(10))
    assert file[len(MAGIC)] == FORMAT
    file[len(MAGIC)] = FORMAT + 1
    with pytest.raises(NewerFormat):
        opened(bytes(file), "whatever")


@given(st.binary(max_size=200))
def test_what_is_no_backup_is_called_so(content: bytes) -> None:
    with pytest.raises(Damaged):
        opened(content)
