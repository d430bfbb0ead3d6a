"""The directory of accounts as its users see it, and what must be true of a history of their calls. Pure.

A history is a list of :class:`~telegraph.testing.linearizability.Operation` of the calls below, one a line of JSON.
Only what may have changed something is ever *open* (``answer`` None, ``returned`` None: no answer came, or the manager
said that it does not know); a read that was not answered says nothing. What was refused without any effect (busy, no
quorum) is a :class:`Refused`, and no operation: if it had an effect after all, the others show it.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from telegraph.testing.linearizability import BUDGET, Operation, check_parts, widened
from telegraph.testing.validators import Violation


class _Call(msgspec.Struct, frozen=True, tag_field="op", omit_defaults=True, kw_only=True):
    """Somebody (``client``) asked one of the managers about a name."""

    name: str
    client: int = 0
    manager: str = ""


class Register(_Call, frozen=True, tag="register"):
    """``request_id``: a repeated registration with the same one and the same password finds its own work."""

    password: str
    request_id: str | None = None
    answer: Literal["created", "taken"] | None = None
    user_id: str | None = None


class LogIn(_Call, frozen=True, tag="log_in"):
    """``session`` is a label for the session that it began. A manager does not tell a wrong name from a password."""

    password: str
    session: str
    answer: Literal["ok", "wrong"]
    user_id: str | None = None


class LookUp(_Call, frozen=True, tag="look_up"):
    """``stale``: the answer itself says that it may be old."""

    answer: Literal["found", "nobody", "deleted"]
    user_id: str | None = None
    stale: bool = False


class ChangePassword(_Call, frozen=True, tag="change_password"):
    """All other sessions of the user end with it."""

    session: str
    old: str
    new: str
    answer: Literal["ok", "wrong", "no_session"] | None = None


class LogOut(_Call, frozen=True, tag="log_out"):
    """Ends this session."""

    session: str
    answer: Literal["ok", "no_session"] | None = None


class DeleteAccount(_Call, frozen=True, tag="delete_account"):
    """Nobody gets the name ever again."""

    session: str
    password: str
    answer: Literal["ok", "wrong", "no_session"] | None = None


class Use(_Call, frozen=True, tag="use"):
    """Any other call under a session: is there one?"""

    session: str
    answer: Literal["ok", "no_session"]


class Refused(_Call, frozen=True, tag="refused"):
    """Nothing was done: a manager said so (``error`` is its code), or it could not even be asked."""

    asked: str
    error: str


class Happened(msgspec.Struct, frozen=True, tag_field="op", tag="happened"):
    """A fault, or :data:`THE_END` of the traffic, after which every name is looked up and its password tried."""

    event: str


THE_END: Final = "the end"

Asked: TypeAlias = Register | LogIn | LookUp | ChangePassword | LogOut | DeleteAccount | Use
Record: TypeAlias = Operation[Asked | Refused | Happened]
Done: TypeAlias = Operation[Asked]


class Held(msgspec.Struct, frozen=True):
    """Somebody has the name. ``user_id`` is None as long as nobody was told it."""

    user_id: str | None
    password: str
    request_id: str | None
    sessions: frozenset[str] = frozenset()


NameState: TypeAlias = Held | Literal["free", "gone"]


class DirectoryModel:
    """One name of the directory, doing one thing after another (:class:`telegraph.testing.linearizability.Model`)."""

    initial: NameState = "free"

    def step(self, state: NameState, what: Asked) -> NameState | None:
        """See the protocol; what the managers promise is in docs/reference/manager-api.md."""
        match what:
            case Register():
                return _register(state, what)
            case LogIn():
                return _log_in(state, what)
            case LookUp():
                return _look_up(state, what)
            case ChangePassword(old=password) | DeleteAccount(password=password):
                return _with_proof(state, what, password)
            case LogOut(session=session, answer=answer) | Use(session=session, answer=answer):
                alive = isinstance(state, Held) and session in state.sessions
                if answer is not None and alive != (answer == "ok"):
                    return None
                return _without(state, session) if isinstance(what, LogOut) else state


def _register(state: NameState, what: Register) -> NameState | None:
    if state == "free":
        return None if what.answer == "taken" else Held(what.user_id, what.password, what.request_id)
    if what.answer is None:
        return state
    own = (
        isinstance(state, Held)
        and what.request_id is not None
        and (what.request_id, what.password) == (state.request_id, state.password)
    )
    if what.answer == "created":
        return _known_as(state, what.user_id) if own else None
    return None if own else state


def _log_in(state: NameState, what: LogIn) -> NameState | None:
    right = isinstance(state, Held) and state.password == what.password
    if what.answer == "wrong":
        return None if right else state
    known = _known_as(state, what.user_id) if right else None
    return None if known is None else replace(known, sessions=known.sessions | {what.session})


def _look_up(state: NameState, what: LookUp) -> NameState | None:
    if what.answer == "found":
        return _known_as(state, what.user_id)
    return state if state == {"nobody": "free", "deleted": "gone"}[what.answer] else None


def _with_proof(state: NameState, what: ChangePassword | DeleteAccount, password: str) -> NameState | None:
    """What needs a session and the password again; if both are wrong, either may be said."""
    held = state if isinstance(state, Held) else None
    alive, right = held is not None and what.session in held.sessions, held is not None and held.password == password
    if what.answer == "no_session":
        return None if alive else state
    if what.answer == "wrong":
        return None if right else state
    if held is None or not alive or not right:
        return state if what.answer is None else None
    if isinstance(what, DeleteAccount):
        return "gone"
    return replace(held, password=what.new, sessions=frozenset((what.session,)))


def _without(state: NameState, session: str) -> NameState:
    return replace(state, sessions=state.sessions - {session}) if isinstance(state, Held) else state


def _known_as(state: NameState, user_id: str | None) -> Held | None:
    if not isinstance(state, Held) or state.user_id not in (None, user_id):
        return None
    return replace(state, user_id=user_id)


# --- what must be true ---


def judge(records: Iterable[Record], *, staleness: float = 0.0, budget: int = BUDGET) -> list[Violation]:
    """Every broken promise of a history; empty if all is well.

    Args:
        records: the whole history.
        staleness: how many seconds old a look-up that finds somebody may be without saying that it is stale; that there
            is nobody must always be so (docs/explanation/directory.md, reads from memory).
        budget: steps for each name, see :func:`telegraph.testing.linearizability.check`.
    """
    records = list(records)
    done: list[Done] = [Operation(r.what, r.called, r.returned) for r in records if isinstance(r.what, Asked)]
    ends = [record.called for record in records if record.what == Happened(THE_END)]
    found = [
        *(("lost", sentence) for sentence in _lost(done, max(ends, default=math.inf))),
        *(("given_twice", sentence) for sentence in _given_twice(done)),
        *_disorder(done, staleness, budget),
    ]
    return [Violation(promise, sentence) for promise, sentence in found]


def _disorder(done: Sequence[Done], staleness: float, budget: int) -> Iterator[tuple[str, str]]:
    """Each name's calls are linearizable."""
    fair = [_aged(operation, staleness) for operation in done]
    for verdict in check_parts(DirectoryModel(), fair, lambda what: what.name, budget=budget):
        if verdict.result != "linearizable":
            yield verdict.result.replace(" ", "_"), str(verdict)


