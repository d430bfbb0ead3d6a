"""Whether two histories fit, and that beginning anew loses and doubles nothing: two stores, restored at any moment."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.node import epochs, history, streams
from telegraph.node.divergence import LAST_EPOCH, Claim, Ours, chosen_epoch, fits, may_follow
from telegraph.node.model import Message
from telegraph.storage.engine import sqlite3
from telegraph.storage.schema import migrate

X, Y = b"x" * 16, b"y" * 16
OTHER = 1
SMALL = st.integers(0, 1)


@pytest.mark.parametrize(
    ("claim", "ours", "fitting"),
    [
        (Claim(0, 0, None), Ours(0, 0, 0, None), True),
        (Claim(0, 3, X), Ours(0, 5, 2, X), True),
        (Claim(0, 3, X), Ours(0, 5, 2, None), True),  # deleted here: it cannot be told
        (Claim(0, 3, None), Ours(0, 5, 2, X), True),
        (Claim(0, 3, Y), Ours(0, 5, 2, X), False),  # another message had the number
        (Claim(0, 6, X), Ours(0, 5, 2, X), False),  # we never gave it out
        (Claim(0, 1, X), Ours(0, 5, 2, X), False),  # they had more before
        (Claim(1, 3, X), Ours(0, 5, 2, X), False),
        (Claim(0, 0, None), Ours(1, 0, 0, None), False),
    ],
)
def test_histories_fit_if_nothing_would_be_lost_or_taken_for_a_repeat(claim: Claim, ours: Ours, fitting: bool) -> None:
    assert fits(claim, ours) is fitting


@given(ours=st.integers(0, LAST_EPOCH), theirs=st.integers(0, LAST_EPOCH), fresh=st.booleans(), received=SMALL)
def test_an_epoch_is_above_both_or_that_of_an_end_which_is_there_already(
    ours: int, theirs: int, fresh: bool, received: int
) -> None:
    chosen = chosen_epoch(ours, Claim(theirs, received, None), fresh=fresh)

    if chosen is None:
        assert max(ours, theirs) == LAST_EPOCH
        return
    assert may_follow(chosen, theirs, ours)
    assert max(ours, theirs) <= chosen <= LAST_EPOCH
    assert chosen > theirs or received == 0
    assert chosen > ours or fresh


@pytest.mark.parametrize("epoch", [0, 1, 3, 4, 7, LAST_EPOCH])
def test_no_other_epoch_is_followed(epoch: int) -> None:
    assert not may_follow(epoch, 2, 5)
    assert all(may_follow(chosen, 2, 5) for chosen in (2, 5, 6))


class End:
    """One end of a conversation: its store, and a backup of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self.db, "telegraph.node", Path("memory/db"))
        self.db.execute("INSERT INTO contacts (user_id, username, name_key, device_key) VALUES ('o', 'o', 'o', x'00')")
        self.written = 0
        self.clock = 1_700_000_000_000_000
        self.gone: set[str] = set()
        self.keep()

    def keep(self) -> None:
        self.copy = sqlite3.connect(":memory:", isolation_level=None)
        self.db.backup(self.copy)

    def restore(self) -> None:
        before = set(self.texts())
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.copy.backup(self.db)
        self.gone |= {text for text in before - set(self.texts()) if text.startswith(self.name)}

    def write(self, ahead: int) -> None:
        self.written += 1
        self.clock += 1000
        now = self.clock + ahead * 10_000_000
        streams.append(self.db, OTHER, f"{self.name}{self.written}", now, Random(f"{self.name}{self.written}"))

    def shown(self) -> list[Message]:
        found = history.page(self.db, OTHER, self.name, before=None, limit=10_000)[0]
        return [message for message in found if message.kind == "text"]

    def texts(self) -> list[str]:
        return [message.text for message in self.shown()]


def deliver(sender: End, receiver: End, count: int, *, acknowledged: bool) -> None:
    """What goes over a link that then breaks, with or without the last acknowledgement."""
    after = streams.received(receiver.db, OTHER)
    frames = streams.pending(sender.db, OTHER, sender.name, receiver.name, after=after, limit=count)
    taken = streams.receive(receiver.db, OTHER, frames)
    assert taken.refusal is None, taken.refusal
    if acknowledged:
        streams.stored_by_peer(sender.db, OTHER, taken.received)


def read(reader: End, writer: End) -> None:
    streams.read_here(reader.db, OTHER)
    upto = streams.receipt_due(reader.db, OTHER)
    if upto:
        streams.read_by_peer(writer.db, OTHER, upto)
        streams.receipt_told(reader.db, OTHER, upto)


