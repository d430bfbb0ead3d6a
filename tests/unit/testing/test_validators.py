"""Each validator sees its own kind of lie, and none of them cries at an honest run."""

from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraph.protocol.node_api import MessageState
from telegraph.testing.history import (
    Called,
    Fault,
    Final,
    GivenUp,
    History,
    Kept,
    ReadCalled,
    Record,
    Refused,
    Returned,
    Shown,
    Told,
    TriedAgain,
    load,
)
from telegraph.testing.validators import PROMISES, Run, check


def other(node: str) -> str:
    return "bob" if node == "alice" else "alice"


class Story:
    """Alice and bob talk; each message reaches the other at once, unless the story says otherwise."""

    def __init__(self) -> None:
        self.ticks = 0.0
        self.history = History(clock=self.now)
        self.kept: dict[str, list[Kept]] = {"alice": [], "bob": []}

    def now(self) -> float:
        self.ticks += 1
        return self.ticks

    def send(self, node: str, text: str, *, arrives: bool = True) -> None:
        peer = other(node)
        self.history.note(Called, node=node, peer=peer, text=text)
        self.history.note(Returned, node=node, peer=peer, text=text, id=f"id of {text}")
        self.keep(node, text, mine=True)
        if arrives:
            self.arrive(node, text)

    def arrive(self, sender: str, text: str) -> None:
        self.keep(other(sender), text, mine=False)
        self.history.note(Told, node=sender, peer=other(sender), id=f"id of {text}", state="delivered", mine=True)

    def keep(self, node: str, text: str, *, mine: bool, message_id: str | None = None) -> None:
        message = Kept(message_id or f"id of {text}", text, mine, "delivered")
        self.kept[node].append(message)
        self.history.note(Shown, node=node, peer=other(node), id=message.id, text=text, mine=mine)

    def forget(self, node: str, text: str) -> None:
        self.kept[node] = [message for message in self.kept[node] if message.text != text]

    def read(self, node: str, text: str) -> None:
        self.history.note(ReadCalled, node=node, peer=other(node))
        self.history.note(Told, node=other(node), peer=node, id=f"id of {text}", state="read", mine=True)

    def records(self) -> list[Record]:
        ends: list[Record] = [
            Final(at=self.ticks, node=node, peer=other(node), messages=kept) for node, kept in self.kept.items()
        ]
        return [*self.history.records, *ends]

    def broken(self) -> set[str]:
        return {violation.promise for violation in check(self.records())}


@pytest.fixture
def story() -> Story:
    told = Story()
    told.send("alice", "1 hello")
    told.send("bob", "2 hello yourself")
    told.read("alice", "2 hello yourself")
    told.send("alice", "3 how are you?")
    return told


def test_an_honest_run_breaks_no_promise(story: Story) -> None:
    assert story.broken() == set()


def test_a_message_that_only_its_sender_has_is_lost(story: Story) -> None:
    story.send("alice", "4", arrives=False)

    assert story.broken() == {"lost"}


def test_a_message_that_its_sender_forgot_is_lost(story: Story) -> None:
    story.forget("alice", "3 how are you?")

    assert story.broken() == {"lost"}


def test_a_send_that_never_returned_may_have_happened_or_not(story: Story) -> None:
    story.history.note(Called, node="alice", peer="bob", text="4 the node was killed")
    story.history.note(Called, node="alice", peer="bob", text="5 and again")
    story.keep("alice", "5 and again", mine=True)
    story.arrive("alice", "5 and again")

    assert story.broken() == set()


@pytest.mark.parametrize("same_id", [True, False])
def test_a_message_that_is_kept_twice_is_doubled(story: Story, same_id: bool) -> None:
    story.keep("bob", "1 hello", mine=False, message_id=None if same_id else "another id")

    assert "doubled" in story.broken()


def test_a_message_that_is_shown_twice_is_doubled_though_kept_once(story: Story) -> None:
    story.history.note(Shown, node="bob", peer="alice", id="id of 1 hello", text="1 hello", mine=False)

    assert story.broken() == {"doubled"}


