"""Managers that are started together: one group, in any order, with crashes, late messages and half a view."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from telegraph.manager.cluster.formation import Begin, Candidate, Join, Proposal, Standing, Wait, consider, step

EXPECT = 3


def candidate(number: int, place: int | None = None) -> Candidate:
    where = number if place is None else place
    return Candidate(f"m{number}", f"https://10.0.0.{where}:8000", f"https://10.0.0.{where}:2380")


def standings(count: int) -> dict[str, Standing]:
    return {f"m{number}": Standing(candidate(number)) for number in range(count)}


def round_of_asking(group: dict[str, Standing]) -> dict[str, Wait | Begin | Join]:
    """Everybody asks everybody else, one after the other, and shows the proposal of its own."""
    actions: dict[str, Wait | Begin | Join] = {}
    for name in list(group):
        mine, actions[name] = step(group[name], [other for key, other in group.items() if key != name], EXPECT)
        group[name] = mine
        if mine.accepted is not None and mine.accepted.proposer == name:
            group.update({other: consider(standing, mine.accepted) for other, standing in group.items()})
    return actions


def test_three_managers_become_one_group() -> None:
    group = standings(3)
    for _ in range(3):
        actions = round_of_asking(group)
    assert {type(action) for action in actions.values()} == {Begin}
    assert len({standing.decided for standing in group.values()}) == 1
    decided = group["m0"].decided
    assert decided is not None
    assert [member.id for member in decided.members] == ["m0", "m1", "m2"]


def test_the_fourth_joins_the_three() -> None:
    group = standings(4)
    for _ in range(3):
        actions = round_of_asking(group)
    assert actions["m3"] == Join("https://10.0.0.0:8000")


def test_two_of_three_wait_for_the_third() -> None:
    group = standings(2)
    for _ in range(5):
        actions = round_of_asking(group)
    assert set(actions.values()) == {Wait()}
    assert all(standing.accepted is None for standing in group.values())


def test_who_was_decided_on_but_heard_nothing_begins_when_it_hears() -> None:
    proposal = Proposal("m0", 1, (candidate(0), candidate(1), candidate(2)))
    decided = Standing(candidate(1), accepted=proposal, decided=proposal)
    mine, action = step(Standing(candidate(2), accepted=proposal), [decided], EXPECT)
    assert action == Begin(proposal)
    assert mine.decided == proposal


def test_an_answer_from_before_the_proposal_does_not_count_as_giving_it_up() -> None:
    proposal = Proposal("m0", 1, (candidate(0), candidate(1), candidate(2)))
    mine, _ = step(Standing(candidate(2), accepted=proposal), [Standing(candidate(0))], EXPECT)
    assert mine.accepted == proposal
    gone, _ = step(mine, [Standing(candidate(0), round=1)], EXPECT)
    assert gone.accepted is None


def test_a_manager_that_lost_its_data_is_asked_anew() -> None:
    group = standings(3)
    group["m0"], _ = step(group["m0"], [group["m1"], group["m2"]], EXPECT)
    del group["m2"]
    group["m9"] = Standing(candidate(9, place=2))
    for _ in range(4):
        round_of_asking(group)
    decided = group["m0"].decided
    assert decided is not None
    assert [member.id for member in decided.members] == ["m0", "m1", "m9"]


def test_a_manager_that_moved_before_the_decision_is_named_where_it_is_now() -> None:
    group = standings(3)
    group["m0"], _ = step(group["m0"], [group["m1"], group["m2"]], EXPECT)
    group["m2"] = msgspec.structs.replace(group["m2"], me=candidate(2, place=77))
    for _ in range(4):
        round_of_asking(group)
    decided = group["m1"].decided
    assert decided is not None
    assert candidate(2, place=77) in decided.members


@given(st.integers(0, 5), st.data())
def test_a_proposal_that_does_not_name_me_or_is_mine_changes_nothing(number: int, data: st.DataObject) -> None:
    members = tuple(candidate(each) for each in sorted(data.draw(st.sets(st.integers(0, 5), min_size=3, max_size=3))))
    proposer = data.draw(st.sampled_from(members)).id
    mine = Standing(candidate(number))
    accepts = any(member.id == mine.me.id for member in members) and proposer != mine.me.id
    assert (consider(mine, Proposal(proposer, 1, members)) != mine) == accepts


class Formation(RuleBasedStateMachine):
    """Fewer than 2N managers, each step of each on its own, with answers and proposals as late as can be."""

    @initialize(count=st.integers(EXPECT, 2 * EXPECT - 2))
    def begin(self, count: int) -> None:
        self.standing = standings(count)
        self.answers: list[Standing] = []  # every answer that was ever given: any of them may be late
        self.proposals: list[Proposal] = []
        self.replaced = False

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        self.answers.append(data.draw(st.sampled_from(sorted(self.standing.values(), key=lambda each: each.me))))

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def decide_what_to_do(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.standing)))
        heard = data.draw(st.lists(st.sampled_from(self.answers), max_size=6))
        self._step(name, heard)

    @rule(data=st.data())
    def see_everybody(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.standing)))
        self._step(name, [each for key, each in self.standing.items() if key != name])

    def _step(self, name: str, heard: list[Standing]) -> None:
        self.standing[name], action = step(self.standing[name], heard, EXPECT)
        assert not isinstance(action, Begin) or action.proposal.names(name)
        own = self.standing[name].accepted
        if own is not None and own.proposer == name and own not in self.proposals:
            self.proposals.append(own)

    @precondition(lambda self: self.proposals)
    @rule(data=st.data())
    def show(self, data: st.DataObject) -> None:
        proposal = data.draw(st.sampled_from(self.proposals))
        name = data.draw(st.sampled_from(sorted(self.standing)))
        self.standing[name] = consider(self.standing[name], proposal)
        self.answers.append(self.standing[name])

    @precondition(lambda self: not self.replaced)
    @rule(data=st.data())
    def lose_data(self, data: st.DataObject) -> None:
        lost = data.draw(st.sampled_from(sorted(self.standing)))
        place = int(self.standing.pop(lost).me.id[1:])
        self.standing["m9"] = Standing(candidate(9, place=place))
        self.replaced = True

    @invariant()
    def never_two_groups(self) -> None:
        decided = {each.decided for each in self.standing.values()} - {None}
        decided |= {each.decided for each in self.answers} - {None}
        assert len(decided) <= 1

    def teardown(self) -> None:
        """When everybody is seen at last, everybody has a group, unless one of its members lost its data for good."""
        if not hasattr(self, "standing") or self.replaced:
            return
        for _ in range(12):
            actions = round_of_asking(self.standing)
        assert not any(isinstance(action, Wait) for action in actions.values())


TestFormation = Formation.TestCase
TestFormation.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
