import asyncio

from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.deliveries import Deliveries

BOB, CAROL = 1, 2


async def test_one_acknowledgement_tells_all_who_wait_for_what_it_covers() -> None:
    deliveries = Deliveries()
    waiting = [deliveries.wait(BOB, seq) for seq in (1, 2, 3)]
    deliveries.acknowledged(BOB, 2)
    assert [one.done() for one in waiting] == [True, True, False]
    assert waiting[0].result() is True


async def test_who_asks_afterwards_need_not_wait() -> None:
    deliveries = Deliveries()
    assert not deliveries.heard_of(BOB)
    deliveries.acknowledged(BOB, 5)
    assert deliveries.heard_of(BOB)
    assert deliveries.wait(BOB, 5).result() is True
    assert not deliveries.wait(BOB, 6).done()


async def test_an_acknowledgement_of_carol_says_nothing_of_bob() -> None:
    deliveries = Deliveries()
    waiting = deliveries.wait(BOB, 1)
    deliveries.acknowledged(CAROL, 1)
    assert not waiting.done()
    assert not deliveries.heard_of(BOB)


async def test_when_numbers_mean_something_else_everybody_looks_for_themselves() -> None:
    deliveries = Deliveries()
    deliveries.acknowledged(BOB, 3)
    bobs, carols = deliveries.wait(BOB, 4), deliveries.wait(CAROL, 1)
    deliveries.see_anew(BOB)
    assert bobs.result() is False
    assert not carols.done()
    assert not deliveries.wait(BOB, 1).done()
    deliveries.see_anew()
    assert carols.result() is False


async def test_a_caller_who_gives_up_is_not_missed() -> None:
    deliveries = Deliveries()
    first, second = deliveries.wait(BOB, 1), deliveries.wait(BOB, 2)
    first.cancel()
    deliveries.acknowledged(BOB, 2)
    assert second.result() is True


@given(st.lists(st.integers(1, 20)), st.integers(0, 20))
def test_in_whatever_order_they_ask_those_who_are_covered_are_told(seqs: list[int], upto: int) -> None:
    async def story() -> list[bool]:
        deliveries = Deliveries()
        waiting = [deliveries.wait(BOB, seq) for seq in seqs]
        deliveries.acknowledged(BOB, upto)
        return [one.done() for one in waiting]

    assert asyncio.run(story()) == [seq <= upto for seq in seqs]