def test_two_orders_of_one_conversation_are_disorder(story: Story) -> None:
    for name in ("4", "5"):
        story.history.note(Called, node="alice", peer="bob", text=name)
    for name in ("4", "5"):
        story.history.note(Returned, node="alice", peer="bob", text=name, id=f"id of {name}")
        story.keep("alice", name, mine=True)
    for name in ("5", "4"):  # at the same time: either order would do, if it were the same
        story.arrive("alice", name)

    assert story.broken() == {"disordered"}


def test_an_answer_before_its_question_is_inverted_even_if_both_ends_agree(story: Story) -> None:
    for kept in story.kept.values():
        kept[0], kept[1] = kept[1], kept[0]

    assert story.broken() == {"inverted"}


def test_own_messages_in_another_order_than_they_were_sent_are_inverted(story: Story) -> None:
    story.send("bob", "4")
    story.send("bob", "5")
    for kept in story.kept.values():
        kept[-2], kept[-1] = kept[-1], kept[-2]

    assert story.broken() == {"inverted"}


def test_a_tick_for_what_the_recipient_does_not_have_is_too_early(story: Story) -> None:
    story.forget("bob", "3 how are you?")

    assert story.broken() == {"lost", "ticked_too_early"}


def test_a_read_tick_before_anybody_read_is_too_early(story: Story) -> None:
    story.history.note(Told, node="alice", peer="bob", id="id of 1 hello", state="read", mine=True)

    assert story.broken() == {"ticked_too_early"}


def test_what_nobody_sent_comes_from_nobody(story: Story) -> None:
    story.keep("bob", "send me your password", mine=False)

    assert "from_nobody" in story.broken()


def test_what_was_sent_to_somebody_else_comes_from_nobody(story: Story) -> None:
    story.history.note(Called, node="alice", peer="carol", text="only for carol")
    story.keep("bob", "only for carol", mine=False)

    assert "from_nobody" in story.broken()


def test_what_was_refused_must_not_turn_up(story: Story) -> None:
    story.history.note(Called, node="alice", peer="bob", text="4 disk full")
    story.history.note(Refused, node="alice", peer="bob", text="4 disk full", error="data_unreadable")
    assert story.broken() == set()

    story.keep("alice", "4 disk full", mine=True)

    assert "from_nobody" in story.broken()


def test_a_message_that_no_page_heard_of_is_untold(story: Story) -> None:
    story.kept["bob"].append(Kept("id of 4", "4", mine=False, state="delivered"))
    story.kept["alice"].append(Kept("id of 4", "4", mine=True, state="delivered"))
    story.history.note(Called, node="alice", peer="bob", text="4")

    assert story.broken() == {"untold"}


@pytest.mark.parametrize(
    ("first", "then"), [("delivered", "pending"), ("read", "delivered"), ("delivered", "cancelled"), ("read", "failed")]
)
def test_a_state_that_goes_back_is_noticed(story: Story, first: MessageState, then: MessageState) -> None:
    for state in (first, then):
        story.history.note(Told, node="bob", peer="alice", id="id of 2 hello yourself", state=state, mine=True)

    assert story.broken() == {"backwards"}


def test_a_message_that_was_given_up_need_not_arrive(story: Story) -> None:
    story.send("alice", "4", arrives=False)
    story.history.note(GivenUp, node="alice", peer="bob", text="4")
    assert story.broken() == {"lost"}  # for its sender was not told that it is given up

    story.kept["alice"][-1] = msgspec.structs.replace(story.kept["alice"][-1], state="cancelled")

    assert story.broken() == set()


def test_a_message_is_not_given_up_by_itself(story: Story) -> None:
    story.send("alice", "4", arrives=False)
    story.kept["alice"][-1] = msgspec.structs.replace(story.kept["alice"][-1], state="failed")

    assert story.broken() == {"lost"}


def test_what_is_given_up_and_arrived_all_the_same_is_undead(story: Story) -> None:
    story.history.note(GivenUp, node="alice", peer="bob", text="3 how are you?")
    story.kept["alice"][-1] = msgspec.structs.replace(story.kept["alice"][-1], state="cancelled")

    assert story.broken() == {"undead"}


