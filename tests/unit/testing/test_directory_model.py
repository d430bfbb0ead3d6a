"""What users of the directory may be told, and the sentences about a history in which something else was told."""

from pathlib import Path

import msgspec
import pytest

from telegraph.testing.directory_model import (
    THE_END,
    Asked,
    ChangePassword,
    DeleteAccount,
    DirectoryModel,
    Happened,
    Held,
    LogIn,
    LogOut,
    LookUp,
    NameState,
    Record,
    Refused,
    Register,
    Use,
    judge,
    load,
    save,
)
from telegraph.testing.linearizability import Operation

ID, PASSWORD = "1d", "correct horse"


def created(user_id: str = ID, name: str = "alice", request_id: str | None = "r") -> Register:
    return Register(name=name, password=PASSWORD, request_id=request_id, answer="created", user_id=user_id)


def entered(password: str = PASSWORD, session: str = "s", user_id: str = ID, name: str = "alice") -> LogIn:
    return LogIn(name=name, password=password, session=session, answer="ok", user_id=user_id)


def refused(password: str = PASSWORD, name: str = "alice") -> LogIn:
    return LogIn(name=name, password=password, session="-", answer="wrong")


def found(user_id: str = ID, name: str = "alice") -> LookUp:
    return LookUp(name=name, answer="found", user_id=user_id)


TAKEN = Register(name="alice", password="another one", request_id="other", answer="taken")
AGAIN = Register(name="alice", password=PASSWORD, request_id="r")
CHANGED = ChangePassword(name="alice", session="s", old=PASSWORD, new="new password", answer="ok")
DELETED = DeleteAccount(name="alice", session="s", password=PASSWORD, answer="ok")
NOBODY, GONE = LookUp(name="alice", answer="nobody"), LookUp(name="alice", answer="deleted")
OUT = LogOut(name="alice", session="s", answer="ok")


def using(session: str, *, alive: bool) -> Use:
    return Use(name="alice", session=session, answer="ok" if alive else "no_session")


def said(what: Asked, answer: str | None) -> Asked:
    return msgspec.structs.replace(what, answer=answer)


def after(*story: Asked) -> NameState | None:
    state: NameState | None = DirectoryModel.initial
    for what in story:
        assert state is not None, what
        state = DirectoryModel().step(state, what)
    return state


MAY_BE: dict[str, tuple[Asked, ...]] = {
    "a free name is nobody's": (NOBODY, refused(), created(), found(), entered()),
    "a name is taken once": (created(), TAKEN, found()),
    "a repeated registration finds its own": (created(), created()),
    "one that nobody answered may have been done": (AGAIN, created("2", request_id="r"), found("2")),
    "what nobody was told yet is learned from the first answer": (AGAIN, found("7"), entered(user_id="7")),
    "a registration whose password was changed is not its own any more": (
        created(),
        entered(),
        CHANGED,
        said(AGAIN, "taken"),
    ),
    "the new password opens, the old one does not": (
        created(),
        entered(),
        CHANGED,
        refused(),
        entered("new password"),
    ),
    "a change ends all other sessions": (
        created(),
        entered(),
        entered(session="t"),
        CHANGED,
        using("t", alive=False),
        using("s", alive=True),
    ),
    "a change that nobody answered may have been done": (
        created(),
        entered(),
        said(CHANGED, None),
        entered("new password"),
    ),
    "a log-out ends one session": (created(), entered(), entered(session="t"), OUT, using("t", alive=True)),
    "a wrong old password is refused": (
        created(),
        entered(),
        ChangePassword(name="alice", session="s", old="wrong", new="never", answer="wrong"),
        entered(session="t"),
    ),
    "a change without a session is refused": (created(), said(CHANGED, "no_session"), entered()),
    "where both are missing either is said": (
        created(),
        said(DELETED, "no_session"),
        entered(),
        CHANGED,
        OUT,
        said(DELETED, "wrong"),
        said(DELETED, "no_session"),
    ),
    "a deleted name is never free again": (created(), entered(), DELETED, GONE, TAKEN, refused(), AGAIN, GONE),
    "an open deletion of somebody else's session does nothing": (
        created(),
        said(msgspec.structs.replace(DELETED, session="forged"), None),
        found(),
    ),
}

MUST_NOT_BE: dict[str, tuple[Asked, ...]] = {
    "a name given twice": (created(), created("2", request_id="another")),
    "a retry that is not idempotent": (created(), said(AGAIN, "taken")),
    "a repeated registration that made another account": (created(), created("2")),
    "taken by nobody": (TAKEN,),
    "found under another id": (created(), found("2")),
    "lost": (created(), NOBODY),
    "found before anybody registered": (found(),),
    "the right password refused": (created(), refused()),
    "a wrong password let in": (created(), entered("wrong")),
    "somebody let in to nothing": (entered(),),
    "let in as somebody else": (created(), entered(user_id="2")),
    "the old password let in": (created(), entered(), CHANGED, entered()),
    "a session that outlived a change": (created(), entered(), entered(session="t"), CHANGED, using("t", alive=True)),
    "a session that a change ended itself": (created(), entered(), CHANGED, using("s", alive=False)),
    "a session that was logged out": (created(), entered(), OUT, using("s", alive=True)),
    "a session that is gone for no reason": (created(), entered(), using("s", alive=False)),
    "a log-out twice": (created(), entered(), OUT, OUT),
    "a change with a wrong password": (created(), entered(), msgspec.structs.replace(CHANGED, old="wrong")),
    "a change without a session": (created(), CHANGED),
    "a right password called wrong": (created(), entered(), said(CHANGED, "wrong")),
    "a session called none": (created(), entered(), said(DELETED, "no_session")),
    "a deleted name given anew": (created(), entered(), DELETED, created("2", request_id="another")),
    "a deleted account found": (created(), entered(), DELETED, found()),
    "deleted, and nobody did it": (created(), GONE),
}


