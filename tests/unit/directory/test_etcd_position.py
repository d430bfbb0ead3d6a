from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory.etcd.position import Position
from telegraph.directory.port import Change


def changes(*sizes: int) -> list[Change]:
    """Commits from revision 1 on, each with so many changes."""
    return [Change(f"k{place}", b"", number + 1) for number, size in enumerate(sizes) for place in range(size)]


def test_a_watch_goes_on_after_the_last_whole_commit() -> None:
    position = Position(0)
    story = changes(1, 3, 1)
    assert list(position.take(story[:1])) == story[:1]
    assert position.resume() == 1  # the commit may have had more changes
    assert list(position.take(story)) == story[1:]


def test_a_commit_that_was_cut_is_told_to_its_end_and_nothing_twice() -> None:
    position = Position(0)
    story = changes(1, 3, 1)
    assert list(position.take(story[:3])) == story[:3]
    assert position.resume() == 2
    assert list(position.take(story[1:3])) == []
    assert position.resume() == 2
    assert list(position.take(story[1:])) == story[3:]


def test_progress_moves_the_position_of_a_watch_that_hears_nothing() -> None:
    position = Position(5)
    position.seen(40)
    assert position.resume() == 41
    position.seen(30)
    assert position.resume() == 41


def test_progress_forgets_the_commit_that_it_covers() -> None:
    position = Position(0)
    story = changes(2, 2)
    assert list(position.take(story[:2])) == story[:2]
    position.seen(1)
    assert position.resume() == 2
    assert list(position.take(story[2:])) == story[2:]


@given(st.lists(st.integers(1, 4), max_size=8), st.integers(0, 8), st.lists(st.integers(0, 12)), st.booleans())
def test_whatever_breaks_when_everything_is_told_once_and_in_order(
    sizes: list[int], after: int, cuts: list[int], progress: bool
) -> None:
    story = changes(*sizes)
    position, told = Position(after), list[Change]()
    for cut in [*cuts, len(story)]:
        start = position.resume()
        sent = [change for change in story if change.revision >= start][:cut]
        told += position.take(sent)
        whole = cut >= len([change for change in story if change.revision >= start])
        if progress and whole:
            position.seen(max(len(sizes), after))
    assert told == [change for change in story if change.revision > after]
