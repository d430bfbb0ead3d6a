"""alice gives messages up: bob's node says what became of them, whatever the wire does."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_streams import BOB, ME, NOW, conversation, from_bob, open_database, states, write

from telegraph.node import event_log, history, streams, voids
from telegraph.node.model import StateChanged
from telegraph.protocol.frames import Refuse, Skip, Skipped
from telegraph.storage.engine import sqlite3


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = open_database()
    yield connection
    connection.close()


def due(db: sqlite3.Connection, after: int = 0) -> list[int]:
    return [skip.seq for skip in voids.due(db, BOB, after=after, asked=(), limit=100)]


def answer(db: sqlite3.Connection, seq: int, *, had: bool) -> bool:
    return voids.answered(db, BOB, Skipped(seq, had), NOW, Random(seq))


def waiting(db: sqlite3.Connection) -> list[tuple[int, str]]:
    return [(frame.seq, frame.text) for frame in streams.pending(db, BOB, "a", "b", after=0, limit=100)]


def empty(seq: int, *, stamp: int | None = None) -> Skip:
    return Skip(seq, (stamp or seq).to_bytes(16), (stamp or seq).to_bytes(16))


def test_a_cancelled_message_leaves_its_number_to_be_sent_empty(db: sqlite3.Connection) -> None:
    [_, second, _] = write(db, "one", "two", "three")

    assert voids.cancel(db, second)

    assert states(db) == ["pending", "cancelled", "pending"]
    assert waiting(db) == [(1, "one"), (3, "three")]
    assert due(db) == [2]
    assert streams.waiting(db) == [BOB]
    assert history.pending_count(db) == 2


def test_cancelling_twice_or_too_late_changes_nothing(db: sqlite3.Connection) -> None:
    [first, second] = write(db, "one", "two")
    streams.stored_by_peer(db, BOB, 1)
    voids.cancel(db, second)
    before = event_log.head(db)

    assert not voids.cancel(db, first)
    assert not voids.cancel(db, second)

    assert states(db) == ["delivered", "cancelled"]
    assert event_log.head(db) == before


def test_an_acknowledgement_of_what_comes_later_does_not_answer_for_a_void(db: sqlite3.Connection) -> None:
    [first, _] = write(db, "one", "two")
    voids.cancel(db, first)

    streams.stored_by_peer(db, BOB, 2)

    assert states(db) == ["cancelled", "delivered"]
    assert due(db) == [1]
    assert voids.any_due(db, BOB)


def test_bob_never_had_it_so_it_stays_cancelled(db: sqlite3.Connection) -> None:
    [first] = write(db, "one")
    voids.cancel(db, first)

    assert answer(db, 1, had=False)
    assert not answer(db, 1, had=True)  # nobody asked again

    assert states(db) == ["cancelled"]
    assert not voids.any_due(db, BOB)


def test_bob_had_it_already_so_it_is_delivered_after_all_and_the_screen_hears_of_it(db: sqlite3.Connection) -> None:
    [first] = write(db, "one")
    voids.cancel(db, first)
    cursor = event_log.head(db)

    answer(db, 1, had=True)

    [(_, event)] = event_log.since(db, cursor, ME)
    assert isinstance(event, StateChanged)
    assert event.message.state == "delivered"


def test_bob_had_read_it_before_the_question_reached_him(db: sqlite3.Connection) -> None:
    [first] = write(db, "one")
    voids.cancel(db, first)

    assert streams.read_by_peer(db, BOB, 1) == 0
    assert states(db) == ["cancelled"]
    answer(db, 1, had=True)

    assert states(db) == ["read"]


def test_reading_all_that_was_delivered_says_nothing_of_what_is_behind_an_open_question(db: sqlite3.Connection) -> None:
    [_, second, _] = write(db, "one", "two", "three")
    voids.cancel(db, second)
    streams.stored_by_peer(db, BOB, 3)

    assert streams.read_by_peer(db, BOB, None) == 1
    answer(db, 2, had=False)
    assert streams.read_by_peer(db, BOB, None) == 1

    assert states(db) == ["read", "cancelled", "read"]


def test_a_refused_message_fails_and_says_why(db: sqlite3.Connection) -> None:
    write(db, "one", "two")

    assert voids.refused(db, BOB, 1)
    assert not voids.refused(db, BOB, 1)

    assert [(message.state, message.reason) for message in conversation(db)] == [
        ("failed", "refused"),
        ("pending", None),
    ]
    assert due(db) == [1]


def test_everything_that_waits_for_a_deleted_account_fails(db: sqlite3.Connection) -> None:
    rows = write(db, "delivered", "one", "given up", "again")
    streams.stored_by_peer(db, BOB, 1)
    voids.cancel(db, rows[2])
    voids.cancel(db, rows[3])
    voids.retry(db, rows[3], NOW, Random(1))

    assert voids.fail_all(db, BOB, "account_deleted") == 2

    assert states(db) == ["delivered", "failed", "cancelled", "failed"]
    assert history.pending_count(db) == 0


def test_a_message_tried_again_gets_a_new_number_and_comes_last(db: sqlite3.Connection) -> None:
    [first, _] = write(db, "one", "two")
    before = history.message(db, first, ME)
    voids.cancel(db, first)
    answer(db, 1, had=False)

    assert voids.retry(db, first, NOW, Random(5))
    assert not voids.retry(db, first, NOW, Random(5))

    assert waiting(db) == [(2, "two"), (3, "one")]
    assert [message.text for message in conversation(db)] == ["two", "one"]
    again = history.message(db, first, ME)
    assert (again.id, again.sent_at, again.state) == (before.id, before.sent_at, "pending")


@pytest.mark.parametrize(("had", "then"), [(True, "delivered"), (False, "pending")])
def test_what_is_tried_again_waits_for_the_answer_first(db: sqlite3.Connection, had: bool, then: str) -> None:
    """Else bob might get it twice: under its old number and under the new one."""
    [first] = write(db, "one")
    voids.cancel(db, first)

    voids.retry(db, first, NOW, Random(1))
    assert (states(db), waiting(db), history.pending_count(db)) == (["pending"], [], 1)
    answer(db, 1, had=had)

    assert states(db) == [then]
    assert waiting(db) == ([] if had else [(2, "one")])


def test_what_is_to_be_tried_again_can_be_cancelled_again(db: sqlite3.Connection) -> None:
    [first] = write(db, "one")
    voids.cancel(db, first)
    voids.retry(db, first, NOW, Random(1))

    assert voids.cancel(db, first)
    answer(db, 1, had=False)

    assert states(db) == ["cancelled"]
    assert waiting(db) == []


def test_a_failed_message_that_is_tried_again_has_no_reason_any_more(db: sqlite3.Connection) -> None:
    [first] = write(db, "one")
    voids.fail(db, first, "expired")
    answer(db, 1, had=False)

    voids.retry(db, first, NOW, Random(1))

    assert [(message.state, message.reason) for message in conversation(db)] == [("pending", None)]


# --- at the other end ---


def test_an_empty_number_in_its_turn_is_noted_and_shows_nothing(db: sqlite3.Connection) -> None:
    streams.receive(db, BOB, [from_bob(1)])

    assert voids.skip(db, BOB, empty(2)) == Skipped(2, had=False)
    assert streams.receive(db, BOB, [from_bob(3)]).stored == 1

    assert len(conversation(db)) == 2
    assert streams.received(db, BOB) == 3
    assert history.unread_count(db) == 2
    assert streams.read_here(db, BOB) == 2
    assert history.unread_count(db) == 0
    assert streams.receipt_due(db, BOB) == 3


def test_the_same_question_gets_the_same_answer(db: sqlite3.Connection) -> None:
    streams.receive(db, BOB, [from_bob(1)])
    voids.skip(db, BOB, empty(2))

    assert voids.skip(db, BOB, empty(1)) == Skipped(1, had=True)
    assert voids.skip(db, BOB, empty(2)) == Skipped(2, had=False)
    assert voids.skip(db, BOB, empty(1, stamp=9)) == Skipped(1, had=False)  # it had another message

    assert streams.received(db, BOB) == 2
    assert history.unread_count(db) == 1


def test_an_empty_number_before_its_turn_is_a_gap(db: sqlite3.Connection) -> None:
    refusal = voids.skip(db, BOB, empty(2))

    assert isinstance(refusal, Refuse)
    assert (refusal.error, refusal.expected) == ("sequence_gap", 1)
    assert streams.received(db, BOB) == 0


@pytest.mark.parametrize(("changes", "code"), [({"text": ""}, "illegal_text"), ({"stamp": 1}, "id_taken")])
def test_what_can_never_be_stored_is_refused_with_a_code_that_says_so(
    db: sqlite3.Connection, changes: dict[str, object], code: str
) -> None:
    streams.receive(db, BOB, [from_bob(1)])

    taken = streams.receive(db, BOB, [from_bob(2, **changes), from_bob(3)])  # type: ignore[arg-type]

    assert taken.refusal is not None
    assert (taken.stored, taken.refusal.seq, taken.refusal.error) == (0, 2, code)


def test_another_device_is_asked_nothing_of_the_old_numbers(db: sqlite3.Connection) -> None:
    rows = write(db, "given up", "wanted again", "waits")
    voids.cancel(db, rows[0])
    voids.cancel(db, rows[1])
    voids.retry(db, rows[1], NOW, Random(1))
    voids.skip(db, BOB, empty(1))

    streams.change_key(db, BOB, b"k" * 32)

    assert waiting(db) == [(1, "wanted again"), (2, "waits")]
    assert states(db) == ["cancelled", "pending", "pending"]
    assert not voids.any_due(db, BOB)
    assert history.unread_count(db) == 0
    assert voids.skip(db, BOB, empty(1)) == Skipped(1, had=False)


def test_only_as_many_are_taken_as_there_is_room_for_and_none_out_of_turn(db: sqlite3.Connection) -> None:
    rows = write(db, *"abcdef")
    voids.cancel(db, rows[0])
    voids.cancel(db, rows[2])
    voids.cancel(db, rows[5])

    def taken(after: int, room: int, asked: tuple[int, ...] = ()) -> list[int]:
        messages = streams.pending(db, BOB, "a", "b", after=after, limit=room)
        skips = voids.due(db, BOB, after=after, asked=asked, limit=room)
        return [frame.seq for frame in voids.merged(messages, skips, room)]

    assert taken(0, 2) == [1, 2]
    assert taken(2, 2) == [1, 3]  # the first was not asked about on this link
    assert taken(2, 2, (1,)) == [3, 4]
    assert taken(0, 10) == [1, 2, 3, 4, 5, 6]
    assert taken(6, 10, (1, 3, 6)) == []


def test_an_answer_about_a_number_says_that_what_waits_below_it_has_come(db: sqlite3.Connection) -> None:
    [_, second, _] = write(db, "one", "two", "three")
    voids.cancel(db, second)

    assert answer(db, 2, had=True)

    assert states(db) == ["delivered", "delivered", "pending"]
    assert waiting(db) == [(3, "three")]


# --- against a plain model, on a wire that loses, repeats and cuts ---


class End:
    """One end of a conversation, and what its user did."""

    def __init__(self, name: str, skew: int) -> None:
        self.name, self.skew = name, skew
        self.db = open_database()
        self.written: list[int] = []
        self.given_up: set[str] = set()
        """What the user does not want sent, by their last word."""

    def texts(self, *, mine: bool) -> list[str]:
        return [message.text for message in conversation(self.db) if message.mine == mine]

    def places(self) -> list[tuple[str, bytes, int]]:
        """Every message that both ends have, in order, with its sort key."""
        rows = self.db.execute("SELECT id, text, ord, depth FROM messages ORDER BY ord, depth, uuid").fetchall()
        states = {row: history.state(self.db, row) for row, *_ in rows}
        return [(text, key, depth) for row, text, key, depth in rows if states[row] in ("delivered", "read")]

    def act(self, step: str, number: int, rng: Random) -> None:
        now = NOW + number * 1000 + self.skew
        if step == "write":
            self.written.append(streams.append(self.db, BOB, f"{self.name}{number}", now, rng))
        elif step == "read":
            streams.read_here(self.db, BOB)
        elif self.written:
            row = rng.choice(self.written)
            text = history.message(self.db, row, ME).text
            if step == "cancel" and voids.cancel(self.db, row):
                self.given_up.add(text)
            elif step == "retry" and voids.retry(self.db, row, now, rng):
                self.given_up.discard(text)

    def check_numbers(self) -> None:
        """Each number above the last that is acknowledged waits, with its message or empty; counting agrees."""
        upto, top = self.db.execute("SELECT out_stored, out_seq FROM contacts WHERE id = ?", (BOB,)).fetchone()
        waiting = [seq for (seq,) in self.db.execute("SELECT seq FROM outbox WHERE contact = ?", (BOB,))]
        empty = [seq for (seq,) in self.db.execute("SELECT seq FROM voids WHERE contact = ? AND seq > ?", (BOB, upto))]
        assert sorted(waiting + empty) == list(range(upto + 1, top + 1))
        pending = [message for message in conversation(self.db) if message.state == "pending"]
        assert history.pending_count(self.db) == history.pending_count(self.db, BOB) == len(pending)

    def settled(self) -> bool:
        return not (history.pending_count(self.db) or voids.any_due(self.db, BOB))


def exchange(sender: End, receiver: End, rng: Random, *, faulty: bool) -> None:
    """One turn of a link: the greeting, then frames by number; each answer may be lost."""
    after = streams.received(receiver.db, BOB)
    if rng.random() < 0.5:
        streams.stored_by_peer(sender.db, BOB, after)
    room = rng.randrange(1, 5)
    messages = streams.pending(sender.db, BOB, "a", "b", after=after, limit=room)
    skips = voids.due(sender.db, BOB, after=after, asked=(), limit=room)
    frames = voids.merged(messages, skips, room)
    if faulty and rng.random() < 0.3:
        frames = frames + frames
    if faulty and rng.random() < 0.3:
        frames = frames[: rng.randrange(len(frames) + 1)]
    for frame in frames:
        if isinstance(frame, Skip):
            said = voids.skip(receiver.db, BOB, frame)
            if isinstance(said, Skipped) and not (faulty and rng.random() < 0.4):
                voids.answered(sender.db, BOB, said, NOW, rng)
        else:
            taken = streams.receive(receiver.db, BOB, [frame])
            assert taken.refusal is None or taken.refusal.error == "sequence_gap"
            if not (faulty and rng.random() < 0.4):
                streams.stored_by_peer(sender.db, BOB, taken.received)


STEPS = st.tuples(st.sampled_from("ab"), st.sampled_from(["write", "write", "cancel", "retry", "talk", "talk", "read"]))


@settings(max_examples=100, deadline=None)
@given(st.integers(), st.lists(STEPS, min_size=10, max_size=60))
def test_both_ends_agree_on_what_was_given_up_and_on_the_order_of_the_rest(
    seed: int, steps: list[tuple[str, str]]
) -> None:
    rng = Random(seed)
    ends = {"a": End("a", rng.choice([0, 20_000, 86_400_000_000])), "b": End("b", 0)}
    for number, (name, step) in enumerate(steps):
        end, other = ends[name], ends["b" if name == "a" else "a"]
        if step == "talk":
            exchange(end, other, rng, faulty=True)
        else:
            end.act(step, number, rng)
        for one in ends.values():
            one.check_numbers()
    a, b = ends["a"], ends["b"]
    while not (a.settled() and b.settled()):
        exchange(a, b, rng, faulty=False)
        exchange(b, a, rng, faulty=False)

    for end, other in ((a, b), (b, a)):
        got = other.texts(mine=False)
        assert len(got) == len(set(got))
        for message in conversation(end.db):
            if message.mine:
                assert (message.text in got) == (message.state in ("delivered", "read"))
                assert message.text in got or message.text in end.given_up
        assert history.unread_count(other.db) == len(history.unread(other.db, ME))
    assert a.places() == b.places()
    a.db.close()
    b.db.close()


def test_an_answer_to_a_number_that_was_tried_again_elsewhere_has_its_place_on_both_ends() -> None:
    rng, alice, bob = Random(1), End("a", 86_400_000_000), End("b", 0)
    alice.act("write", 1, rng)
    alice.act("cancel", 2, rng)
    exchange(alice, bob, rng, faulty=False)
    bob.act("write", 3, rng)  # he has seen number 1, empty
    alice.act("retry", 4, rng)

    exchange(bob, alice, rng, faulty=False)
    while not alice.settled():
        exchange(alice, bob, rng, faulty=False)

    assert alice.places() == bob.places()
    assert [text for text, *_ in alice.places()] == ["b3", "a1"]
