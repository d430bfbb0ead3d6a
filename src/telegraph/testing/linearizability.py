"""Is a history of overlapping calls what one object could have done that does one thing after another? Pure.

Linearizability is M. Herlihy's and J. Wing's (*Linearizability: A Correctness Condition for Concurrent Objects*, 1990):
every operation took effect at one moment between its call and its return. The search is Wing's and Gong's with Lowe's
memory of what was tried (G. Lowe, *Testing for linearizability*, 2017); a history of independent parts is judged part
by part, since it is linearizable if and only if each part is (A. Horn and D. Kroening, *Faster linearizability checking
via P-compositionality*, 2015). porcupine (https://github.com/anishathalye/porcupine) does the same for Go; for Python
there was nothing to be had.

An operation whose fate nobody knows (no answer, a broken connection) stays *open*: it may have taken effect at any
moment after its call, or never.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import msgspec

State = TypeVar("State", bound=Hashable)
What = TypeVar("What")
W = TypeVar("W", contravariant=True)  # noqa: PLC0105 - one letter, as it has no meaning but variance

BUDGET: Final = 2_000_000
"""Steps of the model after which a part is given up as undecided: some seconds, and the same on every machine."""

Result = Literal["linearizable", "not linearizable", "undecided"]


class Operation(msgspec.Struct, Generic[What], frozen=True):
    """``what`` was asked and answered, between two moments of one clock; ``returned`` is None if it is open."""

    what: What
    called: float
    returned: float | None = None


class Model(Protocol[State, W]):
    """The object, doing one thing after another. ``initial`` is its state before anything happened."""

    initial: State

    def step(self, state: State, what: W) -> State | None:
        """The state after an operation with this answer; None if in this state it could not have been the answer."""
        ...


class Verdict(msgspec.Struct, Generic[State, What], frozen=True):
    """What came out for one part of a history.

    Unless it is linearizable, ``prefix`` is the longest order of operations that was found, ``state`` the state after
    it, and ``stuck`` the operation that had to come next (it returned before anything else could) and could not.
    """

    result: Result
    part: Hashable
    operations: int
    steps: int
    prefix: tuple[Operation[What], ...] = ()
    state: State | None = None
    stuck: Operation[What] | None = None

    def __str__(self) -> str:
        """Some lines for whoever has to find out why."""
        said = f"{self.part!r}: {self.result} ({self.operations} operations, {self.steps} steps)"
        if self.result == "linearizable":
            return said
        lines = [said, f"after {len(self.prefix)} operations in an order that fits, the last of which are"]
        lines += [f"    {_told(operation)}" for operation in self.prefix[-_TOLD:]]
        lines += [f"the state is {self.state!r}, and what cannot come next is"]
        lines += [f"    {_told(self.stuck)}" if self.stuck else "    (it was not found out)"]
        return "\n".join(lines)


_TOLD = 8


def _told(operation: Operation[Any]) -> str:
    end = "open" if operation.returned is None else f"{operation.returned:.6f}"
    return f"[{operation.called:.6f}, {end}] {operation.what!r}"


def check(
    model: Model[State, What], operations: Iterable[Operation[What]], *, part: Hashable = None, budget: int = BUDGET
) -> Verdict[State, What]:
    """Judges a history as a whole; ``part`` is a name for it.

    After ``budget`` steps of the model it is undecided, which shows nothing: treat it as a failure.
    """
    search = _Search(model, sorted(operations, key=lambda operation: operation.called), budget)
    result = search.run()
    if result == "linearizable":
        return Verdict(result, part, len(search.operations), search.steps)
    order, state, stuck = search.best
    prefix = tuple(search.operations[number] for number in order)
    last = None if stuck is None else search.operations[stuck]
    return Verdict(result, part, len(search.operations), search.steps, prefix, state, last)


def check_parts(
    model: Model[State, What],
    operations: Iterable[Operation[What]],
    part_of: Callable[[What], Hashable],
    *,
    budget: int = BUDGET,
) -> list[Verdict[State, What]]:
    """Judges each part of a history by itself, in the order of their first calls; ``budget`` is for each of them."""
    parts: defaultdict[Hashable, list[Operation[What]]] = defaultdict(list)
    for operation in sorted(operations, key=lambda operation: operation.called):
        parts[part_of(operation.what)].append(operation)
    return [check(model, members, part=part, budget=budget) for part, members in parts.items()]


class _Search(Generic[State, What]):
    """Wing's and Gong's search: take any operation that was called before the first return, undo it if that fails.

    Calls and returns are a doubly linked list of entries: operation ``n``'s call is entry ``2n + 1``, its return
    ``2n + 2``, and entry 0 is the head. What is taken out of the list is done; the set of what is done is a bit each.
    """

    def __init__(self, model: Model[State, What], operations: Sequence[Operation[What]], budget: int) -> None:
        self.operations = operations
        self.steps = 0
        self.best: tuple[list[int], State, int | None] = ([], model.initial, None)
        self._best_answered = -1
        self._model = model
        self._budget = budget
        self._returning = sum(operation.returned is not None for operation in operations)
        self._link()

    def _link(self) -> None:
        moments: list[tuple[float, bool, int]] = []
        for number, operation in enumerate(self.operations):
            moments.append((operation.called, False, 2 * number + 1))  # at one moment calls come first: they overlap
            if operation.returned is not None:
                moments.append((max(operation.returned, operation.called), True, 2 * number + 2))
        order = [0, *(entry for _, _, entry in sorted(moments)), 0]
        self._next, self._before = [0] * (2 * len(self.operations) + 1), [0] * (2 * len(self.operations) + 1)
        for entry, then in pairwise(order):
            self._next[entry], self._before[then] = then, entry

    def run(self) -> Result:
        state, done, left = self._model.initial, 0, self._returning
        tried: set[tuple[int, State]] = set()
        taken: list[tuple[int, State]] = []
        entry = self._next[0]
        while left:
            if self.steps >= self._budget:
                self._remember(taken, state, entry, self._returning - left)
                return "undecided"
            number, is_return = divmod(entry - 1, 2)
            after = None if is_return else self._after(state, number)
            if after is not None and (grown := (done | 1 << number, after)) not in tried:
                tried.add(grown)
                taken.append((number, state))
                done, state = grown
                left -= self.operations[number].returned is not None
                self._take_out(number)
                entry = self._next[0]
            elif not is_return:
                entry = self._next[entry]
            else:
                self._remember(taken, state, entry, self._returning - left)
                if not taken:
                    return "not linearizable"
                number, state = taken.pop()
                done ^= 1 << number
                left += self.operations[number].returned is not None
                self._put_back(number)
                entry = self._next[2 * number + 1]
        return "linearizable"

    def _after(self, state: State, number: int) -> State | None:
        self.steps += 1
        after = self._model.step(state, self.operations[number].what)
        if after == state and self.operations[number].returned is None:
            return None  # one that is open and changes nothing here might as well come later, or never
        return after

    def _remember(self, taken: list[tuple[int, State]], state: State, entry: int, answered: int) -> None:
        """Keeps the order that has the most answered operations so far; those that are open can be strung together."""
        if answered > self._best_answered:
            self._best_answered = answered
            stuck = (entry - 1) // 2 if entry and (entry - 1) % 2 else None
            self.best = ([number for number, _ in taken], state, stuck)

    def _take_out(self, number: int) -> None:
        for entry in self._entries(number):
            before, then = self._before[entry], self._next[entry]
            self._next[before], self._before[then] = then, before

    def _put_back(self, number: int) -> None:
        for entry in reversed(self._entries(number)):
            before, then = self._before[entry], self._next[entry]
            self._next[before], self._before[then] = entry, entry

    def _entries(self, number: int) -> tuple[int, ...]:
        call = 2 * number + 1
        return (call,) if self.operations[number].returned is None else (call, call + 1)


def widened(operation: Operation[What], by: float) -> Operation[What]:
    """As if it had been called ``by`` seconds earlier: what may be answered from a copy that old. ``inf``: any age."""
    return msgspec.structs.replace(operation, called=max(operation.called - by, 0.0) if by < math.inf else 0.0)
