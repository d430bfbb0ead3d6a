from hypothesis import given
from hypothesis import strategies as st

from telegraph.directory.etcd.endpoints import Endpoints

NAMES = st.lists(st.sampled_from(["a:1", "b:1", "c:1", "d:1"]), unique=True)


def test_the_first_member_is_asked_until_it_fails_and_again_when_it_is_well() -> None:
    endpoints = Endpoints(["own:1", "b:1", "c:1", "own:1"])
    assert endpoints.addresses == ("own:1", "b:1", "c:1")
    assert endpoints.next(()) == "own:1"
    endpoints.failed("own:1")
    assert endpoints.next(()) == "b:1"
    assert endpoints.suspected == ["own:1"]
    endpoints.worked("own:1")
    assert endpoints.next(()) == "own:1"
    assert endpoints.suspected == []


def test_suspects_are_asked_when_all_others_were_tried() -> None:
    endpoints = Endpoints(["a:1", "b:1", "c:1"])
    endpoints.failed("a:1")
    assert endpoints.next({"b:1", "c:1"}) == "a:1"
    assert endpoints.next({"a:1", "b:1", "c:1"}) is None


def test_a_member_that_left_is_neither_asked_nor_suspected() -> None:
    endpoints = Endpoints(["a:1", "b:1"])
    endpoints.failed("a:1")
    endpoints.replace(["b:1", "c:1"])
    endpoints.failed("a:1")
    assert endpoints.suspected == []
    assert endpoints.next(()) == "b:1"


@given(NAMES, NAMES)
def test_every_member_is_tried_once_the_well_ones_first(names: list[str], failing: list[str]) -> None:
    endpoints = Endpoints(names)
    for name in failing:
        endpoints.failed(name)
    order: list[str] = []
    while (address := endpoints.next(order)) is not None:
        order.append(address)
    assert order == sorted(names, key=lambda name: (name in failing, names.index(name)))
