"""The checker says yes to what one object could have done and no to everything else; a slower one says the same."""

import math
from itertools import combinations, permutations
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telegraph.testing.linearizability import Model, Operation, check, check_parts, widened

Op = Operation[tuple[Any, ...]]


class Register:
    """``("put", value)``, ``("get", value that was read)``, ``("cas", old, new, it worked or None)``."""

    initial = 0

    def step(self, state: int, what: tuple[Any, ...]) -> int | None:
        match what:
            case ("put", value):
                return int(value)
            case ("get", value):
                return state if value == state else None
            case ("cas", old, new, worked):
                if worked is None:
                    return int(new) if state == old else state
                fits = worked == (state == old)
                return (int(new) if worked else state) if fits else None
        raise AssertionError(what)


class Queue:
    """``("enq", item)``, ``("deq", item)``, first in first out."""

    initial: tuple[str, ...] = ()

    def step(self, state: tuple[str, ...], what: tuple[Any, ...]) -> tuple[str, ...] | None:
        if what[0] == "enq":
            return (*state, what[1])
        return state[1:] if state[:1] == (what[1],) else None


def history(*rows: tuple[float, float | None, tuple[Any, ...]]) -> list[Op]:
    return [Operation(what, called, returned) for called, returned, what in rows]


HISTORIES = {
    # M. Herlihy and J. Wing 1990, section 1.1: queues
    "overlapping enqueues come out either way": (
        Queue(),
        history(
            (0, 2, ("enq", "x")), (1, 3, ("enq", "y")), (4, 5, ("deq", "y")), (4, 6, ("deq", "x")), (5, 7, ("enq", "z"))
        ),
        True,
    ),
    "what was enqueued first comes out first": (
        Queue(),
        history((0, 1, ("enq", "x")), (2, 3, ("enq", "y")), (4, 5, ("deq", "y"))),
        False,
    ),
    "an item may be dequeued while it is being enqueued": (
        Queue(),
        history((0, 3, ("enq", "x")), (1, 2, ("deq", "x"))),
        True,
    ),
    "an item is dequeued once": (
        Queue(),
        history((0, 1, ("enq", "x")), (0, 1, ("enq", "y")), (2, 4, ("deq", "y")), (3, 5, ("deq", "y"))),
        False,
    ),
    # the same, registers: once the new value was read, the old one is gone
    "a read beside a write sees it or not": (
        Register(),
        history((0, 100, ("put", 100)), (25, 75, ("get", 100)), (30, 60, ("get", 0))),
        True,
    ),
    "no read sees the old value after another saw the new one": (
        Register(),
        history((0, 100, ("put", 200)), (10, 30, ("get", 200)), (40, 90, ("get", 0))),
        False,
    ),
    # as porcupine's test of operations that take no time
    "operations of no length": (
        Register(),
        history((0, 100, ("put", 100)), (25, 75, ("get", 100)), (30, 30, ("get", 0)), (30, 30, ("get", 0))),
        True,
    ),
    "operations of no length that come too late": (
        Register(),
        history((0, 100, ("put", 200)), (10, 10, ("get", 200)), (10, 10, ("get", 200)), (40, 90, ("get", 0))),
        False,
    ),
    # G. Lowe 2017, section 1: what returned before another was called took effect before it
    "a stale read": (Register(), history((0, 1, ("put", 1)), (2, 3, ("put", 2)), (4, 5, ("get", 1))), False),
    "a lost write": (Register(), history((0, 1, ("put", 1)), (2, 3, ("get", 0))), False),
    "two compare-and-sets from one value": (
        Register(),
        history((0, 2, ("cas", 0, 1, True)), (1, 3, ("cas", 0, 2, True))),
        False,
    ),
    "an open write that was seen late": (
        Register(),
        history((0, None, ("put", 1)), (2, 3, ("get", 0)), (4, 5, ("get", 1))),
        True,
    ),
    "an open write that never was": (Register(), history((0, None, ("put", 1)), (2, 3, ("get", 0))), True),
    "an open write that came and went": (
        Register(),
        history((0, None, ("put", 1)), (2, 3, ("get", 1)), (4, 5, ("get", 0))),
        False,
    ),
    "an open write has no effect before its call": (
        Register(),
        history((0, 1, ("get", 1)), (2, None, ("put", 1))),
        False,
    ),
    "nothing at all": (Register(), [], True),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_known_histories(name: str) -> None:
    model, operations, linearizable = HISTORIES[name]

    assert (check(model, operations).result == "linearizable") is linearizable  # type: ignore[arg-type]


# --- what really was one object is always believed ---


@st.composite
def real_runs(draw: st.DrawFn, most: int = 24) -> list[Op]:
    """Some clients use one real register at once; each operation takes effect somewhere between call and return.

    An operation is open with some chance, and then had its effect late, or never.
    """
    rng = Random(draw(st.integers(0, 2**32)))
    clients = draw(st.integers(1, 5))
    effects: list[tuple[float, float, float, str]] = []
    for _ in range(clients):
        now = rng.random()
        for _ in range(rng.randrange(most // clients + 1)):
            took = rng.expovariate(1)
            effects.append((now, now + rng.random() * took, now + took, rng.choice(("put", "get", "cas"))))
            now += took + rng.expovariate(1)
    value, done = 0, []
    for called, moment, returned, kind in sorted(effects, key=lambda effect: effect[1]):
        fate = rng.choice(("done", "done", "done", "unknown", "never")) if kind != "get" else "done"
        before, fresh = value, rng.randrange(4)
        old = rng.choice((before, rng.randrange(4)))
        worked = old == before
        if fate != "never":
            value = {"put": fresh, "get": before, "cas": fresh if worked else before}[kind]
        what: dict[str, tuple[Any, ...]] = {
            "put": ("put", fresh),
            "get": ("get", before),
            "cas": ("cas", old, fresh, worked if fate == "done" else None),
        }
        open_from = rng.uniform(called, moment)
        span = (called, returned) if fate == "done" else (open_from, None)
        done.append(Operation(what[kind], *span))
    return done


@given(real_runs())
def test_a_run_of_a_real_register_is_linearizable(operations: list[Op]) -> None:
    assert check(Register(), operations).result == "linearizable"


@given(real_runs(), st.integers(1, 9))
def test_a_value_that_nobody_wrote_is_noticed(operations: list[Op], value: int) -> None:
    end = max((operation.returned or operation.called for operation in operations), default=0.0)
    lie: Op = Operation(("get", 100 + value), end + 1, end + 2)

    verdict = check(Register(), [*operations, lie])

    assert verdict.result == "not linearizable"
    assert verdict.stuck == lie
    answered = [operation for operation in verdict.prefix if operation.returned is not None]
    assert len(answered) == sum(operation.returned is not None for operation in operations)


@given(real_runs(), st.sampled_from(["stale read", "lost write", "double create"]))
def test_planted_mistakes_are_noticed(operations: list[Op], mistake: str) -> None:
    """Behind the run, and with values of their own, so that nothing that is still open can explain them."""
    at = max((operation.returned or operation.called for operation in operations), default=0.0) + 1
    mistakes: dict[str, list[tuple[float, float | None, tuple[Any, ...]]]] = {
        "stale read": [(at, at + 1, ("put", 10)), (at + 2, at + 3, ("put", 11)), (at + 4, at + 5, ("get", 10))],
        "lost write": [
            (at, at + 1, ("put", 10)),
            (at + 2, at + 3, ("put", 11)),
            (at + 4, at + 5, ("cas", 10, 12, True)),
        ],
        "double create": [
            (at, at + 1, ("put", 10)),
            (at + 2, at + 4, ("cas", 10, 11, True)),
            (at + 3, at + 5, ("cas", 10, 12, True)),
        ],
    }

    assert check(Register(), [*operations, *history(*mistakes[mistake])]).result == "not linearizable"


# --- the same as trying every order ---


def by_brute_force(model: Model[Any, Any], operations: list[Op]) -> bool:
    closed = [operation for operation in operations if operation.returned is not None]
    opened = [operation for operation in operations if operation.returned is None]
    return any(
        fits(model, order)
        for count in range(len(opened) + 1)
        for some in combinations(opened, count)
        for order in permutations([*closed, *some])
    )


def fits(model: Model[Any, Any], order: tuple[Op, ...]) -> bool:
    state = model.initial
    latest_call = -math.inf
    for operation in order:
        if (math.inf if operation.returned is None else operation.returned) < latest_call:
            return False
        latest_call = max(latest_call, operation.called)
        state = model.step(state, operation.what)
        if state is None:
            return False
    return True


@st.composite
def small_histories(draw: st.DrawFn) -> list[Op]:
    """A few operations on a few values at a few moments, most of them wrong."""
    values = st.integers(0, 2)
    kinds = st.one_of(
        st.tuples(st.just("put"), values),
        st.tuples(st.just("get"), values),
        st.tuples(st.just("cas"), values, values, st.sampled_from([True, False])),
    )
    operations: list[Op] = []
    for what in draw(st.lists(kinds, max_size=6)):
        called = draw(st.integers(0, 8))
        is_open = what[0] != "get" and draw(st.integers(0, 4)) == 0
        asked: tuple[Any, ...] = ("cas", what[1], what[2], None) if is_open and len(what) == 4 else what
        operations.append(Operation(asked, called, None if is_open else called + draw(st.integers(0, 4))))
    return operations


@given(small_histories())
@example(history((0, None, ("put", 1)), (0, 0, ("get", 1)), (1, 1, ("get", 0)), (1, 1, ("put", 0))))
def test_it_says_what_trying_every_order_says(operations: list[Op]) -> None:
    expected = by_brute_force(Register(), operations)

    assert (check(Register(), operations).result == "linearizable") is expected


# --- parts, counter-examples, budgets ---


class Registers(Register):
    """Many registers; the last field is which."""

    def step(self, state: int, what: tuple[Any, ...]) -> int | None:
        return super().step(state, what[:-1])


def test_parts_are_judged_by_themselves() -> None:
    operations = history(
        (0, 1, ("put", 1, "a")),
        (2, 3, ("put", 2, "b")),
        (4, 5, ("get", 1, "a")),
        (6, 7, ("get", 1, "b")),
    )

    verdicts = {verdict.part: verdict for verdict in check_parts(Registers(), operations, lambda what: what[-1])}

    assert {part: verdict.result for part, verdict in verdicts.items()} == {
        "a": "linearizable",
        "b": "not linearizable",
    }


def test_a_verdict_names_how_far_it_came_and_what_cannot_be_placed() -> None:
    operations = history((0, 1, ("put", 1)), (2, 3, ("get", 1)), (4, 5, ("get", 0)), (6, 7, ("put", 3)))

    verdict = check(Register(), operations, part="alice")

    assert [operation.what for operation in verdict.prefix] == [("put", 1), ("get", 1)]
    assert (verdict.state, verdict.stuck) == (1, operations[2])
    assert str(verdict).splitlines() == [
        "'alice': not linearizable (4 operations, 3 steps)",
        "after 2 operations in an order that fits, the last of which are",
        "    [0.000000, 1.000000] ('put', 1)",
        "    [2.000000, 3.000000] ('get', 1)",
        "the state is 1, and what cannot come next is",
        "    [4.000000, 5.000000] ('get', 0)",
    ]


def entangled(count: int) -> list[Op]:
    """Everybody writes at once, and then somebody reads what nobody wrote: there is no end of orders."""
    writes = [Operation[tuple[Any, ...]](("put", number), 0, 1) for number in range(count)]
    return [*writes, Operation(("get", -1), 2, 3)]


def test_what_takes_too_long_is_undecided_and_not_believed() -> None:
    verdict = check(Register(), entangled(20), budget=1000)

    assert (verdict.result, verdict.steps) == ("undecided", 1000)
    assert "undecided" in str(verdict)


def test_what_was_tried_once_is_not_tried_again() -> None:
    """Twelve writes have half a milliard orders, but only so many sets of what is done with what was written last."""
    verdict = check(Register(), entangled(12))

    assert verdict.result == "not linearizable"
    assert verdict.steps < 12 * 12 * 2**12


def test_open_operations_that_change_nothing_cost_nothing() -> None:
    opened = [Operation[tuple[Any, ...]](("put", 0), 0) for _ in range(60)]
    reads = [Operation[tuple[Any, ...]](("get", 0), number, number + 0.5) for number in range(60)]

    assert check(Register(), [*opened, *reads]).result == "linearizable"
    verdict = check(Register(), [*opened, *reads, Operation(("get", 1), 60, 61)])
    assert verdict.result == "not linearizable"
    assert verdict.steps < 61 * 61 * 2


def test_an_answer_from_a_copy_may_be_as_old_as_the_copy() -> None:
    write, read = history((10, 11, ("put", 1)), (11.5, 12, ("get", 0)))

    assert check(Register(), [write, read]).result == "not linearizable"
    assert check(Register(), [write, widened(read, 1.0)]).result == "linearizable"
    assert check(Register(), [write, widened(history((500, 501, ("get", 0)))[0], math.inf)]).result == "linearizable"
