from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.ids import next_id

MILLISECONDS = st.integers(min_value=0, max_value=2**48 - 1)


@given(st.lists(st.integers(min_value=0, max_value=2**47), min_size=1, max_size=50), st.randoms(use_true_random=False))
def test_ids_rise_whatever_the_clock_does(clock: list[int], rng: Random) -> None:
    previous = b""
    for now in clock:
        new = next_id(previous, now, rng)
        assert new > previous
        previous = new


@given(MILLISECONDS, st.integers())
def test_an_id_is_a_uuid_of_version_7_with_the_time_in_front(now: int, seed: int) -> None:
    uuid = UUID(bytes=next_id(b"", now, Random(seed)))

    assert uuid.version == 7
    assert uuid.variant == "specified in RFC 4122"
    assert uuid.int >> 80 == now


def test_counting_up_carries_into_the_time_when_the_random_part_is_full() -> None:
    full = next_id(b"", 5, Random(1))
    value = int.from_bytes(full) | ((1 << 12) - 1) << 64 | ((1 << 62) - 1)

    following = next_id(value.to_bytes(16), 5, Random(1))

    assert following > value.to_bytes(16)
    assert UUID(bytes=following).version == 7
    assert UUID(bytes=following).int >> 80 == 6


@given(st.integers(), st.integers(min_value=0, max_value=2**47))
def test_a_clock_that_stands_still_gives_versions_that_stay_right(seed: int, now: int) -> None:
    rng, previous = Random(seed), b""
    for _ in range(20):
        previous = next_id(previous, now, rng)
        assert UUID(bytes=previous).version == 7
