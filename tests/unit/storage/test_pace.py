from hypothesis import given
from hypothesis import strategies as st

from telegraph.storage.pace import QUICK, QUICK_EACH, STALL, TRUSTED, Pace

_seconds = st.floats(0, 1)


def _after(*commits: float) -> Pace:
    pace = Pace()
    for seconds in commits:
        pace.took(seconds, 1)
    return pace


def test_a_disk_that_nobody_knows_is_not_waited_for() -> None:
    assert not Pace().is_quick
    assert not _after(*[0.0002] * (TRUSTED - 1)).is_quick


def test_a_disk_that_was_quick_for_a_while_is_waited_for() -> None:
    assert _after(*[0.0002] * TRUSTED).is_quick


def test_one_slow_commit_among_many_quick_ones_is_forgiven_but_not_several() -> None:
    quick = [0.0002] * 10 * TRUSTED
    assert _after(*quick, 0.005).is_quick
    assert not _after(*quick, *[0.005] * 5).is_quick


def test_after_a_stall_the_disk_has_to_show_anew_that_it_is_quick() -> None:
    quick = [0.0002] * 10 * TRUSTED
    assert not _after(*quick, STALL).is_quick
    assert not _after(*quick, STALL, *[0.0002] * (TRUSTED - 1)).is_quick
    assert _after(*quick, STALL, *[0.0002] * TRUSTED).is_quick


def test_a_disk_that_failed_is_not_waited_for() -> None:
    assert not _after(*[0.0002] * TRUSTED, float("inf")).is_quick


def test_a_full_batch_may_take_longer_for_it_has_more_to_encrypt() -> None:
    pace = Pace()
    for _ in range(TRUSTED):
        pace.took(QUICK + 500 * QUICK_EACH, 500)
    assert pace.is_quick


@given(st.lists(_seconds))
def test_no_disk_whose_commits_are_all_slow_is_ever_waited_for(commits: list[float]) -> None:
    assert not _after(*[QUICK + QUICK_EACH * 2 + seconds for seconds in commits]).is_quick


@given(st.lists(_seconds))
def test_whatever_happened_a_disk_can_win_trust_again(commits: list[float]) -> None:
    assert _after(*commits, *[0.0] * TRUSTED).is_quick
