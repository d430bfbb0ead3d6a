"""Stories of alice and bob whose clocks are wrong and whose messages cross."""

from dataclasses import dataclass, field
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.node.ids import next_id
from telegraph.node.order import Place, judge, place


@dataclass
class Sent:
    sender: str
    id: bytes
    seq: int
    seen: int


@dataclass
class End:
    """One end of a conversation as the node keeps it."""

    name: str
    skew: int
    rng: Random
    own: list[Sent] = field(default_factory=list)
    theirs: list[Sent] = field(default_factory=list)
    own_ord: list[bytes] = field(default_factory=list)
    their_ord: list[bytes] = field(default_factory=list)
    places: dict[bytes, Place] = field(default_factory=dict)

    def write(self, now: int) -> Sent:
        previous = self.own[-1].id if self.own else b""
        message = Sent(
            self.name, next_id(previous, max(0, now + self.skew), self.rng), len(self.own) + 1, len(self.theirs)
        )
        self._put(message, self.own, self.own_ord, self.their_ord)
        return message

    def take(self, message: Sent) -> None:
        assert message.seq == len(self.theirs) + 1
        self._put(message, self.theirs, self.their_ord, self.own_ord)

    def _put(self, message: Sent, side: list[Sent], orders: list[bytes], others: list[bytes]) -> None:
        spot = place(
            message.id,
            message.seq,
            message.seen,
            orders[-1] if orders else b"",
            others[message.seen - 1] if message.seen else b"",
        )
        side.append(message)
        orders.append(spot.ord)
        self.places[message.id] = spot

    def shown(self) -> list[bytes]:
        return sorted(self.places, key=lambda message_id: self.places[message_id])


def converse(seed: int, steps: list[int], skew: int) -> tuple[End, End]:
    rng = Random(seed)
    alice, bob = End("alice", skew, rng), End("bob", 0, rng)
    wires: dict[str, list[Sent]] = {"alice": [], "bob": []}
    now = 10**9
    for step in steps:
        now += rng.randrange(3)
        end, other = (alice, bob) if step % 2 else (bob, alice)
        if step < 2:
            wires[end.name].append(end.write(now))
        elif wires[other.name]:
            end.take(wires[other.name].pop(0))
    for end, other in ((alice, bob), (bob, alice)):
        for message in wires[other.name]:
            end.take(message)
    return alice, bob


CONVERSATIONS = given(
    st.integers(),
    st.lists(st.integers(min_value=0, max_value=3), max_size=60),
    st.integers(min_value=-86_400_000, max_value=86_400_000),
)


@CONVERSATIONS
def test_both_ends_show_the_same_order_whatever_the_clocks_say(seed: int, steps: list[int], skew: int) -> None:
    alice, bob = converse(seed, steps, skew)

    assert alice.shown() == bob.shown()


@CONVERSATIONS
def test_an_answer_is_never_shown_above_what_it_answers(seed: int, steps: list[int], skew: int) -> None:
    alice, bob = converse(seed, steps, skew)
    position = {message_id: number for number, message_id in enumerate(alice.shown())}

    for end, other in ((alice, bob), (bob, alice)):
        for earlier, later in zip(end.own, end.own[1:], strict=False):
            assert position[earlier.id] < position[later.id]
        for message in end.own:
            for seen in other.own[: message.seen]:
                assert position[seen.id] < position[message.id]


@CONVERSATIONS
def test_messages_that_crossed_are_ordered_by_id(seed: int, steps: list[int], skew: int) -> None:
    alice, bob = converse(seed, steps, skew)
    position = {message_id: number for number, message_id in enumerate(alice.shown())}

    for ours, theirs in ((a, b) for a in alice.own for b in bob.own):
        if ours.seen < theirs.seq and theirs.seen < ours.seq:
            assert (position[ours.id] < position[theirs.id]) == (ours.id < theirs.id)


def test_no_two_messages_share_a_place() -> None:
    alice, _ = converse(7, [0, 1, 2, 3] * 10, 1000)

    assert all(one != other for one, other in combinations(alice.places.values(), 2))


@pytest.mark.parametrize(
    ("arriving", "verdict"),
    [
        ({"seq": 4, "seen": 2}, "store"),
        ({"seq": 3, "seen": 2}, "repeat"),
        ({"seq": 1, "seen": 0}, "repeat"),
        ({"seq": 5, "seen": 2}, "gap"),
        ({"seq": 4, "seen": 6}, "forged"),
        ({"seq": 4, "seen": 1}, "forged"),
        ({"seq": 4, "seen": 5}, "store"),
    ],
)
def test_a_stream_takes_only_the_next_message_with_a_believable_past(arriving: dict[str, int], verdict: str) -> None:
    assert judge(**arriving, received=3, last_seen=2, sent=5) == verdict
