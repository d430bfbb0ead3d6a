from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from telegraph.directory.records import Attachment, Presence
from telegraph.manager.roll import Roll

HERE, THERE = Attachment("here"), Attachment("there")
ONLINE = Presence("10.0.0.1", 8000, 1, status="online")


def test_how_somebody_stands() -> None:
    roll = Roll()
    assert roll.standing("alice") == "away"
    roll.take_presence("alice", ONLINE)
    assert roll.standing("alice") == "missing"
    assert roll.online == {"alice"}
    roll.take_attachment("alice", HERE, 2, 0.0)
    assert (roll.standing("alice"), roll.attached) == ("attached", ["alice"])
    roll.take_attachment("alice", Attachment("here", silent=True), 3, 0.0)
    assert roll.standing("alice") == "silent"
    roll.take_presence("alice", Presence("10.0.0.1", 8000, 1))
    assert roll.standing("alice") == "away"
    assert not roll.online
    roll.take_presence("alice", ONLINE)
    roll.take_presence("alice", None)
    assert roll.standing("alice") == "away"


def test_who_is_online_at_another_site_is_no_matter_of_this_one_unless_they_are_attached_here() -> None:
    roll = Roll("lima")
    roll.take_presence("alice", replace(ONLINE, site="zamora"))
    assert roll.standing("alice") == "away"
    assert roll.online == {"alice"}
    roll.take_attachment("alice", HERE, 2, 0.0)
    assert roll.standing("alice") == "attached"
    roll.take_attachment("alice", None, 3, 0.0)
    roll.take_presence("alice", replace(ONLINE, site="lima"))
    assert roll.standing("alice") == "missing"


def test_what_is_told_again_changes_nothing_not_even_since_when() -> None:
    roll = Roll()
    roll.take_attachment("alice", HERE, 2, 1.0)
    before = roll.attachment("alice")
    roll.take_attachment("alice", HERE, 2, 9.0)
    roll.take_attachment("alice", None, 2, 9.0)
    roll.take_attachment("alice", THERE, 1, 9.0)
    assert roll.attachment("alice") == before


def test_a_commit_whose_answer_comes_after_the_news_of_a_later_one_is_overtaken() -> None:
    roll = Roll()
    assert not roll.overtook("alice", 5)
    roll.take_attachment("alice", HERE, 5, 0.0)
    assert not roll.overtook("alice", 5)
    roll.take_attachment("bob", HERE, 6, 0.0)
    assert not roll.overtook("alice", 5)
    roll.take_attachment("alice", THERE, 7, 0.0)
    assert roll.overtook("alice", 5)
    assert not roll.overtook("alice", 8)
    roll.take_attachment("alice", None, 9, 0.0)
    assert roll.overtook("alice", 8)


@given(
    st.lists(st.tuples(st.sampled_from(["alice", "bob"]), st.sampled_from([HERE, THERE, None])), max_size=20),
    st.integers(0, 20),
    st.integers(0, 20),
)
def test_told_twice_from_anywhere_it_ends_as_told_once(
    changes: list[tuple[str, Attachment | None]], again_from: int, upto: int
) -> None:
    """As a watch tells it that resumes: some changes come a second time, all of them in order in the end."""
    numbered = list(enumerate(changes, start=1))
    once, twice = Roll(), Roll()
    for revision, (user, attachment) in numbered:
        once.take_attachment(user, attachment, revision, 0.0)
    for revision, (user, attachment) in [*numbered[:upto], *numbered[min(again_from, upto) :]]:
        twice.take_attachment(user, attachment, revision, 0.0)
    assert {each: twice.attachment(each) for each in twice.attached} == {
        each: once.attachment(each) for each in once.attached
    }
