"""What must be true of a run (DESIGN.md section 7), checked against its history. Pure.

:class:`Run` is the model: what was tried, what was shown, what is kept. Each validator is one promise; it yields a
sentence for everything that breaks it. None of them knows what the faults were: they hold whatever happened.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final as Constant

import msgspec

from telegraph.node.model import RESTORED
from telegraph.node.states import TRANSITIONS
from telegraph.protocol.node_api import MessageState
from telegraph.testing.history import (
    Called,
    Final,
    GivenUp,
    Kept,
    ReadCalled,
    Record,
    Refused,
    Returned,
    Shown,
    Told,
    TriedAgain,
)

Pair = tuple[str, str]
"""A node and the one it talks with: one end of a conversation."""

GIVEN_UP: Constant[frozenset[MessageState]] = frozenset({"cancelled", "failed"})


def _reachable() -> dict[MessageState, frozenset[MessageState]]:
    """The states that a message may be in some time after each, by the table of states."""
    after: dict[MessageState, set[MessageState]] = {}
    for (state, _), then in TRANSITIONS.items():
        after.setdefault(state, {state}).add(then)
        after.setdefault(then, {then})
    for _ in after:
        for states in after.values():
            states.update(*[after[state] for state in states])
    return {state: frozenset(states) for state, states in after.items()}


REACHABLE: Constant = _reachable()


class Attempt(msgspec.Struct):
    """One call of send. ``before``: how many texts the same end knew before it; ``id`` and so on: what followed."""

    sender: str
    recipient: str
    text: str
    before: int
    id: str | None = None
    refused: bool = False
    given_up: bool = False
    tried_again: bool = False


class Run:
    """The model of a run, out of its records."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.attempts: dict[str, Attempt] = {}
        self.known: defaultdict[Pair, list[str]] = defaultdict(list)
        """Texts in the order in which each end got to know them: shown, or an own send that returned."""
        self.shown: defaultdict[Pair, list[Shown]] = defaultdict(list)
        self.told: defaultdict[Pair, list[Told]] = defaultdict(list)
        self.first_read: dict[Pair, float] = {}
        self.kept: dict[Pair, list[Kept]] = {}
        self.forgetful: list[Pair] = []
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        match record:
            case Called(node=node, peer=peer, text=text):
                if text in self.attempts:
                    raise ValueError(f"two sends of one run have the text {text!r}")
                self.attempts[text] = Attempt(node, peer, text, len(self.known[node, peer]))
            case Returned(node=node, peer=peer, text=text, id=message_id):
                self.attempts[text].id = message_id
                self.known[node, peer].append(text)
            case Refused() | GivenUp() | TriedAgain():
                self._mark(record)
            case Shown(node=node, peer=peer, text=text):
                self.shown[node, peer].append(record)
                self.known[node, peer].append(text)
            case Told(node=node, peer=peer):
                self.told[node, peer].append(record)
            case ReadCalled(node=node, peer=peer, at=at):
                self.first_read.setdefault((node, peer), at)
            case Final(node=node, peer=peer, messages=messages):
                self.kept[node, peer] = [message for message in messages if message.kind != RESTORED]
                if len(self.kept[node, peer]) < len(messages):
                    self.forgetful.append((node, peer))

    def _mark(self, record: Refused | GivenUp | TriedAgain) -> None:
        attempt = self.attempts[record.text]
        attempt.refused |= isinstance(record, Refused)
        attempt.given_up |= isinstance(record, GivenUp)
        attempt.tried_again |= isinstance(record, TriedAgain)

    def texts(self, node: str, peer: str) -> list[str]:
        """What one end keeps, in its order."""
        return [message.text for message in self.kept.get((node, peer), [])]


class Violation(msgspec.Struct, frozen=True):
    """A promise that was broken, and how."""

    promise: str
    sentence: str


def lost(run: Run) -> Iterator[str]:
    """Every message whose send returned is at both ends in the end; only its sender has what was given up."""
    ends = {pair: {message.text: message for message in messages} for pair, messages in run.kept.items()}
    for attempt in run.attempts.values():
        if attempt.id is None:
            continue
        own = ends.get((attempt.sender, attempt.recipient), {}).get(attempt.text)
        theirs = ends.get((attempt.recipient, attempt.sender), {}).get(attempt.text)
        if own is None:
            yield f"{_name(attempt)} returned from its send and is not at {attempt.sender}"
        elif theirs is None and not (attempt.given_up and own.state in GIVEN_UP):
            yield f"{_name(attempt)} returned from its send, is {own.state}, and is not at {attempt.recipient}"


def undead(run: Run) -> Iterator[str]:
    """What is given up in the end has not arrived."""
    for (node, peer), messages in run.kept.items():
        there = set(run.texts(peer, node))
        for message in messages:
            if message.mine and message.state in GIVEN_UP and message.text in there:
                yield f"{_cut(message.text)} is {message.state} at {node}, and {peer} has it"


def doubled(run: Run) -> Iterator[str]:
    """No message is kept twice, or shown as new twice."""
    for (node, peer), messages in run.kept.items():
        for what, count in Counter(message.text for message in messages).items():
            if count > 1:
                yield f"{node} keeps {_cut(what)} of the conversation with {peer} {count} times"
    for (node, peer), shown in run.shown.items():
        for what, count in Counter(record.text for record in shown).items():
            if count > 1:
                yield f"{node} was shown {_cut(what)} of the conversation with {peer} {count} times"


