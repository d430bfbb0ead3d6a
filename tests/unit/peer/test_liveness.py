import socket

from hypothesis import given
from hypothesis import strategies as st

from telegraph.peer.liveness import Liveness, Moved, bytes_moved

SILENCE, STALLED = 3.0, 30.0


def fresh() -> Liveness:
    return Liveness(100.0, SILENCE, STALLED)


def test_a_link_is_dead_after_three_silent_seconds_and_not_before() -> None:
    link = fresh()
    assert not link.is_dead(102.9, Moved(), reading=True)
    assert link.is_dead(103.0, Moved(), reading=True)


def test_each_frame_begins_the_silence_anew() -> None:
    link = fresh()
    link.heard(102.0)
    assert not link.is_dead(104.9, Moved(), reading=True)
    assert link.is_dead(105.0, Moved(), reading=True)


def test_a_large_message_on_a_slow_line_is_no_silence() -> None:
    link = fresh()
    for second in range(1, 60):
        assert not link.is_dead(100.0 + second, Moved(received=second * 1000), reading=True)
    assert not link.is_dead(161.9, Moved(received=59_000), reading=True)
    assert link.is_dead(162.0, Moved(received=59_000), reading=True)


def test_acknowledgements_alone_are_no_life_for_who_reads() -> None:
    link = fresh()
    for second in (1, 2):
        assert not link.is_dead(100.0 + second, Moved(acked=second * 10), reading=True)
    assert link.is_dead(103.0, Moved(acked=30), reading=True)


def test_who_does_not_read_because_the_disk_is_slow_hears_nothing_and_keeps_the_link() -> None:
    link = fresh()
    for second in range(1, 120):
        assert not link.is_dead(100.0 + second, Moved(acked=second, received=50_000), reading=False)


def test_a_link_on_which_nothing_moves_ends_even_for_who_does_not_read() -> None:
    link = fresh()
    assert not link.is_dead(101.0, Moved(acked=5, received=5), reading=False)
    assert not link.is_dead(130.9, Moved(acked=5, received=5), reading=False)
    assert link.is_dead(131.0, Moved(acked=5, received=5), reading=False)


@given(heard=st.lists(st.floats(0, 1000), max_size=20), later=st.floats(0, 2000))
def test_it_is_dead_exactly_when_the_last_sign_is_three_seconds_old(heard: list[float], later: float) -> None:
    link = Liveness(0.0, SILENCE, STALLED)
    for moment in sorted(heard):
        link.heard(moment)
    last = max(heard, default=0.0)
    assert link.is_dead(later, Moved(), reading=True) == (later - last >= SILENCE)


class Odd:
    def __init__(self, answer: bytes | OSError) -> None:
        self._answer = answer

    def getsockopt(self, level: int, option: int, length: int, /) -> bytes:
        assert (level, option) == (socket.IPPROTO_TCP, socket.TCP_INFO)
        if isinstance(self._answer, OSError):
            raise self._answer
        return self._answer[:length]


def test_the_counters_are_read_from_where_linux_puts_them() -> None:
    info = bytes(120) + (7).to_bytes(8, "little") + (9).to_bytes(8, "little")
    assert bytes_moved(Odd(info)) == Moved(acked=7, received=9)


def test_a_kernel_without_the_counters_leaves_only_frames_as_life() -> None:
    assert bytes_moved(None) == Moved()
    assert bytes_moved(Odd(bytes(100))) == Moved()
    assert bytes_moved(Odd(OSError("not TCP"))) == Moved()
