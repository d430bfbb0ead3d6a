"""What the members' answers come to."""

from telegraph.cli.group import pretty
from telegraph.directory.cluster_records import ManagerRecord
from telegraph.directory.etcd.members import Member, Status
from telegraph.directory.port import Entry, Snapshot
from telegraph.directory.state_hash import state_hash
from telegraph.manager.cluster.status import group_status, has_quorum


def member(number: int, *, learner: bool = False) -> Member:
    return Member(number, f"m{number}", (f"https://h{number}:2380",), (f"https://h{number}:2379",), learner)


def answer(number: int, index: int, leader: int = 1) -> Status:
    return Status(number, 1, "3.4.23", leader, 2, index, index, 7, 1000, 1000, False, ())


def record(number: int) -> ManagerRecord:
    return ManagerRecord(f"m{number}", f"https://h{number}:8000", "north", "", "", "0.1", "3.4.23")


RECORDS = {f"m{number}": record(number) for number in (1, 2, 3)}
CONTENT = Snapshot((Entry("account/a", b"alice", 3),), 7)


def test_a_group_that_is_well() -> None:
    shown = group_status(
        [member(1), member(2), member(3)],
        [answer(1, 30), answer(2, 28), answer(3, 30)],
        RECORDS,
        CONTENT,
        "https://h2:8000",
    )
    assert (shown.leader, shown.raft_leader, shown.quorum) == ("https://h2:8000", "https://h1:8000", True)
    assert [each.lag for each in shown.members] == [0, 2, 0]
    assert (shown.revision, shown.state_hash, shown.site) == (7, state_hash(CONTENT.entries), "north")
    assert "cluster of 3 managers, site north" in pretty(shown)


def test_one_away_is_shown_and_two_away_are_no_quorum() -> None:
    members = [member(1), member(2), member(3)]
    one = group_status(members, [answer(1, 30), answer(2, 30), None], RECORDS, CONTENT, None)
    assert (one.quorum, [each.healthy for each in one.members]) == (True, [True, True, False])
    assert (one.members[2].raft_index, one.members[2].url) == (None, "https://h3:8000")
    two = group_status(members, [answer(1, 30, leader=0), None, None], RECORDS, None, None)
    assert (two.quorum, two.raft_leader, two.revision, two.state_hash) == (False, None, None, None)
    assert "NO: the directory cannot be written" in pretty(two)
    lines = pretty(two).splitlines()[-3:]
    assert [line.split("  ")[3].partition(",")[0] for line in lines] == ["alive", "AWAY", "AWAY"]
    assert "alive, waits for the others" in lines[0]


def test_without_a_majority_that_knows_a_leader_nothing_is_asked_that_needs_one() -> None:
    members = [member(1), member(2), member(3)]
    assert has_quorum(members, [answer(1, 30), answer(2, 30), None])
    assert not has_quorum(members, [answer(1, 30), answer(2, 30, leader=0), None])
    assert not has_quorum([*members, member(4, learner=True)], [answer(1, 5), None, None, answer(4, 5)])


def test_one_manager_is_no_managers() -> None:
    shown = group_status([member(1)], [answer(1, 3)], RECORDS, CONTENT, None)
    assert pretty(shown).startswith("cluster of 1 manager, site north")


def test_a_learner_does_not_count_for_the_quorum() -> None:
    members = [member(1), member(2), member(3, learner=True)]
    shown = group_status(members, [answer(1, 5), None, answer(3, 4)], RECORDS, CONTENT, None)
    assert (shown.quorum, shown.members[2].is_learner) == (False, True)


def test_a_member_that_never_started_has_its_number_for_a_name() -> None:
    shown = group_status([Member(255, "", ("https://x:2380",), (), True)], [None], {}, CONTENT, None)
    assert (shown.members[0].id, shown.members[0].started, shown.members[0].url) == ("ff", False, None)
    assert "never started" in pretty(shown)
