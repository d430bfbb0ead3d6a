"""What a log of changes keeps, whoever reads it how slowly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory.changelog import ChangeLog
from telegraph.directory.port import Change, HistoryGone

COMMITS = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, unique=True), min_size=1, max_size=30)


def changes_of(commits: list[list[str]]) -> list[Change]:
    return [Change(key, b"", revision) for revision, keys in enumerate(commits, 11) for key in keys]


@given(COMMITS, st.integers(1, 5), st.integers(5, 12), st.data())
def test_a_reader_gets_all_in_order_or_is_told_that_it_cannot(
    commits: list[list[str]], kept: int, most: int, data: st.DataObject
) -> None:
    log, at, told = ChangeLog(10, kept, most), 0, list[Change]()
    coming, gone = changes_of(commits), False
    for change in coming:
        assert log.add(change, at)
        for _ in range(0 if gone else data.draw(st.integers(0, 3))):
            try:
                found = log.read(at)
            except HistoryGone:
                assert log.end - at > most  # nobody else is left behind
                gone = True
                break
            if found is not None:
                told.append(found)
                at += 1
    assert told == coming[: len(told)]
    assert log.end - log.begin <= most


@given(COMMITS, st.data())
def test_what_a_watch_tells_again_is_there_once(commits: list[list[str]], data: st.DataObject) -> None:
    log, coming = ChangeLog(10), changes_of(commits)
    cut = data.draw(st.integers(0, len(coming)))
    for change in coming[:cut]:
        log.add(change, 0)
    after = log.resume()
    again = [change for change in coming if change.revision > after]
    added = [change for change in again if log.add(change, 0)]
    assert coming[:cut] + added == coming
    assert [log.read(number) for number in range(log.end)] == coming


def test_whoever_knows_less_than_is_kept_cannot_begin_here() -> None:
    log = ChangeLog(10, kept=2, most=3)
    assert log.reaches(10)
    assert not log.reaches(9)
    for revision in range(11, 17):
        log.add(Change("a", b"", revision), log.end)
    assert log.reaches(14)
    assert not log.reaches(13)
    with pytest.raises(HistoryGone):
        log.read(0)
