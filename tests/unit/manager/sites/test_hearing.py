"""When a site counts as heard."""

from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory.cluster_records import LinkRecord
from telegraph.manager.moment import Moment
from telegraph.manager.sites.hearing import Hearing, pause_after
from telegraph.protocol.sites import SILENCE

UP, DOWN = LinkRecord(up=True, since="then"), LinkRecord(up=False, since="then")


def at(seconds: float) -> Moment:
    return Moment(mono=1000 + seconds, wall=2_000_000_000 + seconds)


def test_a_site_that_is_heard_is_written_as_up_once() -> None:
    hearing = Hearing(None, at(0))
    assert hearing.record(at(0)) is None
    hearing.heard(at(0.1))
    assert hearing.record(at(0.1)) == LinkRecord(up=True, since=at(0.1).text)
    hearing.written(LinkRecord(up=True, since=at(0.1).text))
    hearing.heard(at(60))
    assert hearing.record(at(60)) is None


def test_a_blip_and_a_flapping_link_are_no_cut() -> None:
    hearing = Hearing(UP, at(0))
    for second in range(20):
        hearing.heard(at(second * SILENCE * 0.9))
        assert hearing.record(at((second + 0.99) * SILENCE * 0.9)) is None


def test_a_cut_is_told_with_the_time_of_the_last_word() -> None:
    hearing = Hearing(UP, at(0))
    hearing.heard(at(5))
    assert hearing.record(at(5 + SILENCE)) == LinkRecord(up=False, since=at(5).text)


def test_a_new_leader_gives_the_other_site_its_time() -> None:
    hearing = Hearing(UP, at(0))
    assert hearing.record(at(SILENCE * 0.9)) is None
    assert hearing.record(at(SILENCE)) == LinkRecord(up=False, since=at(0).text)


def test_a_new_leader_does_not_forget_since_when_a_site_is_away() -> None:
    hearing = Hearing(DOWN, at(0))
    assert hearing.record(at(100)) is None
    assert hearing.since == "then"


def test_a_site_that_was_never_heard_has_no_time() -> None:
    assert Hearing(None, at(0)).record(at(SILENCE)) == LinkRecord(up=False, since="")


@given(st.lists(st.tuples(st.floats(0.01, 10), st.booleans()), max_size=30), st.sampled_from([None, UP, DOWN]))
def test_what_is_written_alternates_and_the_next_look_is_in_time(
    steps: list[tuple[float, bool]], told: LinkRecord | None
) -> None:
    hearing, now = Hearing(told, at(0)), 0.0
    for seconds, came in steps:
        now += seconds
        if came:
            hearing.heard(at(now))
        record = hearing.record(at(now))
        if record is not None:
            assert told is None or record.up != told.up
            assert record.up == hearing.is_up(at(now))
            hearing.written(record)
            told = record
        soon = now + hearing.next_look(at(now)) * 0.99
        assert hearing.record(at(soon)) is None


@given(st.integers(0, 10_000), st.floats(0, 0.999))
def test_pauses_grow_and_stay_short_enough_to_notice_a_heal(failures: int, chance: float) -> None:
    assert 0.05 <= pause_after(failures, chance) <= 2.0
    assert pause_after(failures, chance) <= pause_after(failures + 1, chance)
