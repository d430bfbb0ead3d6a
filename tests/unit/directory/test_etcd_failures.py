import pytest

from telegraph.directory.etcd.failures import AnswerTooLarge, Elsewhere, meaning
from telegraph.directory.port import HistoryGone, LeaseGone
from telegraph.errors import (
    DirectoryFull,
    DirectoryRefused,
    LearnerBehind,
    MemberExists,
    MembersUnsettled,
    UnknownMember,
)


@pytest.mark.parametrize(
    ("code", "details", "cause"),
    [
        ("UNAVAILABLE", "etcdserver: no leader", "no_quorum"),
        ("FAILED_PRECONDITION", "etcdserver: rpc not supported for learner", "away"),
        ("UNAVAILABLE", "etcdserver: rpc not supported for learner", "away"),
        ("RESOURCE_EXHAUSTED", "etcdserver: too many requests", "away"),
        ("UNAVAILABLE", "failed to connect to all addresses; last error: UNKNOWN: Connection refused", "away"),
        ("UNAVAILABLE", "failed to connect to all addresses; last error: Ssl handshake failed", "refused"),
    ],
)
def test_what_a_member_refused_or_never_saw_is_not_done(code: str, details: str, cause: str) -> None:
    assert meaning(code, details) == Elsewhere("no", cause, details)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "details", "cause"),
    [
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", "away"),
        ("UNAVAILABLE", "Socket closed", "away"),
        ("UNAVAILABLE", "etcdserver: request timed out", "no_quorum"),
        ("UNAVAILABLE", "etcdserver: request timed out, possibly due to previous leader failure", "no_quorum"),
        ("UNAVAILABLE", "etcdserver: leader changed", "no_quorum"),
        ("UNAVAILABLE", "etcdserver: server stopped", "away"),
        ("UNKNOWN", "a sentence of etcd 5", "away"),
        ("INTERNAL", "", "away"),
    ],
)
def test_whatever_else_happened_may_have_been_done(code: str, details: str, cause: str) -> None:
    assert meaning(code, details) == Elsewhere("perhaps", cause, f"{code}: {details}")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "details", "kind"),
    [
        ("NOT_FOUND", "etcdserver: requested lease not found", LeaseGone),
        ("OUT_OF_RANGE", "etcdserver: mvcc: required revision has been compacted", HistoryGone),
        ("RESOURCE_EXHAUSTED", "etcdserver: mvcc: database space exceeded", DirectoryFull),
        ("RESOURCE_EXHAUSTED", "CLIENT: Received message larger than max (9 vs. 4)", AnswerTooLarge),
        ("PERMISSION_DENIED", "etcdserver: permission denied", DirectoryRefused),
        ("UNAUTHENTICATED", "etcdserver: invalid auth token", DirectoryRefused),
        ("INVALID_ARGUMENT", "etcdserver: too many operations in txn request", ValueError),
        ("NOT_FOUND", "etcdserver: member not found", UnknownMember),
        ("FAILED_PRECONDITION", "etcdserver: Peer URLs already exists", MemberExists),
        ("UNAVAILABLE", "etcdserver: unhealthy cluster", MembersUnsettled),
        (
            "FAILED_PRECONDITION",
            "etcdserver: re-configuration failed due to not enough started members",
            MembersUnsettled,
        ),
        (
            "FAILED_PRECONDITION",
            "etcdserver: can only promote a learner member which is in sync with leader",
            LearnerBehind,
        ),
        ("FAILED_PRECONDITION", "etcdserver: can only promote a learner member", ValueError),
    ],
)
def test_a_final_answer_has_a_type_of_its_own(code: str, details: str, kind: type[Exception]) -> None:
    assert type(meaning(code, details)) is kind
