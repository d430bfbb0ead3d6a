from hypothesis import given
from hypothesis import strategies as st

from telegraph.discovery.ranking import distinct, ranked

URLS = st.integers(0, 30).map("https://10.0.0.{}:8000".format)


def test_the_quickest_comes_first_and_the_silent_are_left_out() -> None:
    assert ranked({"far": 0.2, "dead": None, "near": 0.01}) == ["near", "far"]


def test_nobody_answered() -> None:
    assert ranked({"dead": None}) == []
    assert ranked({}) == []


def test_equally_quick_ones_keep_their_order() -> None:
    assert ranked({"b": 0.1, "a": 0.1, "c": 0.1}) == ["b", "a", "c"]


@given(st.dictionaries(URLS, st.none() | st.floats(0, 3)))
def test_the_order_is_that_of_the_round_trips(measured: dict[str, float | None]) -> None:
    order = ranked(measured)
    seconds = [measured[url] for url in order]
    assert seconds == sorted(value for value in measured.values() if value is not None)
    assert set(order) == {url for url, value in measured.items() if value is not None}


@given(st.lists(st.lists(URLS), max_size=4))
def test_distinct_loses_nothing_and_repeats_nothing(lists: list[list[str]]) -> None:
    every = [url for urls in lists for url in urls]
    found = distinct(*lists)
    assert set(found) == set(every)
    assert [every.index(url) for url in found] == sorted({every.index(url) for url in every})