@pytest.mark.parametrize("story", MAY_BE)
def test_what_may_be_told(story: str) -> None:
    assert after(*MAY_BE[story]) is not None


@pytest.mark.parametrize("story", MUST_NOT_BE)
def test_what_must_not_be_told(story: str) -> None:
    assert after(*MUST_NOT_BE[story]) is None


def test_open_calls_change_nothing_where_they_cannot() -> None:
    state = after(created(), entered())
    assert isinstance(state, Held)
    for what in (
        AGAIN,
        said(TAKEN, None),
        said(msgspec.structs.replace(CHANGED, old="wrong"), None),
        said(msgspec.structs.replace(OUT, session="ended"), None),
    ):
        assert DirectoryModel().step(state, what) == state


# --- whole histories ---


def told(*story: Asked | Refused | Happened) -> list[Record]:
    """One after the other; what has no answer is open."""
    return [
        Operation(what, float(at), None if isinstance(what, Asked) and what.answer is None else at + 0.5)
        for at, what in enumerate(story)
    ]


END = Happened(THE_END)


def promises(records: list[Record], **how: float) -> list[str]:
    return [violation.promise for violation in judge(records, **how)]  # type: ignore[arg-type]


def test_an_honest_history_breaks_nothing() -> None:
    story = (Happened("kill"), created(), Refused(name="alice", asked="log_in", error="busy"), entered(), CHANGED)

    assert judge(told(*story, END, found(), refused(), entered("new password", "t"))) == []


def test_a_lost_registration_has_a_sentence_of_its_own() -> None:
    broken = judge(told(created(), END, NOBODY, refused()))

    assert [violation.promise for violation in broken] == ["lost", "not_linearizable"]
    assert broken[0].sentence == "alice was registered as 1d, and is not found as that in the end"


def test_an_account_that_nothing_opens_is_lost() -> None:
    broken = judge(told(created(), END, found(), refused()))

    assert broken[0].promise == "lost"
    assert "opens it" in broken[0].sentence


def test_without_an_end_nothing_was_looked_at_in_the_end() -> None:
    assert promises(told(created(), found(), entered())) == ["lost"]


def test_who_may_have_deleted_the_account_has_not_lost_it() -> None:
    assert promises(told(created(), entered(), said(DELETED, None), END, GONE, refused())) == []


def test_a_name_given_twice_has_a_sentence_of_its_own() -> None:
    broken = judge(told(created(), created("2", request_id="other"), END, found(), entered(), found("2"), entered()))

    assert {violation.promise for violation in broken} == {"given_twice", "lost", "not_linearizable"}


def test_two_names_of_one_account_are_noticed() -> None:
    story = (created(), created(name="bob"), END)
    last = [what for name in ("alice", "bob") for what in (found(name=name), entered(name=name))]

    assert promises(told(*story, *last)) == ["given_twice"]


def test_names_are_judged_each_by_itself() -> None:
    story = (created(), created("2", name="bob"), END, found(), entered(), NOBODY)

    broken = judge(told(*story, found("2", "bob"), entered(user_id="2", name="bob")))

    assert [violation.sentence.split(":")[0] for violation in broken] == ["'alice'"]


def test_a_look_up_may_be_as_old_as_was_agreed_or_as_it_says() -> None:
    story, end = (created(), entered(), DELETED), (END, GONE, refused())

    assert promises(told(*story, found(), *end)) == ["not_linearizable"]
    assert promises(told(*story, found(), *end), staleness=1.0) == []
    assert promises(told(*story, msgspec.structs.replace(found(), stale=True), *end)) == []


def test_that_there_is_nobody_may_not_be_old() -> None:
    assert promises(told(created(), NOBODY, END, found(), entered()), staleness=60.0) == ["not_linearizable"]


def test_what_cannot_be_decided_is_a_violation() -> None:
    assert promises(told(created(), END, found(), entered()), budget=2) == ["undecided"]


def test_a_history_is_the_same_after_it_was_in_a_file(tmp_path: Path) -> None:
    records = told(Happened("cut"), AGAIN, created(), entered(), CHANGED, TAKEN, END, found(), using("s", alive=True))
    save(records, tmp_path / "history.jsonl")

    assert list(load(tmp_path / "history.jsonl")) == records
