from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from telegraph.manager.absence import Absences
from telegraph.manager.moment import Moment

if TYPE_CHECKING:
    from telegraph.manager.roll import Standing

PATIENCE = 30.0


def at(seconds: float) -> Moment:
    return Moment(seconds, seconds)


def test_who_was_given_up_as_silent_is_due_at_once() -> None:
    absences = Absences(PATIENCE)
    absences.consider("alice", "silent", at(0))
    assert absences.due(at(0)) == ["alice"]
    assert absences.next_look(at(0)) == 0.0


def test_who_is_attached_to_nobody_is_due_after_the_patience_counted_from_when_it_was_seen_first() -> None:
    absences = Absences(PATIENCE)
    absences.consider("alice", "missing", at(5))
    absences.consider("alice", "missing", at(20))
    assert absences.due(at(34.9)) == []
    assert absences.next_look(at(30)) == 5.0
    assert absences.due(at(35)) == ["alice"]


def test_who_shows_life_or_leaves_is_never_due_and_has_the_full_patience_the_next_time() -> None:
    absences = Absences(PATIENCE)
    for standing in ("attached", "away"):
        absences.consider("alice", "missing", at(0))
        absences.consider("alice", standing, at(29))
        assert absences.next_look(at(29)) is None
        absences.consider("alice", "missing", at(29))
        assert absences.due(at(58.9)) == []
        absences.consider("alice", "attached", at(58.9))


class AbsenceMachine(RuleBasedStateMachine):
    """Users stand this way and that; whoever is due has been silent, or missing without a break for the patience."""

    def __init__(self) -> None:
        super().__init__()
        self.absences = Absences(PATIENCE)
        self.now = 0.0
        self.standings: dict[str, tuple[Standing, float]] = {}

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        user=st.sampled_from(["alice", "bob", "carol"]),
        standing=st.sampled_from(["away", "attached", "silent", "missing"]),
    )
    def stand(self, user: str, standing: Standing) -> None:
        before, since = self.standings.get(user, ("away", 0.0))
        self.standings[user] = (standing, since if before == standing else self.now)
        self.absences.consider(user, standing, at(self.now))

    @invariant()
    def agrees(self) -> None:
        due_at = {
            user: since + PATIENCE if standing == "missing" else since
            for user, (standing, since) in self.standings.items()
            if standing in ("missing", "silent")
        }
        due = self.absences.due(at(self.now))
        assert sorted(due) == sorted(user for user, when in due_at.items() if when <= self.now)
        look = self.absences.next_look(at(self.now))
        assert look == (max(0.0, min(due_at.values()) - self.now) if due_at else None)


TestAbsenceMachine = AbsenceMachine.TestCase
