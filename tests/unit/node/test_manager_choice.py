"""Which manager is asked first, when one that failed is tried again, and which are known at all."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.manager_choice import FIRST_REST, LAST_REST, ManagerChoice, pause_after_break

ONE, TWO, THREE, FOUR = (f"https://{name}:8000" for name in ("one", "two", "three", "four"))
ALL = [ONE, TWO, THREE, FOUR]

_some = st.lists(st.sampled_from(ALL), unique=True)
_happenings = st.lists(
    st.one_of(
        st.tuples(st.just("failed"), st.sampled_from(ALL)),
        st.tuples(st.just("answered"), st.sampled_from(ALL)),
        st.tuples(st.just("prefer"), st.sampled_from(ALL)),
        st.tuples(st.just("wait"), st.floats(min_value=0, max_value=20)),
        st.tuples(st.just("told"), _some, st.sampled_from(ALL), st.none() | _some),
        st.tuples(st.just("found"), _some),
        st.tuples(st.just("hurry")),
    ),
    max_size=40,
)


def choice(*urls: str, seed: int = 1, known: tuple[str, ...] = ()) -> ManagerChoice:
    return ManagerChoice(urls, known, Random(seed))


def live(one: ManagerChoice, happenings: list[tuple[object, ...]]) -> float:
    """Lets all that happen: the time after it."""
    now = 0.0
    for kind, *rest in happenings:
        if kind == "wait":
            now += rest[0]  # type: ignore[operator]
        elif kind == "told":
            one.told(rest[0], by=rest[1], far=rest[2])  # type: ignore[arg-type]
        elif kind in ("failed", "answered"):
            getattr(one, str(kind))(rest[0], now)
        else:
            getattr(one, str(kind))(*rest)
    return now


@given(_some, _some, _happenings, st.integers())
def test_whatever_happens_those_that_the_user_named_are_known_and_everybody_is_asked_once(
    given_ones: list[str], known: list[str], happenings: list[tuple[object, ...]], seed: int
) -> None:
    one = ManagerChoice(given_ones, known, Random(seed))
    now = live(one, happenings)
    order = one.order(now)
    assert set(given_ones) <= set(order)
    assert sorted(order) == sorted(one.urls)
    assert len(set(order)) == len(order)
    ready = one.ready(now)
    assert order[: len(ready)] == ready
    assert (one.wait(now) == 0) == bool(ready)


@given(_happenings, st.integers())
def test_nobody_waits_longer_than_the_longest_rest(happenings: list[tuple[object, ...]], seed: int) -> None:
    one = choice(*ALL, seed=seed)
    now = live(one, happenings)
    assert one.wait(now) <= LAST_REST
    assert set(one.ready(now + LAST_REST)) == set(one.urls)


@given(st.integers(min_value=1, max_value=30), st.integers())
def test_rests_double_with_jitter_up_to_a_bound_so_that_nobody_is_hammered(failures: int, seed: int) -> None:
    one, now, bound = choice(ONE, seed=seed), 0.0, FIRST_REST
    for _ in range(failures):
        one.failed(ONE, now)
        assert bound / 2 <= one.wait(now) <= bound
        now += one.wait(now)
        bound = min(bound * 2, LAST_REST)
    one.answered(ONE, now)
    assert one.wait(now) == 0
    one.failed(ONE, now)
    assert one.wait(now) <= FIRST_REST


def test_after_a_failure_the_others_are_tried_at_once() -> None:
    one = choice(ONE, TWO, THREE)
    one.failed(ONE, 5.0)
    assert one.wait(5.0) == 0
    assert one.ready(5.0) == [TWO, THREE]
    assert one.order(5.0) == [TWO, THREE, ONE]


def test_one_that_was_heard_is_fresh_for_a_second_unless_it_fails() -> None:
    one = choice(ONE)
    assert not one.fresh(ONE, 0.0)
    one.answered(ONE, 0.0)
    assert one.fresh(ONE, 0.9)
    assert not one.fresh(ONE, 1.1)
    one.answered(ONE, 2.0)
    one.failed(ONE, 2.0)
    assert not one.fresh(ONE, 2.0)


def test_what_a_manager_tells_replaces_what_was_learned_but_nothing_that_the_user_named() -> None:
    one = choice(ONE, known=(TWO,))
    assert one.told([ONE, THREE, FOUR], by=ONE)
    assert set(one.urls) == {ONE, THREE, FOUR}
    assert not one.told([FOUR, ONE, THREE], by=ONE)
    assert one.told([FOUR], by=FOUR)
    assert set(one.urls) == {ONE, FOUR}


def test_the_one_that_tells_stays_though_it_goes_by_another_name() -> None:
    one = choice(known=(ONE,))
    one.told([TWO, THREE], by=ONE)
    assert one.urls[0] == ONE
    assert set(one.urls) == {ONE, TWO, THREE}


def test_an_empty_list_or_one_of_nonsense_changes_nothing() -> None:
    one = choice(known=(ONE, TWO))
    assert not one.told([], by=ONE)
    assert not one.told(["ftp://x", "https://", "https://host/path", "\ud800"], by=ONE)
    assert one.urls == [ONE, TWO]


def test_nobody_can_talk_a_node_out_of_tls() -> None:
    one = choice(ONE)
    assert not one.told(["http://one:8000", "http://127.0.0.1:8000"], by=ONE)
    assert one.urls == [ONE]
    plain = choice("http://127.0.0.1:8000")
    assert plain.told(["http://127.0.0.1:8000", "http://127.0.0.1:9000"], by="http://127.0.0.1:8000")


def test_nodes_of_one_manager_that_dies_go_to_different_ones() -> None:
    seconds = set()
    for seed in range(20):
        one = choice(ONE, seed=seed)
        one.told([ONE, TWO, THREE, FOUR], by=ONE)
        assert one.urls[0] == ONE
        seconds.add(one.urls[1])
    assert seconds == {TWO, THREE, FOUR}


@given(_some, st.sampled_from(ALL), _some, st.integers())
def test_managers_of_other_sites_come_last_except_one_that_is_in_use(
    near: list[str], by: str, far: list[str], seed: int
) -> None:
    one = choice(by, seed=seed)
    one.told([*near, by], by=by, far=far)
    behind = [one.is_far(url) for url in one.urls]
    assert behind == sorted(behind)
    assert {url for url in one.urls if one.is_far(url)} == {*far} - {*near, by}


def test_the_one_in_use_stays_in_front_though_it_is_another_sites() -> None:
    one = choice(ONE)
    one.told([ONE, TWO], by=ONE, far=[THREE, FOUR])
    one.prefer(THREE)
    assert not one.told([ONE, TWO], by=ONE)  # of other sites nothing is said, so nothing changes
    assert one.urls[0] == THREE
    assert one.is_far(THREE)
    one.told([THREE, FOUR], by=THREE, far=[ONE, TWO])
    assert one.urls[0] == THREE
    assert not one.is_far(THREE)
    assert set(one.urls[2:]) == {ONE, TWO}


def test_discovery_puts_the_quickest_first_and_says_which_are_new() -> None:
    one = choice(ONE)
    assert one.found([THREE, ONE]) == [THREE]
    assert one.urls == [THREE, ONE]


@given(st.floats(min_value=0, max_value=60), st.integers())
def test_a_break_is_followed_by_a_random_wait_within_what_was_told(spread: float, seed: int) -> None:
    assert 0 <= pause_after_break(Random(seed), spread) <= max(spread, 0.2)


def test_ten_thousand_nodes_come_back_evenly_after_a_restart_of_their_manager() -> None:
    """The manager is gone at 0 and serves again from 1.5 s on; each node does as it was told before."""
    arrivals = [_comes_back(Random(seed), spread=20.0, back_at=1.5) for seed in range(10_000)]
    each_second = [sum(second <= moment < second + 1 for moment in arrivals) for second in range(24)]
    assert sum(each_second) == 10_000
    assert max(each_second) <= 1_000  # twice the even share; without jitter it would be all of them
    assert max(arrivals) <= 22


def _comes_back(rng: Random, *, spread: float, back_at: float) -> float:
    one, now = ManagerChoice([ONE], (), rng), 0.0
    one.failed(ONE, now)
    now += max(pause_after_break(rng, spread), one.wait(now))
    while now < back_at:
        one.failed(ONE, now)
        now += one.wait(now)
    return now
