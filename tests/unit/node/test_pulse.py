"""When a silent stream is asked for a sign of life, and when it is given up."""

from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.pulse import Look, Pulse


def test_a_silent_stream_is_asked_after_two_seconds_and_dead_after_three() -> None:
    pulse = Pulse(100.0, silence=3.0)
    assert pulse.look(100.0) == Look("wait", 2.0)
    assert pulse.look(101.5) == Look("wait", 0.5)
    assert pulse.look(102.0).verdict == "ping"
    assert pulse.look(102.5).verdict == "wait"
    assert pulse.look(103.1).verdict == "dead"


def test_whatever_comes_is_a_sign_of_life() -> None:
    pulse = Pulse(0.0, silence=3.0)
    assert pulse.look(2.0).verdict == "ping"
    pulse.heard(2.9)
    assert pulse.look(3.1).verdict == "wait"
    assert pulse.quiet(3.4) == 0.5
    assert pulse.look(4.9).verdict == "ping"


def test_a_node_that_was_stopped_for_an_hour_asks_before_it_judges() -> None:
    pulse = Pulse(0.0, silence=3.0)
    assert pulse.look(3600.0).verdict == "ping"
    assert pulse.look(3600.5).verdict == "wait"
    assert pulse.look(3601.1).verdict == "dead"


_silences = st.floats(min_value=1, max_value=60)


@given(_silences, st.lists(st.floats(min_value=0, max_value=30), max_size=20))
def test_it_is_never_dead_less_than_the_silence_after_the_last_sign_and_never_without_a_ping_since(
    silence: float, signs: list[float]
) -> None:
    pulse, now, asked = Pulse(0.0, silence), 0.0, False
    for gap in [*signs, 1000.0]:
        heard, asked = now, False
        while (look := pulse.look(now)).verdict != "dead" and now < heard + gap:
            asked = asked or look.verdict == "ping"
            now += max(min(look.again, heard + gap - now), 1e-3)
        if look.verdict == "dead":
            assert asked
            assert now - heard >= silence * 0.999
            assert now - heard <= silence + 0.01
            return
        pulse.heard(now)
    raise AssertionError("a stream that is silent for ever was not given up")