def test_a_message_that_is_tried_again_may_move_to_the_end_and_no_other_may(story: Story) -> None:
    story.send("bob", "4")
    for kept in story.kept.values():
        kept.append(kept.pop(-2))
    assert story.broken() == {"inverted"}

    story.history.note(TriedAgain, node="alice", peer="bob", text="3 how are you?")

    assert story.broken() == set()


@pytest.mark.parametrize("then", ["delivered", "pending", "read"])
def test_a_message_that_was_given_up_may_turn_out_to_be_there_or_be_tried_again(
    story: Story, then: MessageState
) -> None:
    story.history.note(GivenUp, node="bob", peer="alice", text="2 hello yourself")
    other_one = "id of an older one"
    for state in ("cancelled", then):
        story.history.note(Told, node="bob", peer="alice", id=other_one, state=state, mine=False)

    assert story.broken() == set()


def test_what_still_waits_when_all_is_quiet_is_unfinished(story: Story) -> None:
    last = story.kept["alice"][-1]
    story.kept["alice"][-1] = msgspec.structs.replace(last, state="pending")

    assert story.broken() == {"unfinished"}


def test_two_sends_of_one_text_make_no_history(story: Story) -> None:
    story.history.note(Called, node="alice", peer="bob", text="1 hello")

    with pytest.raises(ValueError, match="two sends"):
        Run(story.records())


def test_a_history_can_be_read_back_line_by_line(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl", clock=lambda: 1.5)
    history.note(Fault, what="kill", who=["bob"], detail="SIGKILL")
    history.note(Called, node="alice", peer="bob", text="ñ")
    history.note(Final, node="alice", peer="bob", messages=[Kept("1", "ñ", mine=True, state="read")])
    history.close()

    assert list(load(tmp_path / "history.jsonl")) == history.records
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 3


LIES: dict[str, Any] = {
    "lost": lambda kept, at: kept.pop(at),
    "doubled": lambda kept, at: kept.append(kept[at]),
    "from_nobody": lambda kept, at: kept.insert(at, Kept("x", "x", mine=False, state="delivered")),
}


@given(st.lists(st.sampled_from(["alice", "bob"]), min_size=2, max_size=30), st.randoms(use_true_random=False))
def test_a_long_talk_is_honest_until_one_end_lies(senders: list[str], rng: Random) -> None:
    story = Story()
    for number, sender in enumerate(senders):
        story.send(sender, f"{number}")
    assert story.broken() == set()

    liar, lie = rng.choice(["alice", "bob"]), rng.choice(sorted(LIES))
    LIES[lie](story.kept[liar], rng.randrange(len(senders)))

    assert lie in story.broken()


@given(st.lists(st.sampled_from(["alice", "bob"]), min_size=2, max_size=30), st.data())
def test_any_swap_of_a_talk_in_which_each_saw_all_is_an_inversion(senders: list[str], data: st.DataObject) -> None:
    story = Story()
    for number, sender in enumerate(senders):
        story.send(sender, f"{number}")
    one = data.draw(st.integers(0, len(senders) - 2))
    two = data.draw(st.integers(one + 1, len(senders) - 1))

    for kept in story.kept.values():
        kept[one], kept[two] = kept[two], kept[one]

    assert story.broken() == {"inverted"}


def test_every_promise_has_a_sentence_of_its_own() -> None:
    sentences = [promise.__doc__ for promise in PROMISES]

    assert all(sentences)
    assert len(set(sentences)) == len(PROMISES)


def test_numbers_that_had_to_begin_anew_are_a_tick_that_came_too_early() -> None:
    history = History()
    notice = Kept("n", "", mine=False, state="delivered", kind="restored")
    history.note(Final, node="alice", peer="bob", messages=[notice])
    history.note(Final, node="bob", peer="alice", messages=[])
    assert [violation.promise for violation in check(history.records)] == ["ticked_too_early"]