def disordered(run: Run) -> Iterator[str]:
    """Both ends keep a conversation in the same order; what one of them lacks is for others to notice."""
    for node, peer in run.kept:
        if node > peer or (peer, node) not in run.kept:
            continue
        here, there = run.texts(node, peer), run.texts(peer, node)
        common = set(here) & set(there)
        pairs = zip((t for t in here if t in common), (t for t in there if t in common), strict=False)
        for place, (one, other) in enumerate(pairs):
            if one != other:
                yield f"at place {place} {node} has {_cut(one)} and {peer} has {_cut(other)}"
                break


def inverted(run: Run) -> Iterator[str]:
    """Nobody's message stands before one that its sender had been shown, or had sent, when they sent it."""
    for pair in run.kept:
        for end in (pair, (pair[1], pair[0])):
            yield from _inversions(run, pair, end)


def _inversions(run: Run, end: Pair, order_of: Pair) -> Iterator[str]:
    """What ``end`` sent, in the order that ``order_of`` keeps."""
    place = {text: number for number, text in enumerate(run.texts(*order_of))}
    latest, latest_text, taken = -1, "", 0
    for attempt in run.attempts.values():
        if (attempt.sender, attempt.recipient) != end:
            continue
        if attempt.tried_again:  # it stands where it was sent the last time
            continue
        for text in run.known[end][taken : attempt.before]:
            if place.get(text, -1) > latest and not _moves(run, text):
                latest, latest_text = place[text], text
        taken = attempt.before
        if place.get(attempt.text, latest + 1) < latest:
            yield f"{order_of[0]} has {_name(attempt)} before {_cut(latest_text)}, which its sender knew"


def _moves(run: Run, text: str) -> bool:
    attempt = run.attempts.get(text)
    return attempt is not None and attempt.tried_again


def ticked_too_early(run: Run) -> Iterator[str]:
    """A tick is true: what was shown as delivered is at the recipient, what was shown as read they had read.

    Nodes notice by themselves if one has forgotten what it had acknowledged, mend it and say so in the conversation:
    where nobody restored an old copy, that is a tick that came before the commit.
    """
    for node, peer in run.forgetful:
        yield f"{node}'s conversation with {peer} had to begin anew: one of them forgot what it had acknowledged"
    for (node, peer), told in run.told.items():
        there = {message.id for message in run.kept.get((peer, node), [])}
        for record in told:
            if not record.mine or record.state not in ("delivered", "read"):
                continue
            if record.id not in there:
                yield f"{node} was told that {record.id} is {record.state}, and {peer} does not have it"
            elif record.state == "read" and record.at < run.first_read.get((peer, node), float("inf")):
                yield f"{node} was told that {record.id} is read before {peer} read anything"


def from_nobody(run: Run) -> Iterator[str]:
    """Everything that is kept or shown was sent by its sender to this recipient, and was not refused."""
    for (node, peer), messages in run.kept.items():
        seen: list[Kept | Shown] = [*messages, *run.shown[node, peer]]
        for message in seen:
            sender, recipient = (node, peer) if message.mine else (peer, node)
            attempt = run.attempts.get(message.text)
            if attempt is None or (attempt.sender, attempt.recipient) != (sender, recipient):
                yield f"{node} has {_cut(message.text)} from {sender} to {recipient}, which nobody sent so"
            elif attempt.refused:
                yield f"{node} has {_name(attempt)}, whose send was refused"
            elif attempt.id not in (None, message.id):
                yield f"{node} has {_name(attempt)} under another id"


def untold(run: Run) -> Iterator[str]:
    """Everything that is kept was shown by the event stream, so that no page or bot misses it."""
    for pair, messages in run.kept.items():
        shown = {record.id for record in run.shown[pair]}
        for message in messages:
            if message.id not in shown:
                yield f"{pair[0]} keeps {_cut(message.text)} and never showed it"


def backwards(run: Run) -> Iterator[str]:
    """No state follows another from which the table of states has no way to it: a tick, once shown, stays."""
    for (node, _), told in run.told.items():
        last: dict[str, MessageState] = {}
        for record in told:
            before = last.get(record.id, record.state)
            if record.state not in REACHABLE[before]:
                yield f"{node} was told that {record.id} is {record.state} after it had been {before}"
            last[record.id] = record.state


def unfinished(run: Run) -> Iterator[str]:
    """Once all is quiet nothing waits any more."""
    for (node, peer), messages in run.kept.items():
        waiting = [message.text for message in messages if message.mine and message.state == "pending"]
        if waiting:
            yield f"{node} still keeps {len(waiting)} messages for {peer} pending, the first is {_cut(waiting[0])}"


PROMISES: Constant[tuple[Callable[[Run], Iterator[str]], ...]] = (
    lost,
    undead,
    doubled,
    disordered,
    inverted,
    ticked_too_early,
    from_nobody,
    untold,
    backwards,
    unfinished,
)

_NAMED = 40


def check(records: Iterable[Record]) -> list[Violation]:
    """Every broken promise of a run; empty if all is well."""
    run = Run(records)
    return [Violation(promise.__name__, sentence) for promise in PROMISES for sentence in promise(run)]


def _cut(text: str) -> str:
    return repr(text if len(text) <= _NAMED else text[:_NAMED] + "…")


def _name(attempt: Attempt) -> str:
    return f"{_cut(attempt.text)} from {attempt.sender} to {attempt.recipient}"