def greet(dialler: End, answerer: End, *, half: bool = False) -> bool:
    """One link's greeting; False if it ended with numbers that begin anew. ``half``: only the answerer got so far."""
    says, answers = epochs.claim_of(dialler.db, OTHER), epochs.claim_of(answerer.db, OTHER)
    delivered = epochs.delivered(dialler.db, OTHER)
    if not epochs.settle(answerer.db, OTHER, says, epochs.delivered(answerer.db, OTHER)).fits:
        sayer, hearer, said, heard = answerer, dialler, says, answers
    elif not epochs.settle(dialler.db, OTHER, answers, delivered).fits:
        sayer, hearer, said, heard = dialler, answerer, answers, says
    else:
        return True
    epoch = chosen_epoch(heard.epoch, said, fresh=epochs.is_fresh(sayer.db, OTHER))
    assert epoch is not None
    assert may_follow(epoch, said.epoch, heard.epoch)
    epochs.renew(sayer.db, OTHER, epoch, said, sayer.clock)
    if not half:
        epochs.renew(hearer.db, OTHER, epoch, heard, hearer.clock)
    return False


def link(dialler: End, answerer: End, *, half: bool) -> None:
    """Links until one greeting fits: one may end in the middle, one begins anew, one fits."""
    assert any(greet(dialler, answerer, half=half and attempt == 0) for attempt in range(4))


WHO = st.booleans()
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), WHO, st.integers(0, 2)),
        st.tuples(st.just("deliver"), WHO, st.integers(1, 4)),
        st.tuples(st.just("lose ack"), WHO, st.integers(1, 4)),
        st.tuples(st.just("read"), WHO, st.just(0)),
        st.tuples(st.just("keep"), WHO, st.just(0)),
        st.tuples(st.just("restore"), WHO, st.integers(0, 3)),
        st.tuples(st.just("half"), WHO, st.just(0)),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_is_restored_nothing_is_lost_or_doubled_and_both_ends_show_the_same_order(
    steps: list[tuple[str, bool, int]],
) -> None:
    alice, bob = End("a"), End("b")
    for what, first, count in steps:
        one, other = (alice, bob) if first else (bob, alice)
        if what == "write":
            one.write(count)
        elif what == "keep":
            one.keep()
        elif what == "restore":
            one.restore()
            for _ in range(count):  # written before anybody notices
                one.write(0)
        elif what == "read":
            link(one, other, half=False)
            read(one, other)
        else:
            link(one, other, half=what == "half")
            if what != "half":
                deliver(one, other, count, acknowledged=what == "deliver")
    for one, other in ((alice, bob), (bob, alice)):
        link(one, other, half=False)
        deliver(one, other, 10_000, acknowledged=True)
    check(alice, bob)


def check(alice: End, bob: End) -> None:
    for one, other in ((alice, bob), (bob, alice)):
        there = other.texts()
        assert len(there) == len(set(there)), "twice"
        mine = [message for message in one.shown() if message.mine]
        assert {message.text for message in mine} <= set(there), "lost"
        assert {message.state for message in mine} <= {"delivered", "read"}
        assert history.pending_count(one.db) == 0
        assert 0 <= history.unread_count(one.db, OTHER) == len(history.unread(one.db, one.name))
    common = set(alice.texts()) & set(bob.texts())
    assert [text for text in alice.texts() if text in common] == [text for text in bob.texts() if text in common]
    assert set(alice.texts()) ^ set(bob.texts()) <= alice.gone | bob.gone, (
        "what is on one end only was lost by a restore"
    )


def test_an_old_copy_whose_numbers_seem_to_fit_is_found_out_by_the_ids() -> None:
    alice, bob = End("a"), End("b")
    alice.write(0)
    link(alice, bob, half=False)
    deliver(alice, bob, 1, acknowledged=True)
    alice.keep()
    alice.write(0)
    deliver(alice, bob, 1, acknowledged=True)
    alice.restore()
    alice.write(0)

    assert not greet(alice, bob)
    assert greet(alice, bob)

    deliver(alice, bob, 9, acknowledged=True)
    assert bob.texts() == ["a1", "a2", "a3"]


def test_states_that_the_user_saw_do_not_go_back() -> None:
    alice, bob = End("a"), End("b")
    bob.keep()
    for _ in range(3):
        alice.write(0)
    deliver(alice, bob, 2, acknowledged=True)
    read(bob, alice)
    deliver(alice, bob, 1, acknowledged=True)
    bob.restore()

    link(bob, alice, half=False)
    assert [message.state for message in alice.shown()] == ["read", "read", "delivered"]
    deliver(alice, bob, 9, acknowledged=True)
    read(bob, alice)

    assert bob.texts() == ["a1", "a2", "a3"]
    assert [message.state for message in alice.shown()] == ["read"] * 3


def test_what_waited_stays_where_its_writer_sees_it() -> None:
    """Bob's message is older than alice's next one, though it comes after both ends began anew."""
    alice, bob = End("a"), End("b")
    bob.write(0)
    alice.write(1)  # her clock is ahead
    link(alice, bob, half=False)
    deliver(alice, bob, 1, acknowledged=True)
    alice.keep()
    alice.write(2)
    deliver(alice, bob, 1, acknowledged=True)
    alice.restore()

    link(alice, bob, half=False)
    deliver(bob, alice, 9, acknowledged=True)

    assert alice.texts() == ["b1", "a1"]
    assert bob.texts() == ["b1", "a1", "a2"]
