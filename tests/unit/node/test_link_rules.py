from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.link_rules import SIMULTANEOUS, Standing, newer_stays

ALICE, BOB = b"a" * 32, b"b" * 32


@given(st.floats(min_value=0, max_value=SIMULTANEOUS), st.booleans())
def test_both_ends_keep_the_same_of_two_links_dialled_at_once(gap: float, alices_first: bool) -> None:
    """Each end may see the two in either order; what alice dialled is outgoing for her and incoming for bob."""

    def kept(own: bytes, other: bytes, dialled_by_alice_first: bool) -> str:
        owner_is_alice = own == ALICE
        first = Standing(outgoing=dialled_by_alice_first == owner_is_alice, since=10.0)
        second = Standing(outgoing=dialled_by_alice_first != owner_is_alice, since=10.0 + gap)
        newer = newer_stays(first, second, own, other)
        return "bob's" if newer == dialled_by_alice_first else "alice's"

    at_alice = kept(ALICE, BOB, alices_first)
    at_bob = kept(BOB, ALICE, not alices_first)

    assert at_alice == at_bob == "alice's"


def test_who_dials_again_replaces_their_own_older_link() -> None:
    assert newer_stays(Standing(outgoing=True, since=1.0), Standing(outgoing=True, since=1.1), BOB, ALICE)
    assert newer_stays(Standing(outgoing=False, since=1.0), Standing(outgoing=False, since=1.1), ALICE, BOB)


def test_a_link_from_a_peer_who_came_back_replaces_one_that_may_be_dead() -> None:
    old = Standing(outgoing=True, since=100.0)
    new = Standing(outgoing=False, since=100.0 + SIMULTANEOUS + 0.1)

    assert newer_stays(old, new, ALICE, BOB)
