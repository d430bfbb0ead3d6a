"""What sites say to each other: names, frames, portions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.errors import ForgedFrame, IllegalSite
from telegraph.protocol.sites import (
    MAX_BYTES,
    MAX_ENTRIES,
    MAX_FRAME,
    Batch,
    Frames,
    check_site_name,
    frame,
    gathered,
    pieces,
)

KEYS = st.text(alphabet="abc/", min_size=1, max_size=8)
PAIRS = st.tuples(KEYS, st.binary(max_size=40))
NUMBERS = st.integers(0, 2**63 - 1)
BATCHES = st.builds(
    Batch, NUMBERS, NUMBERS, NUMBERS, st.lists(PAIRS, max_size=4).map(tuple), done=st.booleans(), gone=st.booleans()
)


@pytest.mark.parametrize("name", ["main", "a", "0", "lima-2", "x" * 16, "a-"])
def test_names_of_sites(name: str) -> None:
    assert check_site_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "Lima", "lima ", "lima\n", "x" * 17, "-lima", "li.ma", "li~ma", "limá", "li/ma", "１"]
)
def test_names_that_no_site_can_have(name: str) -> None:
    with pytest.raises(IllegalSite):
        check_site_name(name)


@given(st.lists(BATCHES, max_size=5), st.data())
def test_frames_arrive_whole_however_the_network_cuts_them(batches: list[Batch], data: st.DataObject) -> None:
    raw = b"".join(map(frame, batches))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    frames, found = Frames(), []
    for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        found += list(frames.feed(raw[begin:end]))
    assert found == batches


@given(st.binary(min_size=1, max_size=64))
def test_anything_else_is_refused_or_waited_for_and_nothing_is_made_up(body: bytes) -> None:
    frames = Frames()
    try:
        found = list(frames.feed(len(body).to_bytes(4, "big") + body))
    except ForgedFrame:
        return
    assert all(isinstance(batch, Batch) for batch in found)


def test_a_frame_that_would_fill_the_memory_is_not_awaited() -> None:
    with pytest.raises(ForgedFrame):
        list(Frames().feed((MAX_FRAME + 1).to_bytes(4, "big")))


@given(st.lists(st.tuples(KEYS, st.binary(max_size=10)), max_size=400))
def test_portions_hold_everything_in_order_and_none_is_too_large(pairs: list[tuple[str, bytes]]) -> None:
    found = list(pieces(pairs))
    assert [pair for portion in found for pair in portion] == pairs
    assert all(0 < len(portion) <= MAX_ENTRIES for portion in found)


def test_large_values_come_in_portions_of_their_own() -> None:
    big = b"x" * MAX_BYTES
    assert [len(portion) for portion in pieces({"a": b"", "b": big, "c": big, "d": b""})] == [1, 1, 1, 1]


@given(st.lists(BATCHES, min_size=1, max_size=5))
def test_batches_in_a_row_come_to_the_last_ones_position_and_the_latest_values(batches: list[Batch]) -> None:
    whole = gathered(batches)
    last = batches[-1]
    assert (whole.revision, whole.sent, whole.head, whole.done) == (last.revision, last.sent, last.head, last.done)
    assert dict(whole.entries) == {key: value for batch in batches for key, value in batch.entries}