def _aged(operation: Done, staleness: float) -> Done:
    if isinstance(operation.what, LookUp):
        allowed = staleness if operation.what.answer == "found" else 0.0
        return widened(operation, math.inf if operation.what.stale else allowed)
    return operation


def _lost(done: Sequence[Done], end: float) -> Iterator[str]:
    """Every name whose registration was acknowledged is found in the end, under its id, and lets its owner in."""
    leaving = {record.what.name for record in done if _may_delete(record.what)}
    told = {
        (what.name, what.user_id)
        for what in (record.what for record in done)
        if isinstance(what, Register) and what.answer == "created" and what.name not in leaving
    }
    last = [record.what for record in done if record.called >= end]
    found = {(what.name, what.user_id) for what in last if isinstance(what, LookUp)}
    entered = {(what.name, what.user_id) for what in last if isinstance(what, LogIn)}
    for name, user_id in sorted(told, key=str):
        if (name, user_id) not in found:
            yield f"{name} was registered as {user_id}, and is not found as that in the end"
        elif (name, user_id) not in entered:
            yield f"{name} was registered as {user_id}, and no password that was ever given opens it in the end"


def _may_delete(what: Asked) -> bool:
    return isinstance(what, DeleteAccount) and what.answer in ("ok", None)


def _given_twice(done: Sequence[Done]) -> Iterator[str]:
    """No name belongs to two accounts, and no account has two names."""
    ids: defaultdict[str, set[str]] = defaultdict(set)
    names: defaultdict[str, set[str]] = defaultdict(set)
    for what in (record.what for record in done):
        if isinstance(what, Register | LogIn | LookUp) and what.user_id is not None:
            ids[what.name].add(what.user_id)
            names[what.user_id].add(what.name)
    for one, several in ((ids, "accounts"), (names, "names")):
        for key, values in one.items():
            if len(values) > 1:
                yield f"{key} has {len(values)} {several}: {', '.join(sorted(values))}"


# --- as a file ---


def save(records: Iterable[Record], file: Path) -> None:
    """Writes a history down, one record a line of JSON."""
    file.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))


def load(file: Path) -> Iterator[Record]:
    """The records of a file that :func:`save` wrote.

    Raises:
        msgspec.DecodeError: a line is no record.
    """
    decoder = msgspec.json.Decoder(Operation[Asked | Refused | Happened])
    with file.open("rb") as lines:
        for line in lines:
            yield decoder.decode(line)
